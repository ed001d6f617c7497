"""The page for everyone: axe-core in every state, keyboard only, narrow, right to left, without colours or motion."""

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.page.client import Client
from tests.page.conftest import OpenPage
from tests.page.states import STATES
from tests.shared.server import ROOT

AXE = ROOT / "tests" / "clients" / "node_modules" / "axe-core" / "axe.min.js"
# One page shows the first, in one look after the other. The narrow page is another: its states are reached by menus.
LOOKS: dict[str, list[dict[str, Any]]] = {
    "wide": [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"color_scheme": "light", "forced_colors": "active"}],
    "narrow": [{"color_scheme": "light"}],
}
VIEWPORTS = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 390, "height": 844}}


@pytest.mark.parametrize("width", LOOKS)
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(open_page: OpenPage, state: str, width: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is missing: npm install in tests/clients")
    # Colours change at once from one look to the next.
    client = open_page(viewport=VIEWPORTS[width], reduced_motion="reduce")
    STATES[state](client)
    client.page.evaluate(AXE.read_text())
    for look in LOOKS[width]:
        client.page.emulate_media(**look)
        found = client.page.evaluate("axe.run({ resultTypes: ['violations'] })")
        problems = [
            f"{look}: {violation['id']}: {node['html'][:200]} {node['failureSummary']}"
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


@pytest.mark.parametrize(
    "state", ["first-view", "conversation", "measured", "scenarios", "verdict", "server", "settings"]
)
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
    STATES["json"](client)
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
    STATES["settings"](client)
    client.page.get_by_label("Tell screen readers about messages").uncheck()
    client.page.keyboard.press("Escape")
    client.connect()
    client.send("quiet")
    expect(client.row("quiet")).to_have_count(2)
    expect(client.page.locator("#announcer")).not_to_contain_text("received")
