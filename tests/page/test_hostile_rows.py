"""Hostile messages in the log: nothing runs, no row grows, nothing leaves its row, and copies are the original."""

import pytest
from playwright.sync_api import expect

from tests.page.client import Client

MARKUP = [
    "<script>window.hostile = 1</script>",
    "<img src=x onerror='window.hostile = 1'>",
    "<svg onload='window.hostile = 1'>",
    "{{constructor.constructor('window.hostile = 1')()}} ${window.hostile = 1} <%= 1 %>",
    "</span></div><style>*{display:none}</style>",
    "javascript:window.hostile=1",
]
TEXTS = {
    "prototype keys": '{"__proto__":{"hostile":1},"constructor":{"prototype":{"hostile":1}}}',
    "one long line": "x" * 5_000_000,
    "nested brackets": "[" * 100_000 + "]" * 100_000,
    "C0 and C1 controls": "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)])),
    "bidi controls": "invoice-\u202egpj.exe \u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u061c\u200e\u200f",
    "no width": "a\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180eb",
    "line separators": "a\u2028b\u2029c\u0085d\r\ne",
    "tags": "a" + "".join(map(chr, range(0xE0020, 0xE0060))),
    "combining marks": "z" + "\u0300\u0301\u0489" * 333,
    "tall scripts": "\ufdfd\u0f36\u0fda " * 30,
    "right to left": "\u05e9\u05dc\u05d5\u05dd " * 100,
}
PLAIN = "plain"


def append(client: Client, *texts: str) -> None:
    client.context(
        """({ connections: { active } }, texts) => {
          for (const payload of texts) {
            active.log.append({ time: 0, direction: "received", size: payload.length, payload });
          }
          active.emit("rows");
        }""",
        list(texts),
    )


def expect_contained(client: Client) -> None:
    """Check that rows have the same height and clip what is in them, and that nothing makes the log scroll sideways."""
    overflow = client.page.evaluate("""() => {
      const rows = [...document.querySelectorAll(".line:not([hidden])")];
      const [height] = rows.map((row) => row.getBoundingClientRect().height);
      return rows.filter((row) => {
        const box = row.getBoundingClientRect();
        const isOutside = (cell) => {
          if (!cell.checkVisibility()) return false;
          const { top, bottom, left, right } = cell.getBoundingClientRect();
          return top < box.top - 1 || bottom > box.bottom + 1 || left < box.left - 1 || right > box.right + 1;
        };
        return box.height !== height || getComputedStyle(row).contain !== "strict" ||
          [...row.children, row.querySelector(".text")].some(isOutside);
      }).map((row) => row.textContent.slice(0, 80));
    }""")
    assert overflow == []
    assert client.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert client.page.locator(".log-rows").evaluate("(rows) => rows.scrollWidth <= rows.clientWidth")


@pytest.mark.parametrize("width", [1280, 390])
def test_markup_is_text(client: Client, width: int) -> None:
    client.page.set_viewport_size({"width": width, "height": 800})
    append(client, PLAIN, *MARKUP)
    for text in MARKUP:
        expect(client.row(text)).to_have_count(1)
    assert client.page.evaluate("[...document.querySelectorAll('.line script, .line img, .line svg')].length") == 0
    assert client.page.evaluate("window.hostile") is None
    expect_contained(client)


@pytest.mark.parametrize("width", [1280, 390])
def test_no_row_grows_and_nothing_leaves_its_row(client: Client, width: int) -> None:
    client.page.set_viewport_size({"width": width, "height": 800})
    append(client, PLAIN, *TEXTS.values())
    expect(client.rows).to_have_count(len(TEXTS) + 1)
    expect_contained(client)
    assert client.page.evaluate("({}).hostile") is None
    assert max(len(text) for text in client.page.locator(".line .text").all_text_contents()) < 2000


def test_hidden_characters_are_labelled(client: Client) -> None:
    append(client, TEXTS["bidi controls"])
    expect(client.page.locator(".chip").first).to_have_text("U+202E")
    expect(client.page.locator(".chip").first).to_have_attribute("title", "right-to-left override, U+202E")


def test_copies_are_the_original(client: Client) -> None:
    client.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    append(client, *TEXTS.values())
    for row, text in enumerate(TEXTS.values()):
        client.rows.nth(row).click()
        assert client.copied(lambda: client.page.keyboard.press("c")) in (text, text.replace("\r\n", "\n"))
    expect(client.page.locator("#announcer")).to_have_text("Copied")


def test_hostile_names_of_events_stay_in_their_row(client: Client) -> None:
    reason = "\u202e\u2066<b>" * 10
    client.context(
        """({ connections: { active } }, text) => {
          active.log.append({ time: 0, direction: "event", event: { tone: "error", text: `Closed 4001 "${text}"` } });
          active.emit("rows");
        }""",
        reason,
    )
    expect(client.row("Closed 4001")).to_have_count(1)
    expect_contained(client)
