"""The log: what it shows, how it moves, what is found in it.

Modules: `log-view`, `row-list`, `log-search`, `log-row`, `log-tools`, `clipboard`.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.page.client import Client

MANY = 100_000


@pytest.fixture
def filled(client: Client) -> Client:
    """The page with 100,000 rows in its log."""
    client.fill_log(MANY)
    expect(client.row("message number 99999")).to_be_visible()
    return client


def test_shows_what_was_sent_and_what_came_back(client: Client) -> None:
    client.connect()
    client.send("hello")
    sent, received = client.row("hello").nth(0), client.row("hello").nth(1)
    expect(sent).to_have_class(re.compile(r"\bsent\b"))
    expect(received).to_have_class(re.compile(r"\breceived\b"))
    expect(received.locator(".size")).to_have_text("5 B")
    expect(received.locator(".trip")).to_have_text(re.compile(r"^[\d,.]+$"))
    expect(sent.locator(".trip")).to_have_text("")
    expect(sent.locator(".time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))


def test_keeps_few_elements_for_many_rows(filled: Client) -> None:
    assert filled.page.locator(".line").count() < 100
    assert filled.page.evaluate("document.querySelectorAll('*').length") < 2000
    expect(filled.log).to_have_attribute("aria-rowcount", str(MANY + 1))


def test_moves_with_keys_and_never_loses_the_focus(filled: Client) -> None:
    focused = filled.page.locator(".line:focus")
    filled.filter.focus()
    filled.page.keyboard.press("ArrowDown")
    expect(focused).to_contain_text("message number 99999")
    for key, number in [("ArrowUp", 99998), ("Home", 0), ("ArrowDown", 1), ("End", 99999)]:
        filled.page.keyboard.press(key)
        expect(focused).to_contain_text(f"message number {number}")
        expect(focused).to_be_in_viewport()
    filled.page.keyboard.press("PageUp")
    expect(focused).to_be_in_viewport()
    filled.page.locator(".log-rows").evaluate("(rows) => rows.scrollTo(0, 0)")
    expect(filled.row("message number 3")).to_have_count(1)
    expect(focused).to_have_count(1)  # its element is kept, out of view


def test_focus_stays_in_the_log_when_the_focused_row_is_dropped(filled: Client) -> None:
    filled.page.locator(".log-rows").focus()
    filled.page.keyboard.press("Home")
    filled.fill_log(1)
    expect(filled.row("message number 10000")).to_be_visible()
    assert filled.page.evaluate("document.activeElement.closest('#log') !== null")


def test_following_ends_with_a_scroll_upwards_and_resumes_with_its_button(client: Client) -> None:
    client.fill_log(1000)
    expect(client.row("message number 999")).to_be_visible()
    rows = client.page.locator(".log-rows")
    rows.hover()
    scrolled = "new Promise((done) => addEventListener('scrollend', () => done(null), { capture: true, once: true }))"
    wheel = client.page.evaluate_handle(f"({{ scrolled: {scrolled} }})")
    client.page.mouse.wheel(0, -300)
    wheel.evaluate("({ scrolled }) => scrolled")
    expect(client.row("message number 999")).to_have_count(0)
    before = rows.evaluate("(rows) => rows.scrollTop")
    client.context("""({ connections: { active } }) => {
      for (const text of ["a", "b"]) active.log.append({ time: 0, direction: "received", size: 1, payload: text });
      active.emit("rows");
    }""")
    newer = client.page.get_by_role("button", name="↓ 2 new")
    newer.click()
    expect(newer).to_be_hidden()
    assert rows.evaluate("(rows) => rows.scrollTop") > before
    client.fill_log(2)
    expect(client.rows.last).to_be_visible()
    expect(newer).to_be_hidden()


def test_rows_in_view_stay_where_they_are_when_older_ones_are_dropped(filled: Client) -> None:
    rows = filled.page.locator(".log-rows")
    rows.evaluate("(rows) => rows.scrollTo(0, 28 * 50000)")
    row = filled.row("message number 50005")
    expect(row).to_be_visible()
    before = row.bounding_box()
    filled.fill_log(1)
    expect(filled.log).to_have_attribute("aria-rowcount", str(MANY - MANY // 10 + 2))
    expect(filled.page.get_by_text("10,000 older messages were dropped to save memory.")).to_be_visible()
    assert row.bounding_box() == before


def test_pause_stops_the_list_and_not_the_counting(client: Client) -> None:
    client.fill_log(3)
    client.page.get_by_role("button", name="Pause").click()
    client.fill_log(231)
    newer = client.page.get_by_role("button", name="231 new while paused")
    expect(newer).to_be_visible()
    expect(client.rows).to_have_count(3)
    newer.click()
    expect(client.row("message number 230")).to_be_visible()
    expect(client.page.get_by_role("button", name="Pause")).to_be_visible()


def test_clear_can_be_undone_until_a_message_arrives(client: Client) -> None:
    client.fill_log(5)
    client.page.get_by_role("button", name="Clear").click()
    expect(client.rows).to_have_count(0)
    expect(client.page.get_by_text("Nothing here yet.")).to_be_visible()
    client.page.get_by_role("button", name="Undo clear").click()
    expect(client.rows).to_have_count(5)
    client.page.get_by_role("button", name="Clear").click()
    client.fill_log(1)
    expect(client.page.get_by_role("button", name="Clear", exact=True)).to_be_visible()
    expect(client.rows).to_have_count(1)


def test_filter_finds_text_and_expressions_and_counts_what_it_hides(filled: Client) -> None:
    for typed, count in [("NUMBER 4242", 11), ("/number 4242\\d/", 10)]:
        filled.filter.fill(typed)
        expect(filled.page.get_by_text(f"{count} of 100,000 shown")).to_be_visible()
        expect(filled.rows).to_have_count(count)
    filled.filter.fill("abc")
    expect(filled.page.get_by_text('No message contains "abc". 100,000 are hidden.')).to_be_visible()
    filled.page.get_by_role("button", name="Show all").click()
    expect(filled.filter).to_have_value("")
    expect(filled.log).to_have_attribute("aria-rowcount", str(MANY + 1))


def test_filter_marks_what_it_found(client: Client) -> None:
    client.fill_log(3)
    client.filter.fill("MESSAGE")
    expect(client.page.locator(".line mark")).to_have_text(["message"] * 3)


def test_filter_limits_directions_and_kinds(client: Client) -> None:
    client.fill_log(10)
    client.page.get_by_role("button", name="Show: All").click()
    client.page.get_by_role("button", name="Received", exact=True).click()
    expect(client.rows).to_have_count(5)
    client.page.get_by_role("button", name="Show: Received").click()
    client.page.get_by_role("button", name="Binary").click()
    expect(client.page.get_by_text("No message is of this kind. 10 are hidden.")).to_be_visible()


def test_a_faulty_expression_is_explained(client: Client) -> None:
    client.fill_log(3)
    client.filter.fill("/(/")
    expect(client.filter).to_have_attribute("aria-invalid", "true")
    expect(client.page.locator(".log-notes .error")).to_contain_text("group")


def test_an_expression_that_takes_too_long_is_ended(client: Client) -> None:
    client.context("""({ connections: { active } }) => {
      active.log.append({ time: 0, direction: "sent", size: 31, payload: "a".repeat(30) + "!" });
      active.emit("rows");
    }""")
    client.filter.fill("/^(a+)+$/")
    expect(client.page.get_by_text("The expression takes too long.")).to_be_visible()
    client.filter.fill("aaa")
    expect(client.rows).to_have_count(1)


def test_an_expression_that_was_replaced_in_time_is_not_reported(client: Client) -> None:
    client.fill_log(10)
    client.context("""({ connections: { active } }) => {
      active.log.append({ time: 0, direction: "sent", size: 31, payload: "a".repeat(30) + "!" });
      active.emit("rows");
    }""")
    # Replaced while the worker matches the first batch.
    client.page.evaluate("""async () => {
      const filter = document.querySelector("input[type=search]");
      const type = (text) => {
        filter.value = text;
        filter.dispatchEvent(new Event("input"));
      };
      const { postMessage } = Worker.prototype;
      const isAsked = new Promise((done) => {
        Worker.prototype.postMessage = function (message) {
          postMessage.call(this, message);
          if (message.texts) done();
        };
      });
      type("/^(a+)+$/");
      await isAsked;
      type("/number/");
      await new Promise((done) => setTimeout(done, 1100));
    }""")
    expect(client.rows).to_have_count(10)
    expect(client.filter).to_have_attribute("aria-invalid", "false")


def test_ctrl_f_is_the_filter_and_then_the_browsers_search(client: Client) -> None:
    client.page.keyboard.press("Control+f")
    expect(client.filter).to_be_focused()
    prevented = "new Promise((done) => addEventListener('keydown', (event) => done(event.defaultPrevented)))"
    pressed = client.page.evaluate_handle(f"({{ pressed: {prevented} }})")
    client.page.keyboard.press("Control+f")
    assert pressed.evaluate("({ pressed }) => pressed") is False


def test_two_marked_rows_show_the_time_between(client: Client) -> None:
    client.fill_log(10)
    client.row("message number 2").click()
    client.page.keyboard.press("m")
    expect(client.page.get_by_text("One row is marked.")).to_be_visible()
    client.page.keyboard.press("ArrowDown")
    client.page.keyboard.press("m")
    expect(client.page.get_by_text("1.00 ms between the marked rows")).to_be_visible()
    expect(client.row("◆")).to_have_count(2)


def test_echoes_can_be_folded_into_what_was_sent(client: Client) -> None:
    client.connect()
    for text in ("one", "two"):
        client.send(text)
        expect(client.row(text)).to_have_count(2)
    client.page.get_by_role("button", name="Show: All").click()
    client.page.get_by_role("button", name="Echoes folded").click()
    expect(client.row("one")).to_have_count(1)
    expect(client.row("one").locator(".trip")).to_have_text(re.compile(r"^[\d,.]+$"))


def test_enter_opens_the_message_and_escape_returns_to_its_row(client: Client) -> None:
    client.fill_log(10)
    client.row("message number 4").click()
    client.page.keyboard.press("Enter")
    expect(client.page.locator("#panel-message")).to_be_focused()
    client.page.keyboard.press("Escape")
    expect(client.page.locator(".line:focus")).to_contain_text("message number 4")


def test_rows_are_copied_as_they_were(client: Client) -> None:
    client.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = "a\u202eb\u0000c\n\u200bd" + "e" * 5000
    client.context(
        """({ connections: { active } }, payload) => {
      active.log.append({ time: 0, direction: "sent", size: 1, payload });
      active.log.append({ time: 0, direction: "sent", kind: "binary", size: 2, payload: new Uint8Array([0, 255]) });
      active.emit("rows");
    }""",
        text,
    )
    said = client.page.locator("#announcer")
    client.rows.nth(0).click()
    client.page.keyboard.press("c")
    expect(said).to_have_text("Copied")
    assert client.page.evaluate("navigator.clipboard.readText()") == text
    client.page.keyboard.press("ArrowDown")
    client.page.keyboard.press("c")
    expect(said).to_have_text("Copied as hex")
    assert client.page.evaluate("navigator.clipboard.readText()") == "00 ff"
