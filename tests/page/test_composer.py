"""The composer: every kind of message as it arrives, and what is kept of what was written.

Modules: `composer`, `sent-history`, `saved-messages`, `storage`.
"""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest
from playwright.sync_api import expect

from tests.page.client import Client
from tests.page.conftest import OpenPage
from tests.page.peers import Message, recorder
from tests.shared.server import PATIENCE

SIZES = [0, 1, 125, 126, 65_535, 65_536, 2**20]


class Recorded:
    """The page, connected to a peer that records what arrives."""

    def __init__(self, client: Client, url: str, queue: "Queue[Message]") -> None:
        self.client = client
        self.url = url
        self.queue = queue

    def next(self) -> Message:
        return self.queue.get(timeout=PATIENCE)

    def choose(self, kind: str) -> None:
        self.client.composer.get_by_role("button", name=kind, exact=True).click()

    def send(self) -> Message:
        """Press Ctrl+Enter; return what arrives."""
        self.client.page.keyboard.press("Control+Enter")
        return self.next()


@pytest.fixture
def recorded(client: Client) -> Iterator[Recorded]:
    with recorder() as (url, queue):
        client.connect(url)
        yield Recorded(client, url, queue)
        client.page.close()
        client.problems.clear()


def counted(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def test_one_key_connects_and_shows_the_first_echo(client: Client) -> None:
    client.message.fill("hello")
    client.message.press("Enter")
    expect(client.row("hello")).to_have_count(2)


def test_text_arrives_as_it_was_written(recorded: Recorded) -> None:
    for size in SIZES:
        text = ("é😀\n\t\u202e " + "x" * 5000) * (size // 5000 + 1)
        text = text.encode()[:size].decode(errors="ignore")
        recorded.client.message.evaluate("(field, text) => { field.value = text; }", text)
        recorded.client.message.dispatch_event("input")
        arrived = recorded.send()
        assert arrived == text, "not what was written"


@pytest.mark.parametrize("kind", ["Hex", "Base64"])
def test_typed_bytes_arrive(recorded: Recorded, kind: str) -> None:
    recorded.choose(kind)
    for size in SIZES:
        data = counted(size)
        text = data.hex(" ") if kind == "Hex" else base64.b64encode(data).decode()
        recorded.client.message.fill(text)
        assert recorded.send() == data


def test_generated_bytes_arrive(recorded: Recorded) -> None:
    recorded.choose("Generate")
    for size in [*SIZES, 2**26]:
        recorded.client.composer.get_by_label("Bytes").fill(str(size))
        assert recorded.send() == counted(size)


def test_generated_payloads_have_the_filling_that_was_chosen(recorded: Recorded) -> None:
    recorded.choose("Generate")
    composer = recorded.client.composer
    composer.get_by_label("Bytes").fill("300")
    composer.get_by_label("Filling").select_option("zeros")
    assert recorded.send() == bytes(300)
    composer.get_by_label("Filling").select_option("JSON")
    message = recorded.send()
    assert isinstance(message, str)
    assert len(message) == 300
    composer.get_by_label("Filling").select_option("random")
    first = recorded.send()
    assert recorded.send() == first
    composer.get_by_label("Seed").fill("2")
    assert recorded.send() != first


def test_a_file_arrives_byte_by_byte(recorded: Recorded, tmp_path: Path) -> None:
    for size in [*SIZES, 2**26]:
        file = tmp_path / f"message-{size}.txt"
        file.write_bytes(counted(size))
        recorded.client.page.get_by_label("File", exact=True).set_input_files(file)
        expect(recorded.client.composer).to_contain_text(file.name)
        assert recorded.send() == counted(size)


def test_a_file_is_sent_as_text_if_it_is_utf8(recorded: Recorded, tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_bytes("\ufeffé\r\n".encode())
    picker = recorded.client.page.get_by_label("File", exact=True)
    picker.set_input_files(file)
    recorded.client.composer.get_by_label("Send as text, if it is UTF-8").check()
    assert recorded.send() == "\ufeffé\r\n"
    file.write_bytes(b"\xff")
    picker.set_input_files(file)
    recorded.client.composer.get_by_label("Send as text, if it is UTF-8").check()
    recorded.client.page.keyboard.press("Control+Enter")
    expect(recorded.client.composer).to_contain_text("The file is not valid UTF-8")
    assert recorded.queue.empty()


def test_a_long_text_that_is_pasted_is_kept_as_a_file(recorded: Recorded) -> None:
    recorded.client.message.evaluate(
        """(field) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", "line\\n".repeat(100000));
          field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }"""
    )
    expect(recorded.client.composer).to_contain_text("pasted text")
    arrived = recorded.send()
    assert arrived == "line\n" * 100_000, "not what was pasted"


def test_a_dropped_file_becomes_the_message(recorded: Recorded) -> None:
    recorded.client.page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([Uint8Array.of(0, 255)], "dropped.bin"));
          const target = document.querySelector(".log-rows");
          for (const name of ["dragover", "drop"]) {
            target.dispatchEvent(new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }));
          }
        }"""
    )
    expect(recorded.client.composer).to_contain_text("dropped.bin")
    assert recorded.send() == b"\x00\xff"


def test_bytes_are_counted_while_typing(client: Client) -> None:
    size = client.page.locator("#composer-size")
    for text, shown in [("", "0 B"), ("a", "1 B"), ("é", "2 B"), ("😀", "4 B"), ("é" * 5000, "9.77 KiB (10,000 B)")]:
        client.message.fill(text)
        expect(size).to_have_text(shown)


@pytest.mark.parametrize(
    ("kind", "text", "problem", "can_be_sent"),
    [
        ("JSON", '{"a":\n1,}', "Line 2, column 3: a key in double quotes is expected", True),
        ("Hex", "00 f", 'Line 1, column 5: a byte has two hex digits, and after "f" comes the end', False),
        ("Base64", "AA*A", 'Line 1, column 3: "*" is not a character of base64', False),
    ],
)
def test_errors_name_line_and_column(recorded: Recorded, kind: str, text: str, problem: str, can_be_sent: bool) -> None:
    recorded.choose(kind)
    recorded.client.message.fill(text)
    expect(recorded.client.page.locator("#composer-problem")).to_contain_text(problem)
    recorded.client.message.press("Control+Enter")
    if can_be_sent:
        assert recorded.next() == text
    else:
        recorded.choose("Text")
        recorded.client.message.fill("after")
        assert recorded.send() == "after"


def test_what_a_field_hides_is_named_below_it(client: Client) -> None:
    client.message.fill("invoice-\u202egpj.exe")
    expect(client.composer).to_contain_text("Hidden in this text: right-to-left override, U+202E.")


def test_a_narrow_page_has_the_kinds_in_a_menu(open_page: OpenPage) -> None:
    client = open_page(viewport={"width": 390, "height": 844})
    client.composer.get_by_role("button", name="Text", exact=True).click()
    client.composer.get_by_role("button", name="Hex", exact=True).click()
    client.message.fill("00 ff")
    expect(client.page.locator("#composer-size")).to_have_text("2 B")


def test_another_kind_says_the_same_message(client: Client) -> None:
    client.message.fill("é")
    for kind, text in [("Hex", "c3 a9"), ("Base64", "w6k="), ("Text", "é")]:
        client.composer.get_by_role("button", name=kind, exact=True).click()
        expect(client.message).to_have_value(text)


def test_enter_sends_text_and_shift_enter_adds_a_line(recorded: Recorded) -> None:
    message = recorded.client.message
    message.fill("one")
    message.press("Shift+Enter")
    message.press("t")
    message.press("Enter")
    assert recorded.next() == "one\nt"
    recorded.choose("JSON")
    message.fill("[1]")
    message.press("Enter")
    expect(message).to_have_value("[1]\n")
    message.press("Control+Enter")
    assert recorded.next() == "[1]\n"


def test_templates_are_filled_in_unless_told_otherwise(recorded: Recorded) -> None:
    recorded.client.message.fill("{{n}} {{time}}")
    assert re.fullmatch(r"1 \d{4}-\d\d-\d\dT[\d:.]+Z", str(recorded.send()))
    assert str(recorded.send()).startswith("2 ")
    recorded.client.composer.get_by_label("Fill in {{n}} and {{time}}").uncheck()
    assert recorded.send() == "{{n}} {{time}}"


def test_arrow_keys_walk_through_what_was_sent_also_after_a_reload(client: Client) -> None:
    for text in ["one", "two\nlines"]:
        client.send(text)
        expect(client.row(text.split("\n")[0])).to_have_count(2)
    client.message.fill("draft")
    client.page.reload()
    expect(client.message).to_have_value("draft")
    client.message.press("Control+Home")
    for key, text in [("ArrowUp", "two\nlines"), ("ArrowUp", "one"), ("ArrowUp", "one")]:
        client.message.press(key)
        expect(client.message).to_have_value(text)
    client.message.press("Control+End")
    for text in ["two\nlines", "draft"]:
        client.message.press("ArrowDown")
        expect(client.message).to_have_value(text)


def test_drafts_survive_a_reload_with_their_kind(client: Client) -> None:
    client.composer.get_by_role("button", name="Hex", exact=True).click()
    client.message.fill("00 ff")
    client.page.reload()
    expect(client.message).to_have_value("00 ff")
    expect(client.composer.get_by_role("button", name="Hex", exact=True)).to_have_attribute("aria-pressed", "true")


def test_each_connection_has_a_draft_of_its_own(client: Client) -> None:
    client.message.fill("first")
    client.page.get_by_role("button", name="New connection").click()
    expect(client.message).to_have_value("")
    client.message.fill("second")
    client.page.keyboard.press("Escape")
    client.context("({ connections }) => connections.select(connections.list[0].id)")
    expect(client.message).to_have_value("first")


def test_saved_messages_are_kept_ordered_renamed_and_deleted(client: Client) -> None:
    def menu_labels() -> list[str]:
        client.page.get_by_role("button", name="Saved").click()
        labels = client.composer.locator(".menu:popover-open button").all_text_contents()
        client.page.keyboard.press("Escape")
        return labels

    for name, text in [("ping", "1"), ("subscribe", '{"a":1}')]:
        client.message.fill(text)
        client.page.get_by_role("button", name="Saved").click()
        client.composer.get_by_role("button", name="Save message…").click()
        client.page.get_by_label("Name", exact=True).fill(name)
        client.page.get_by_role("button", name="Save message", exact=True).click()
    client.page.reload()
    assert menu_labels()[:2] == ["ping", "subscribe"]
    client.page.get_by_role("button", name="Saved").click()
    client.composer.get_by_role("button", name="Order, rename, delete…").click()
    client.page.get_by_role("button", name="Move up").nth(1).click()
    client.page.get_by_label("Name of message 2").fill("pong")
    client.page.get_by_label("Name of message 2").press("Tab")
    client.page.keyboard.press("Escape")
    assert menu_labels()[:2] == ["subscribe", "pong"]
    client.page.get_by_role("button", name="Saved").click()
    client.composer.get_by_role("button", name="pong").click()
    expect(client.message).to_have_value("1")
    client.page.get_by_role("button", name="Saved").click()
    client.composer.get_by_role("button", name="Order, rename, delete…").click()
    client.page.get_by_role("button", name="Delete").first.click()
    client.page.keyboard.press("Escape")
    assert menu_labels()[0] == "pong"


def test_storage_that_is_refused_breaks_nothing(client: Client) -> None:
    client.page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(globalThis, name, { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    client.page.reload()
    client.send("hello")
    expect(client.row("hello")).to_have_count(2)
    client.page.get_by_role("button", name="Saved").click()
    client.composer.get_by_role("button", name="Save message…").click()
    client.page.get_by_role("button", name="Save message", exact=True).click()
    expect(client.page.get_by_role("dialog")).to_contain_text("does not let this page keep anything")


def test_touch_keyboards_write_a_new_line_with_enter(client: Client) -> None:
    client.page.add_init_script(
        "const real = matchMedia; globalThis.matchMedia = (query) =>"
        " query === '(pointer: coarse)' ? { matches: true, addEventListener() {} } : real(query);"
    )
    client.page.reload()
    client.message.fill("one")
    client.message.press("Enter")
    expect(client.message).to_have_value("one\n")
