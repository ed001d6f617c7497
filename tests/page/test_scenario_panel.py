"""The Scenarios panel in a real browser: every row of the catalogue has a verdict.

Modules: `scenario-panel`, `scenario-form`, `trials`; the worker `line/trial.js`.
"""

import json
import re
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.conftest import Serve
from tests.page.client import FAILED_CONNECTION, FAILED_REQUEST, Client
from tests.page.conftest import OpenPage
from tests.shared.server import ROOT, RunningServer

# Run all takes half a minute, and longer on a busy machine.
RUN_ALL = 300_000

# What this browser does otherwise than the rows expect, as far as a page sees it: the compatibility table has found the
# same with a client of its own.
KNOWN = {
    line.split("|")[1].strip()
    for line in (ROOT / "docs/compatibility.md").read_text().splitlines()
    if re.match(r"\| [\d.]+ \| .*Chromium.* \| (code \d+|it does not open) \|$", line)
}
# This browser has no limit for inflated messages. Playwright's driver gets a copy of each, and runs out of memory.
BOMB = "malformed/deflate-bomb"


class Panel:
    """The panel as its user sees it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        # Many scenarios want connections that do not open or that end badly.
        client.allowed += [FAILED_CONNECTION, FAILED_REQUEST, "Set-Cookie"]
        client.tab("Scenarios").click()
        self.element = client.page.get_by_role("tabpanel", name="Scenarios")
        self.search = self.element.get_by_label("Search scenarios")
        self.summary = self.element.get_by_role("status")
        self.run_all = self.element.get_by_role("button", name="Run all")
        self.stop = self.element.get_by_role("button", name="Stop")
        self.opened = self.element.locator(".scenario")
        self.run = self.opened.get_by_role("button", name="Run", exact=True)
        expect(self.summary).to_contain_text("scenarios")

    def open(self, path: str) -> None:
        """Open the row whose URL is `/ws/` and `path`."""
        self.search.fill(path)
        row = self.element.get_by_role("listitem").filter(has=self.client.page.get_by_text(path, exact=True))
        row.get_by_role("button").first.click()
        expect(self.opened).to_be_visible()

    def compared(self) -> dict[str, list[str]]:
        """Return the table of the opened row: what was expected, what was seen, and the verdict, by name."""
        rows = self.opened.locator(".verdicts tbody tr").all()
        return {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}

    def copied(self, form: str) -> str:
        """Return what is copied as Markdown or as JSON."""
        self.element.get_by_role("button", name="Copy", exact=True).click()
        return self.client.copied(self.client.page.get_by_role("button", name=f"As {form}").click)


@pytest.fixture
def panel(open_page: OpenPage) -> Panel:
    return Panel(open_page(permissions=["clipboard-read", "clipboard-write"]))


def changed_catalogue(client: Client, server: RunningServer, change: Any) -> None:
    """Let the page get the catalogue as `change` has changed it."""
    with urllib.request.urlopen(f"{server.http_url}/scenarios.json") as response:
        catalogue = json.load(response)
    change(catalogue)
    client.page.route("**/scenarios.json", lambda route: route.fulfill(json=catalogue))


def test_a_row_has_a_form_a_live_url_and_a_verdict(panel: Panel, server: RunningServer) -> None:
    panel.open("close/1000")
    address = panel.opened.get_by_label("URL of the scenario")
    expect(address).to_have_text(f"{server.ws_url}/ws/close/1000")
    code = panel.opened.get_by_label("close: code")
    code.fill("999")
    expect(panel.opened.get_by_role("alert")).to_contain_text("close code that may be sent")
    code.fill("4001")
    panel.opened.get_by_label("reason").fill("a b/c")
    expect(address).to_have_text(f"{server.ws_url}/ws/close/4001?reason=a%20b/c")
    panel.run.click()
    expect(panel.opened.locator(".badge").first).to_have_text(re.compile("As expected"))
    assert panel.compared()["Close code"] == ["4001", "4001", "✓as expected"]
    assert panel.compared()["Clean"][:2] == ["yes", "yes"]


def test_what_the_server_refuses_is_said_before_and_after_a_run(panel: Panel) -> None:
    panel.open("message/hello")
    panel.opened.get_by_label("message: data").fill("hex:0")
    expect(panel.opened.get_by_role("alert")).to_contain_text("pairs of hexadecimal digits")
    panel.opened.get_by_label("message: data").fill("other")
    expect(panel.opened.get_by_role("alert")).to_have_count(0)
    panel.run.click()
    expect(panel.opened).to_contain_text("Seen, not judged")
    assert panel.compared()["Messages"][:2] == ["any", "1"]


def test_a_run_has_a_transcript_and_what_the_server_saw(panel: Panel) -> None:
    panel.open("on/bye/close/4000")
    panel.run.click()
    expect(panel.opened.locator(".badge").first).to_have_text(re.compile("As expected"))
    panel.opened.get_by_text("Transcript").click()
    lines = panel.opened.locator(".transcript").first.get_by_role("listitem")
    expect(lines.nth(0)).to_contain_text("open")
    expect(lines.last).to_contain_text("closed: 4000")
    expect(lines.filter(has_text="↑ text 3 characters bye")).to_have_count(1)
    panel.opened.get_by_text("What the server saw").click()
    seen = panel.opened.locator("table").last
    expect(seen.get_by_role("row", name="Close frame received")).to_contain_text("4000 after")
    expect(panel.client.rows.filter(has_text="bye")).to_have_count(0)


def test_the_url_of_a_scenario_can_be_used_above(panel: Panel, server: RunningServer) -> None:
    panel.open("echo")
    panel.opened.get_by_role("button", name="Use above").click()
    assert panel.client.context("({ connections }) => connections.active.options.url") == f"{server.ws_url}/ws/echo"
    assert panel.client.context("({ connections }) => connections.active.state.name") == "idle"


def test_every_row_has_a_verdict_and_the_results_can_be_copied(open_page: OpenPage, server: RunningServer) -> None:
    client = open_page(permissions=["clipboard-read", "clipboard-write"])

    def leave_out_bomb(catalogue: Any) -> None:
        catalogue["words"] = [word for word in catalogue["words"] if word["name"] != BOMB]

    changed_catalogue(client, server, leave_out_bomb)
    panel = Panel(client)
    panel.run_all.click()
    expect(panel.run_all).to_be_visible(timeout=RUN_ALL)
    results = json.loads(panel.copied("JSON"))
    verdicts = {row["number"]: row["verdict"] for row in results["rows"]}
    assert len(verdicts) == len(results["rows"]) > 150
    different = {row["number"]: row["compared"] for row in results["rows"] if row["verdict"] == "different"}
    assert different.keys() == KNOWN, different
    not_run = [row["url"] for row in results["rows"] if row["verdict"] == "open"]
    assert not [url for url in not_run if not re.search(r"freeze|mute|keep|forever|cut|downgrade", url)]
    lines = panel.copied("Markdown").splitlines()
    assert lines[0].startswith(results["summary"])
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[2:]]
    assert {len(row) for row in cells} == {4}
    assert len(cells) == len(verdicts) + 2
    expect(panel.summary).to_have_text(results["summary"])


def test_a_run_of_all_can_be_stopped(panel: Panel) -> None:
    panel.run_all.click()
    # Looks in each frame, so that much is left to be stopped.
    panel.client.page.wait_for_function(
        "(summary) => /\\d as expected/.test(summary.textContent)", arg=panel.summary.element_handle()
    )
    panel.stop.click()
    expect(panel.run_all).to_be_visible()
    results = json.loads(panel.copied("JSON"))["rows"]
    verdicts = [row["verdict"] for row in results]
    assert verdicts.count("open") > 50
    assert "expected" in verdicts
    panel.element.get_by_label("Verdict").select_option("expected")
    expect(panel.element.locator("li")).to_have_count(verdicts.count("expected"))


def test_all_can_be_run_before_the_catalogue_is_there(open_page: OpenPage, server: RunningServer) -> None:
    client = open_page()
    client.allowed += [FAILED_CONNECTION, FAILED_REQUEST, "Set-Cookie"]
    held: list[Route] = []
    client.page.route("**/scenarios.json", lambda route: held.append(route))
    with client.page.expect_request("**/scenarios.json"):
        client.tab("Scenarios").click()
    client.panel.get_by_role("button", name="Run all").click()
    expect(client.panel.get_by_role("status")).to_have_text("Reading the catalogue")
    held[0].continue_()
    client.panel.get_by_role("button", name="Stop").click()
    expect(client.panel.get_by_role("button", name="Run all")).to_be_visible()


def test_a_wrong_row_of_the_catalogue_becomes_different(open_page: OpenPage, server: RunningServer) -> None:
    client = open_page()

    def change(catalogue: Any) -> None:
        word = next(word for word in catalogue["words"] if word["name"] == "close")
        word["rows"][0]["browser"]["close"]["codes"] = [1001]

    changed_catalogue(client, server, change)
    panel = Panel(client)
    panel.open("close/1000")
    panel.run.click()
    expect(panel.opened.locator(".badge").first).to_have_text(re.compile("Different"))
    assert panel.compared()["Close code"] == ["1001", "1000", "≠different"]
    expect(panel.opened.locator("tr.differs")).to_have_count(1)


def test_a_hostile_catalogue_is_text(open_page: OpenPage, server: RunningServer) -> None:
    client = open_page()
    markup = "<img src=x onerror=alert(1)><script>alert(1)</script>{constructor}"

    def change(catalogue: Any) -> None:
        catalogue["groups"]["A"] = markup
        word = catalogue["words"][0]
        word["server"] = word["client"] = markup + "x" * 50_000
        word["rows"][0]["number"] = markup
        word["rows"][1]["url"] = "/ws/" + "x" * 50_000
        word["rows"][2]["url"] = "javascript:alert(1)"
        word["rows"][3]["browser"] = {"opens": {"a": 1}, "close": 3, "messages": [], "within": "x", "attempts": None}
        catalogue["words"].append({"name": "__proto__", "arguments": 3, "rows": [{"url": "/ws/__proto__"}, 3, None]})
        catalogue["options"] = [None, {"name": markup, "type": "choice", "choices": [markup, 3]}]

    changed_catalogue(client, server, change)
    panel = Panel(client)
    panel.search.fill("img src")
    rows = panel.element.locator("li")
    expect(rows.first).to_be_visible()
    rows.first.get_by_role("button").first.click()
    expect(panel.opened).to_contain_text(markup)
    assert client.page.evaluate("document.querySelectorAll('#panels img, #panels script').length") == 0
    boxes = [box for box in (each.bounding_box() for each in _parts(rows)) if box]
    frame = panel.element.bounding_box()
    assert frame
    assert all(box["x"] + box["width"] <= frame["x"] + frame["width"] + 1 for box in boxes)


def _parts(rows: Locator) -> list[Locator]:
    return [*rows.locator("code").all(), *rows.locator("button").all(), *rows.locator("p").all()]


def test_a_server_without_scenarios_says_so(open_page: OpenPage, serve: Serve) -> None:
    client = open_page(serve("--no-scenarios").http_url + "/")
    client.allowed.append(r"\b404 \(")
    client.tab("Scenarios").click()
    expect(client.panel.get_by_role("status")).to_have_text("Scenarios are off on this server.")


def test_a_server_that_does_not_answer_says_so(open_page: OpenPage) -> None:
    client = open_page()
    client.allowed.append(FAILED_REQUEST)

    def abort(route: Route) -> None:
        route.abort()

    client.page.route("**/scenarios.json", abort)
    client.tab("Scenarios").click()
    expect(client.panel.get_by_role("status")).to_contain_text("The catalogue cannot be read")


def test_scenarios_run_with_a_token(open_page: OpenPage, serve: Serve) -> None:
    client = open_page(serve("--auth-token", "letmein").http_url + "/")
    client.context("({ connections }) => { connections.active.options.token = 'letmein'; }")
    panel = Panel(client)
    panel.open("echo")
    panel.run.click()
    expect(panel.opened.locator(".badge").first).to_have_text(re.compile("As expected"))
    panel.opened.get_by_text("What the server saw").click()
    expect(panel.opened).to_contain_text("status 101")
