"""Pictures of the page in its states, for a person to look at. `make screenshots` writes them to build/screenshots, and
the one that README.md shows to docs/images.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.page.client import FAILED_CONNECTION, Client
from tests.page.conftest import OpenPage

LOOKS: dict[str, dict[str, Any]] = {
    "wide-light": {"color_scheme": "light"},
    "wide-dark": {"color_scheme": "dark"},
    "narrow-light": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
    "narrow-dark": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
}
SUBSCRIBE = '{"type":"subscribe","channel":"prices","ids":[9007199254740993,2],"note":"numbers stay as they were sent"}'


def first_view(client: Client) -> None:
    expect(client.page.locator(".facts dd").first).to_be_attached()


def conversation(client: Client) -> None:
    client.connect()
    for text in ("hello", SUBSCRIBE, "invoice-\u202egpj.exe", "Grüße aus Köln, καλημέρα, привет"):
        client.send(text)
        expect(client.row(text[:8])).to_have_count(2)
    client.context("""({ connections: { active } }) => {
      active.send({ kind: "binary", data: Uint8Array.from({ length: 256 }, (_, index) => index) });
    }""")
    expect(client.row("00 01 02")).to_have_count(2)


def json(client: Client) -> None:
    conversation(client)
    client.row("subscribe").nth(1).click()


def binary(client: Client) -> None:
    conversation(client)
    client.row("00 01 02").nth(1).click()


def failure(client: Client) -> None:
    client.allowed.append(FAILED_CONNECTION)
    client.url.fill("ws://127.0.0.1:9999/ws")
    client.url.press("Enter")
    client.page.locator(".line.error").first.click()
    expect(client.page.locator("#panel-message")).to_contain_text("curl")


def close(client: Client) -> None:
    client.url.fill(client.url.input_value() + "/close/4001")
    client.url.press("Enter")
    client.row("Closed by the server").click()


def load(client: Client) -> None:
    client.connect()
    client.context("""({ connections: { active }, panels }) => {
      panels.show("measure");
      active.measure({ mode: "interval", interval: 10, inFlight: 1, count: 300, seconds: 3,
        payload: { size: 64, filling: "counter", seed: 1 } });
    }""")
    expect(client.page.locator("#panel-measure canvas").first).to_be_visible()
    client.page.wait_for_timeout(1500)


def measured(client: Client) -> None:
    load(client)
    expect(client.page.locator("#panel-measure")).to_contain_text("came back")


def verdicts(client: Client) -> None:
    client.context("({ panels }) => panels.show('scenarios')")
    client.page.wait_for_timeout(500)


def server(client: Client) -> None:
    client.connect()
    client.context("({ panels }) => panels.show('server')")
    client.page.wait_for_timeout(2500)


def code(client: Client) -> None:
    client.context("({ panels }) => panels.show('code')")


def settings(client: Client) -> None:
    client.context("""() => document.querySelector("#tools > button:nth-last-child(2)").click()""")
    expect(client.page.get_by_role("dialog")).to_be_visible()


STATES: dict[str, Callable[[Client], None]] = {
    "1-first-view": first_view,
    "2-conversation": conversation,
    "3-json": json,
    "4-binary": binary,
    "5-failure": failure,
    "6-close": close,
    "7-load": load,
    "8-measured": measured,
    "9-scenarios": verdicts,
    "10-server": server,
    "11-code": code,
    "12-settings": settings,
}


# Without a person who looks at them, two looks show that every state can be reached and has nothing to complain about.
@pytest.mark.parametrize("look", LOOKS if "WSECHO_SCREENSHOTS" in os.environ else ["wide-light", "narrow-dark"])
@pytest.mark.parametrize("state", STATES)
def test_screenshot(open_page: OpenPage, tmp_path: Path, state: str, look: str) -> None:
    folder = Path(os.environ.get("WSECHO_SCREENSHOTS", tmp_path))
    client = open_page(**LOOKS[look])
    STATES[state](client)
    picture = folder / f"{state}-{look}.png"
    client.page.screenshot(path=picture)
    assert picture.stat().st_size > 5000
