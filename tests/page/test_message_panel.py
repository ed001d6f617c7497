"""The Message panel: all of a message, in every form, whatever it contains.

Modules: `message-panel`, `message-content`, `json-view`, `text-view`, `hex-view`, `rows`, `failure-view`, `first-view`.
"""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from websockets.sync.server import ServerConnection

from tests.page.client import FAILED_CONNECTION, Client
from tests.page.conftest import OpenPage
from tests.page.peers import closed_port, peer

MARKUP = [
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload='window.ran = 1'><a href='javascript:window.ran = 1'>x</a></svg>",
    "${window.ran = 1}{{constructor.constructor('window.ran = 1')()}}<template><b>x</b></template>",
    '{"__proto__":{"ran":1},"constructor":{"prototype":{"ran":1}}}',
]
CONTROLS = "".join(map(chr, [*range(32), *range(127, 160), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x202F)]))
HIDDEN = CONTROLS + "".join(map(chr, [*range(0x2060, 0x206A), 0xFEFF, 0xAD, 0xE0041, 0xE0100]))


class Message:
    """The Message panel."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.page = client.page
        self.panel = client.page.locator(".message-panel")
        self.rows = self.panel.locator(".rows .row")

    def send(self, text: str) -> Locator:
        """Send a message; return its rows once it is back. Its echo draws the panel of its row anew."""
        self.client.send(text)
        rows = self.client.row(text)
        expect(rows).to_have_count(2)
        return rows

    def show(self, payload: str | list[int], **row: Any) -> None:
        """Append a received message to the log, and select it."""
        kind = "text" if isinstance(payload, str) else "binary"
        self.client.context(
            """({ connections: { active }, log }, { payload, ...row }) => {
              const data = typeof payload === "string" ? payload : Uint8Array.from(payload);
              const id = active.log.append({ time: 1700000000000, direction: "received", roundTrip: 1.5, echo: null,
                size: data.length, payload: data, event: null, ...row });
              active.emit("rows");
              log.select(id);
            }""",
            {"payload": payload, "kind": kind} | row,
        )
        expect(self.panel.locator(".message-facts")).to_be_visible()

    def mode(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True)

    def copied(self, form: str) -> str:
        """Copy the message in one of the forms, such as "hex"; return what the clipboard has."""
        self.mode("Copy").click()
        return self.client.copied(self.panel.get_by_role("button", name=f"As {form}", exact=True).click)


@pytest.fixture
def message(open_page: OpenPage) -> Message:
    return Message(open_page(permissions=["clipboard-read", "clipboard-write"]))


def test_an_empty_panel_says_what_to_try(message: Message) -> None:
    message.panel.get_by_role("button", name="Connect and send “hello”").click()
    expect(message.client.row("hello")).to_have_count(2)


def test_facts_stand_above_the_message(message: Message) -> None:
    message.show("hello", echo={"state": "same", "at": -1, "of": 0})
    facts = message.panel.locator(".message-facts")
    expect(facts).to_contain_text(re.compile(r"↓ received \d\d:\d\d:\d\d\.\d{3} · text · 5 B"))
    expect(facts).to_contain_text("round trip 1.50 ms · same as sent")


def test_json_keeps_its_own_tokens(message: Message) -> None:
    text = '{"b":9007199254740993,"a":1.0,"a":-0,"c":"\\u00e9","__proto__":[],"ids":[1,2]}'
    message.show(text, kind="json")
    expected = ["{", '"b": 9007199254740993,', '"a": 1.0,', '"a": -0,', '"c": "\\u00e9",', '"__proto__": [],']
    expect(message.rows).to_have_text([re.compile(f"{re.escape(line)}$") for line in [*expected, '"ids": [1, 2]', "}"]])
    assert message.copied("text") == text


def test_json_folds_by_bracket_and_by_level_and_keeps_the_focus(message: Message) -> None:
    message.show('{"a":{"b":{"c":[{"d":1}]}},"e":2}', kind="json")
    count = message.rows.count()
    fold = message.panel.get_by_role("button", name="Fold", exact=True)
    message.rows.nth(1).get_by_role("button", name="Fold").press("Enter")
    expect(message.rows).to_have_count(4)
    expect(message.rows.nth(1)).to_contain_text('"a": {…}, 1 key')
    focused = message.page.locator(":focus")
    expect(focused).to_have_attribute("aria-label", "Unfold")
    focused.press("Enter")
    expect(message.rows).to_have_count(count)
    fold.first.click()
    message.panel.get_by_role("button", name="To level 1").click()
    expect(message.rows).to_have_count(4)


def test_a_string_that_holds_json_opens_in_place(message: Message) -> None:
    message.show(json.dumps({"body": json.dumps({"id": 1, "deep": json.dumps([[1]])})}), kind="json")
    expect(message.rows).to_have_count(3)
    message.panel.get_by_role("button", name="Open JSON").click()
    expect(message.rows.filter(has_text='"id": 1')).to_have_count(1)
    message.panel.get_by_role("button", name="Open JSON").click()
    expect(message.rows).to_have_count(10)
    message.panel.get_by_role("button", name="Close JSON").first.click()
    expect(message.rows).to_have_count(3)


def test_hex_shows_offsets_bytes_and_characters_and_reads_a_range(message: Message) -> None:
    message.show([0, 0x41, 0x80, 0x3F, 0xFF])
    expect(message.rows).to_have_text("000000" + "41803fff" + "·A·?·")
    message.rows.get_by_text("00", exact=True).last.click()
    readings = message.panel.locator(".readings")
    expect(readings).to_contain_text("unsigned0")
    for _ in range(3):
        message.page.keyboard.press("Shift+ArrowRight")
    expect(readings).to_contain_text("bytes 0 to 3")
    expect(readings).to_contain_text("unsigned, big-endian4292671")
    expect(readings).to_contain_text("float, little-endian1.00")
    message.page.keyboard.press("ArrowRight")
    expect(readings).to_contain_text("byte 4")
    expect(readings).to_contain_text("signed-1")


def test_bytes_that_are_utf8_have_a_text_view(message: Message) -> None:
    message.show(list("é 日".encode()))
    expect(message.panel).to_contain_text("also valid UTF-8")
    message.mode("Raw").click()
    expect(message.rows).to_have_text("é 日")
    message.show([0xFF])
    expect(message.mode("Raw")).to_have_count(0)


def test_a_message_is_copied_in_every_form(message: Message) -> None:
    message.show('{"é":"\u202e\\n"}', kind="json")
    assert {form: message.copied(form) for form in ("text", "hex", "base64", "JavaScript", "Python", "shown")} == {
        "text": '{"é":"\u202e\\n"}',
        "hex": '{"é":"\u202e\\n"}'.encode().hex(" "),
        "base64": "eyLDqSI6IuKArlxuIn0=",
        "JavaScript": '"{\\"é\\":\\"\\u{202e}\\\\n\\"}"',
        "Python": '"{\\"é\\":\\"\\u202e\\\\n\\"}"',
        "shown": '{\n  "é": "\u202e\\n"\n}',
    }


def test_an_echo_that_differs_is_shown_byte_by_byte(message: Message) -> None:
    def lie(connection: ServerConnection) -> None:
        for received in connection:
            changed = bytearray(received.encode() if isinstance(received, str) else received)
            changed[17] ^= 1
            connection.send(bytes(changed) if isinstance(received, bytes) else changed.decode())

    with peer(lie) as url:
        message.client.connect(url)
        message.client.send("a message of more than 17 bytes")
        message.client.row("differs from byte 17").last.click()
        expect(message.panel).to_contain_text("differs from byte 17")
        message.mode("Difference").click()
        expect(message.panel.locator(".changed")).to_have_count(4)  # digits and character, sent and received
        expect(message.panel.locator(".bytes .changed")).to_have_text(["20", "21"])
        message.client.disconnect_button.click()
        expect(message.client.connect_button).to_be_visible()


def test_a_message_is_sent_again_and_edited(message: Message) -> None:
    message.client.connect()
    message.send('{"a":1}').first.click()
    message.mode("Send again").click()
    expect(message.client.row('{"a":1}')).to_have_count(4)
    message.mode("Edit and send").click()
    expect(message.client.message).to_be_focused()
    expect(message.client.message).to_have_value('{"a":1}')
    expect(message.client.composer.get_by_role("button", name="JSON", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_pinned_panel_stays_on_the_newest_message_that_passes(message: Message) -> None:
    message.client.connect()
    message.send("one").first.click()
    message.mode("Pin newest").click()
    message.client.filter.fill("t")
    message.client.send("two")
    expect(message.rows).to_have_text("two")
    message.client.send("no")
    expect(message.client.row("two")).to_have_count(2)
    expect(message.rows).to_have_text("two")
    message.client.row("two").first.click()
    expect(message.mode("Pin newest")).to_have_attribute("aria-pressed", "false")


def test_a_message_is_downloaded_byte_by_byte(message: Message) -> None:
    data = list(range(256))
    message.show(data)
    with message.page.expect_download() as download:
        message.mode("Download").click()
    assert download.value.suggested_filename.endswith(".bin")
    assert download.value.path().read_bytes() == bytes(data)


def test_a_failure_shows_what_could_be_found_out(message: Message) -> None:
    message.client.allowed.append(FAILED_CONNECTION)
    with closed_port() as url:
        message.client.url.fill(url)
        message.client.connect_button.click()
        expect(message.panel).to_contain_text("Could not connect")
        expect(message.panel.locator(".code")).to_contain_text("curl")


def test_a_long_message_is_shown_in_part_and_whole_on_request(message: Message) -> None:
    message.client.connect()
    message.client.context(
        """({ connections: { active } }) => {
          const items = Array.from({ length: 300000 }, () => 12345);
          active.send({ kind: "text", data: JSON.stringify({ items }) });
        }"""
    )
    message.client.row('{"items"').nth(1).click()
    message.panel.get_by_role("button", name="First 1 MiB. Show all").click()
    expect(message.mode("Formatted")).to_have_attribute("aria-pressed", "true")
    expect(message.rows.first).to_contain_text("{")
    assert message.rows.count() < 200


def test_markup_is_text(message: Message) -> None:
    message.client.connect()
    for text in MARKUP:
        message.send(text).last.click()
        message.mode("Raw").click()
        expect(message.rows.first).to_contain_text(text[:8])
        assert message.copied("text") == text
        message.mode("Hex").click()
        expect(message.rows.first).to_contain_text(text[:8].encode()[:4].hex())
    assert message.page.evaluate("window.ran ?? {}.ran ?? null") is None


@pytest.mark.parametrize(
    "text",
    [
        HIDDEN,
        "a" + "\u0301" * 1000 + "b",
        "x" * 5_000_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
        json.dumps("\u202e" * 40_000),
        "\U0001f600\u0300" * 20_000,
        "\n" * 100_000,
    ],
    ids=["controls", "marks", "one line", "brackets", "objects", "bidi", "emoji", "line breaks"],
)
def test_no_text_grows_a_row_or_leaves_it_and_copy_returns_it(message: Message, text: str) -> None:
    message.show(text, kind="json" if text[0] in "[{" else "text")
    for mode in ("Formatted", "Raw", "Hex"):
        if not message.mode(mode).count():
            continue
        message.mode(mode).click()
        expect(message.rows.first).to_be_attached()
        sizes = message.rows.evaluate_all("(rows) => rows.map((row) => row.getBoundingClientRect().height)")
        assert len(set(sizes)) == 1, sizes
        assert sizes[0] <= 24
        assert message.page.evaluate("document.querySelectorAll('*').length") < 6000
        outside = message.panel.locator(".rows").evaluate(
            """(rows) => {
              const { right, left } = rows.getBoundingClientRect();
              const hits = [right + 4, left - 4].flatMap((x) => document.elementsFromPoint(x, 400));
              return hits.some((hit) => rows.contains(hit));
            }"""
        )
        assert not outside
    log_rows = message.client.rows.evaluate_all("(rows) => rows.map((row) => row.getBoundingClientRect().height)")
    assert len(set(log_rows)) == 1
    assert message.copied("text") == text


def test_hidden_characters_are_chips_and_fonts_show_them_on_request(message: Message) -> None:
    message.show("invoice-\u202egpj.exe")
    expect(message.rows).to_have_text("invoice-U+202Egpj.exe")
    message.panel.get_by_label("As fonts show it").check()
    expect(message.panel.locator(".font-text")).to_have_text("invoice-\u202egpj.exe")


def test_copying_without_a_clipboard_offers_the_text(message: Message) -> None:
    message.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    message.show("hello")
    message.mode("Copy").click()
    message.panel.get_by_role("button", name="As text").click()
    field = message.page.get_by_label("Text to copy")
    expect(field).to_have_value("hello")
    expect(field).to_be_focused()
    assert message.page.evaluate("getSelection().toString()") == "hello"
