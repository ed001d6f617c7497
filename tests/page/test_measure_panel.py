"""The Measure panel in a real browser: loads, figures, charts, what can be copied.

Modules: `static/view/measure-panel.js`, `static/view/chart.js`.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.page.client import Client
from tests.page.conftest import OpenPage
from tests.page.speed import demand
from tests.shared.server import RunningServer


class Panel:
    """The panel as its user sees it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        client.tab("Measure").click()
        self.element = client.page.get_by_role("tabpanel", name="Measure")
        self.run = self.element.get_by_role("button", name="Run", exact=True)
        self.stop = self.element.get_by_role("button", name="Stop")
        self.mode = self.element.get_by_label("Mode")
        self.sentence = self.element.locator(".result")

    def burst(self, count: int) -> None:
        self.mode.select_option("burst")
        self.element.get_by_label("Messages", exact=True).fill(str(count))
        self.run.click()

    def every(self, interval: float, seconds: float) -> None:
        self.mode.select_option("interval")
        self.element.get_by_label("Interval in ms").fill(str(interval))
        self.element.get_by_label("Seconds").fill(str(seconds))
        self.run.click()

    def figure(self, name: str) -> str:
        row = self.element.get_by_role("row").filter(
            has=self.client.page.get_by_role("rowheader", name=name, exact=True)
        )
        return row.get_by_role("cell").inner_text()


@pytest.fixture
def panel(open_page: OpenPage) -> Panel:
    return Panel(open_page(permissions=["clipboard-read", "clipboard-write"]))


def test_a_burst_connects_first_and_ends_in_a_sentence(panel: Panel) -> None:
    panel.burst(1000)
    expect(panel.sentence).to_have_text("All 1,000 came back, in order, unchanged.")
    assert [panel.figure(name) for name in ("Sent", "Came back", "Lost", "Altered")] == ["1000", "1000", "0", "0"]
    assert panel.figure("p50").endswith(" ms")
    spread = panel.element.get_by_role("img", name=re.compile(r"Spread of 1000 round trips: p50 .* ms, p95 .* max"))
    expect(spread).to_be_visible()
    expect(panel.element.get_by_role("img", name=re.compile("Round trips over time"))).to_be_visible()


def test_latency_of_a_scenario_is_what_is_measured(panel: Panel, server: RunningServer) -> None:
    url = f"{server.ws_url}/ws?latency=50ms"
    panel.client.context("({ connections }, url) => { connections.active.options.url = url; }", url)
    panel.every(50, 3)
    expect(panel.sentence).to_contain_text("came back, in order, unchanged.")
    least, median = (float(panel.figure(name).removesuffix(" ms")) for name in ("min", "p50"))
    assert min(least, median) >= 50
    demand(least <= 56, f"with 50 ms latency: {least} ms at least, median {median} ms")


def test_a_load_can_be_stopped_by_its_button_and_by_esc(panel: Panel) -> None:
    for stop in (panel.stop.click, lambda: panel.client.page.keyboard.press("Escape")):
        panel.every(10, 600)
        expect(panel.element.get_by_role("progressbar")).to_be_visible()
        expect(panel.sentence).to_have_text(re.compile(r"[\d,]+ of [\d,]+ are back\."))
        stop()
        expect(panel.run).to_be_visible()
        expect(panel.sentence).to_contain_text("came back")


def test_what_is_lost_is_said(panel: Panel, server: RunningServer) -> None:
    url = f"{server.ws_url}/ws?drop=50&seed=1"
    panel.client.context("({ connections }, url) => { connections.active.options.url = url; }", url)
    panel.burst(100)
    expect(panel.sentence).to_have_text(re.compile(r"\d+ of 100 came back: \d+ lost\."))
    assert int(panel.figure("Lost")) + int(panel.figure("Came back")) == 100


def test_the_composers_message_is_a_payload(panel: Panel) -> None:
    panel.element.get_by_label("Payload").select_option("composer")
    panel.client.context("({ composer }) => composer.fill({ kind: 'text', text: 'hello' })")
    panel.burst(10)
    expect(panel.sentence).to_have_text("All 10 came back, in order, unchanged.")
    sizes = panel.client.page.locator(".line.sent .size")
    expect(sizes.first).to_be_visible()
    assert set(sizes.all_inner_texts()) == {"5 B"}


def test_the_result_can_be_copied_as_markdown(panel: Panel) -> None:
    panel.burst(100)
    expect(panel.sentence).to_contain_text("All 100 came back")
    text = panel.client.copied(panel.element.get_by_role("button", name="Copy as Markdown").click)
    assert text.startswith("**All 100 came back, in order, unchanged.**")
    assert "a burst of 100, 64 bytes each" in text
    assert "Chromium" in text
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {2}
    assert ["Lost", "0"] in [[cell.strip() for cell in row] for row in rows]


def test_the_server_is_asked_for_its_own_round_trip(panel: Panel) -> None:
    panel.burst(10)
    expect(panel.sentence).to_contain_text("All 10 came back")
    panel.element.get_by_role("button", name="Ask the server for its round trip").click()
    expect(panel.element.get_by_role("rowheader", name="The server's own ping, median")).to_be_visible()
    assert float(panel.figure("The server's own ping, median").removesuffix(" ms")) < 1000


def test_charts_draw_in_the_colours_of_the_theme(panel: Panel) -> None:
    panel.burst(100)
    expect(panel.sentence).to_contain_text("All 100 came back")
    read = """(canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value) => value > 0);
    }"""
    for canvas in panel.element.locator("canvas").all():
        canvas.scroll_into_view_if_needed()
        panel.client.page.wait_for_function(read, arg=canvas.element_handle())


def test_a_load_asks_before_the_page_is_left(panel: Panel) -> None:
    panel.every(10, 600)
    expect(panel.element.get_by_role("progressbar")).to_be_visible()
    asked: list[str] = []
    panel.client.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    panel.client.page.reload()
    assert asked == ["beforeunload"]


def test_values_out_of_bounds_run_nothing(panel: Panel) -> None:
    panel.mode.select_option("burst")
    panel.element.get_by_label("Messages", exact=True).fill("0")
    panel.run.click()
    assert panel.client.context("({ connections }) => connections.active.state.name") == "idle"
