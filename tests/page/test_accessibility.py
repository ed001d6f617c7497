"""The page for everyone: axe-core in every state, keyboard only, narrow, right to left, without colours or motion."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.page.client import FAILED_CONNECTION, Client
from tests.page.conftest import OpenPage
from tests.shared.server import ROOT

AXE = ROOT / "tests" / "clients" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "narrow": {"viewport": {"width": 390, "height": 844}},
}


def first_view(client: Client) -> None:
    expect(client.page.locator("#bar")).to_be_visible()


def conversation(client: Client) -> None:
    client.connect()
    for text in ("hello", '{"type":"subscribe","ids":[9007199254740993,2]}', "a\u202eb"):
        client.send(text)
    expect(client.page.locator("#bar .received")).to_have_text("↓ 3")
    client.rows.nth(3).click()


def failure(client: Client) -> None:
    client.allowed.append(FAILED_CONNECTION)
    client.url.fill("ws://127.0.0.1:9999/ws")
    client.url.press("Enter")
    expect(client.page.locator(".line.error").first).to_be_visible()


def filtered(client: Client) -> None:
    client.fill_log(10)
    client.filter.fill("/(/")


def tool(name: str) -> Callable[[Client], None]:
    def open_dialog(client: Client) -> None:
        if client.page.get_by_role("button", name=name, exact=True).is_visible():
            client.page.get_by_role("button", name=name, exact=True).click()
        else:
            client.page.locator("#tabs + .menu-button > button").click()
            client.page.get_by_role("button", name=name, exact=True).click()
        expect(client.page.get_by_role("dialog")).to_be_visible()

    return open_dialog


def panel(name: str) -> Callable[[Client], None]:
    def show(client: Client) -> None:
        if client.tab(name).is_visible():
            client.tab(name).click()
        else:
            client.page.locator("#tabs + .menu-button > button").click()
            client.page.get_by_role("button", name=name, exact=True).click()
        expect(client.page.locator(f"#panel-{name.lower()}")).to_be_visible()

    return show


def verdict(client: Client) -> None:
    panel("Scenarios")(client)
    client.page.get_by_label("Search scenarios").fill("on/bye")
    client.page.locator(".scenarios li button").first.click()
    client.page.locator(".scenario").get_by_role("button", name="Run", exact=True).click()
    expect(client.page.locator(".verdicts")).to_be_visible()
    client.page.locator(".scenario summary").filter(has_text="More options").click()
    client.page.locator(".scenario summary").filter(has_text="Transcript").click()
    client.page.locator(".scenario summary").filter(has_text="What the server saw").click()
    expect(client.page.get_by_role("heading", name="Connection 1")).to_be_visible()


def load(client: Client) -> None:
    panel("Measure")(client)
    client.page.get_by_label("Mode").select_option("burst")
    client.page.locator(".measure-panel").get_by_role("button", name="Run", exact=True).click()
    expect(client.page.locator(".measure-panel .result")).to_contain_text("All 1,000 came back")


def tiles(client: Client) -> None:
    panel("Server")(client)
    expect(client.page.locator(".tile")).to_have_count(6)


STATES = {
    "first view": first_view,
    "conversation": conversation,
    "failure": failure,
    "filter": filtered,
    "settings": tool("Settings"),
    "keys": tool("Keys"),
    "measure": panel("Measure"),
    "scenarios": panel("Scenarios"),
    "verdict": verdict,
    "load": load,
    "server": tiles,
    "code": panel("Code"),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(open_page: OpenPage, state: str, look: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is missing: npm install in tests/clients")
    client = open_page(**LOOKS[look])
    STATES[state](client)
    # A colour between two others may have too little contrast.
    client.page.evaluate("Promise.allSettled(document.getAnimations().map(({ finished }) => finished))")
    client.page.evaluate(AXE.read_text())
    found = client.page.evaluate("axe.run({ resultTypes: ['violations'] })")
    problems = [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
    assert problems == []


def test_everything_is_reached_with_the_keyboard_and_the_focus_is_never_lost(client: Client) -> None:
    seen = []
    for _ in range(60):
        client.page.keyboard.press("Tab")
        name = client.page.evaluate("""() => {
          const { activeElement: focused } = document;
          if (focused === document.body) return "";
          const { width, height } = focused.getBoundingClientRect();
          if (!width || !height) return "hidden";
          return focused.getAttribute("aria-label") || focused.textContent || focused.id || "?";
        }""")
        if not name:
            break  # the focus has left the page at its end
        seen.append(name)
    assert "hidden" not in seen
    for wanted in ("Settings", "Keys", "Pause", "Filter: text or /expression/", "Width of the panel", "Message"):
        assert wanted in seen


def test_a_tour_with_the_keyboard(client: Client) -> None:
    keyboard = client.page.keyboard
    client.url.focus()
    keyboard.press("Enter")
    expect(client.disconnect_button).to_be_visible()
    client.message.focus()
    keyboard.type("hello")
    keyboard.press("Enter")
    expect(client.row("hello")).to_have_count(2)
    client.filter.focus()
    keyboard.press("ArrowDown")
    expect(client.page.locator(".line:focus")).to_contain_text("hello")
    keyboard.press("Enter")
    expect(client.page.locator("#panel-message")).to_be_focused()
    keyboard.press("Escape")
    expect(client.page.locator(".line:focus")).to_contain_text("hello")
    client.tab("Message").focus()
    keyboard.press("ArrowRight")
    expect(client.tab("Measure")).to_be_focused()
    expect(client.page.locator("#panel-measure")).to_be_visible()
    client.page.get_by_role("separator").focus()
    before = client.page.get_by_role("separator").get_attribute("aria-valuenow")
    keyboard.press("ArrowLeft")
    expect(client.page.get_by_role("separator")).not_to_have_attribute("aria-valuenow", before or "")


@pytest.mark.parametrize("state", ["first view", "conversation", "load", "scenarios", "verdict", "server", "settings"])
def test_nothing_scrolls_sideways_at_320_px(open_page: OpenPage, state: str) -> None:
    client = open_page(viewport={"width": 320, "height": 256})
    STATES[state](client)
    assert client.page.evaluate("document.scrollingElement.scrollWidth") <= 320
    wide = client.page.evaluate("""() => [...document.querySelectorAll("[role=tabpanel], dialog, .log-rows")]
      .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
      .map((box) => box.id || box.className)""")
    assert wide == []


def test_small_screens_leave_room_for_the_log(open_page: OpenPage) -> None:
    client = open_page(viewport={"width": 390, "height": 844})
    conversation(client)
    client.tab("Log").click()
    box = client.page.locator(".log-rows").bounding_box()
    assert box is not None
    assert box["height"] > 0.6 * 844
    assert client.rows.first.evaluate("(row) => row.clientHeight") == 48


def test_targets_are_large_enough_for_fingers(open_page: OpenPage) -> None:
    client = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    small = client.page.evaluate("""() => [...document.querySelectorAll("button, input:not([type=checkbox]), select")]
      .filter((control) => control.checkVisibility())
      .map((control) => [control.getBoundingClientRect(), control])
      .filter(([{ height }]) => height < 44).map(([, control]) => control.outerHTML.slice(0, 100))""")
    assert small == []
    assert client.page.evaluate("parseFloat(getComputedStyle(document.querySelector('textarea')).fontSize)") >= 16


def test_right_to_left(client: Client) -> None:
    client.page.evaluate("document.documentElement.dir = 'rtl'")
    client.fill_log(10)
    client.rows.first.click()
    log, panels = client.page.locator("#log").bounding_box(), client.page.locator("#panels").bounding_box()
    assert log
    assert panels
    assert panels["x"] < log["x"]
    first = client.rows.first
    time, trip = first.locator(".time").bounding_box(), first.locator(".trip").bounding_box()
    assert time
    assert trip
    assert trip["x"] < time["x"]
    assert client.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_reduced_motion_stops_all_motion(open_page: OpenPage) -> None:
    client = open_page(reduced_motion="reduce")
    moving = client.page.evaluate("""() => [...document.querySelectorAll("*")].filter((element) => {
      const { transitionDuration, animationName } = getComputedStyle(element);
      return animationName !== "none" || transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
    }).length""")
    assert moving == 0


def test_announcements_are_few(client: Client) -> None:
    client.connect()
    # An observer would be called later, after whatever else the page does meanwhile.
    client.page.evaluate("""() => {
      window.spoken = [];
      const { get, set } = Object.getOwnPropertyDescriptor(Node.prototype, "textContent");
      Object.defineProperty(document.getElementById("announcer"), "textContent", { get, set(text) {
        spoken.push([performance.now(), text]);
        set.call(this, text);
      } });
    }""")
    for number in range(30):
        client.send(f"message {number}")
    expect(client.row("message 29")).to_have_count(2)
    expect(client.page.locator("#announcer")).to_have_text(re.compile("received, last: message 29$"))
    spoken = client.page.evaluate("spoken")
    times = [time for time, _ in spoken]
    assert all(later - earlier > 1900 for earlier, later in pairwise(times))
    received = [int(re.match(r"\d+", text).group()) for _, text in spoken if "received" in text]  # type: ignore[union-attr]
    assert sum(received) == 30


def test_messages_are_not_announced_where_the_setting_is_off(client: Client) -> None:
    tool("Settings")(client)
    client.page.get_by_label("Tell screen readers about messages").uncheck()
    client.page.keyboard.press("Escape")
    client.connect()
    client.send("quiet")
    expect(client.row("quiet")).to_have_count(2)
    expect(client.page.locator("#announcer")).not_to_contain_text("received")
