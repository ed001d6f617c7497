"""The connection bar: address, the one button, options, the state in words.

Modules: `connection-bar`, `close-dialog`, `address`.
"""

import json
import re

from playwright.sync_api import Locator, expect

from tests.conftest import Serve
from tests.page.client import FAILED_CONNECTION, Client
from tests.page.conftest import OpenPage
from tests.page.peers import silent_listener
from tests.shared.server import RunningServer

TOKEN = "a-token-of-this-test"


def test_starts_with_the_url_of_this_server(client: Client, server: RunningServer) -> None:
    expect(client.url).to_have_value(f"{server.ws_url}/ws")
    expect(client.state).to_have_text("Not connected")
    expect(client.connect_button).to_be_visible()
    expect(client.page.get_by_role("button", name="Close with code…")).to_be_hidden()


def test_one_button_connects_and_disconnects(client: Client) -> None:
    client.url.press("Enter")
    expect(client.state).to_have_text(re.compile(r"^Connected 0:0\d$"))
    expect(client.connect_button).to_have_count(0)
    described = re.compile(r"^compressed \(deflate\) · opened in [\d.,]+ m?s · seen as 127.0.0.1$")
    expect(client.page.locator(".bar-described")).to_have_text(described)
    client.disconnect_button.click()
    expect(client.state).to_have_text("Closed 1000")
    expect(client.connect_button).to_be_focused()
    expect(client.row("Closed by this page: 1000, normal closure")).to_be_visible()


def test_counts_what_is_sent_and_received(client: Client) -> None:
    client.connect()
    for _ in range(3):
        client.send("hello")
    expect(client.page.get_by_role("img", name="3 sent, 3 received")).to_have_text("↑ 3↓ 3")


BAD_URLS = [
    ("localhost:8080", "The URL has no scheme", "ws://localhost:8080"),
    ("/path?a=b", "The URL has no scheme", "ws://127.0.0.1:{port}/path?a=b"),
    ("http://localhost/a", "starts with ws: or wss:, not http:", "ws://localhost/a"),
    ("ws://localhost/a#b", "no fragment", "ws://localhost/a"),
    ("ws://localhost:22/", "Browsers block port 22", ""),
    ("ws://", "Not a WebSocket URL", ""),
    ("", "Enter a URL", "ws://127.0.0.1:{port}/ws"),
]


def test_a_bad_url_is_reported_at_the_field(client: Client, server: RunningServer) -> None:
    said = client.page.locator("#url-problem")
    for typed, problem, offer in BAD_URLS:
        client.url.fill(typed)
        client.connect_button.click()
        expect(said).to_contain_text(problem)
        expect(client.url).to_have_attribute("aria-invalid", "true")
        expect(client.url).to_be_focused()
        expect(client.state).to_have_text("Not connected")
        expect(client.url).to_have_value(typed)
        if offer:
            offered = offer.format(port=server.port)
            said.get_by_role("button", name=f"Use {offered}").click()
            expect(client.url).to_have_value(offered)
            expect(said).to_be_hidden()
        else:
            expect(said.get_by_role("button")).to_have_count(0)


def test_enter_connects_to_another_address_while_connected(client: Client, server: RunningServer) -> None:
    client.connect()
    client.url.fill(f"{server.ws_url}/ws/close/4001?reason=bye")
    client.url.press("Enter")
    expect(client.state).to_have_text("Closed 4001")
    expect(client.row("Closed by this page")).to_have_count(1)


def test_subprotocols_are_sent_in_order(client: Client) -> None:
    client.page.get_by_role("button", name="Options").click()
    field = client.page.get_by_label("Subprotocols (in order, separated by commas)")
    field.fill("two words")
    client.connect_button.click()
    expect(client.page.locator("#protocols-problem")).to_contain_text('"two words" is no subprotocol')
    expect(field).to_be_focused()
    field.fill("chat.v2, chat.v1")
    client.connect_button.click()
    expect(client.page.locator(".bar-described")).to_contain_text("chat.v2")


def test_a_token_is_sent_and_kept_nowhere(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--auth-token", TOKEN)
    client = open_page(server.http_url + "/")
    client.allowed.append(r"\b401 \(")  # /info, without the token
    client.page.get_by_role("button", name="Options").click()
    client.page.get_by_label("Token (sent as a subprotocol, kept nowhere)").fill(TOKEN)
    client.connect()
    client.send("hello")
    expect(client.row("hello")).to_have_count(2)
    stored = client.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.title, location.href])"
    )
    log = client.context("""({ connections: { active: { log } } }) =>
      JSON.stringify(Array.from({ length: log.length }, (_, id) => log.get(id)))""")
    for kept in [stored, log, client.page.locator("body").inner_text()]:
        assert TOKEN not in kept
    client.page.reload()
    client.page.get_by_role("button", name="Options").click()
    expect(client.page.get_by_label("Token (sent as a subprotocol, kept nowhere)")).to_have_value("")


def test_addresses_are_kept_without_secrets(client: Client, server: RunningServer) -> None:
    client.connect(f"{server.ws_url}/ws?n=1&token=secret")
    kept = client.page.evaluate("localStorage['wsecho.addresses']")
    assert json.loads(kept) == [f"{server.ws_url}/ws?n=1&token="]
    assert "secret" not in client.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    client.page.reload()
    expect(client.url).to_have_value(f"{server.ws_url}/ws?n=1&token=")
    assert client.page.locator("#addresses option").count() == 1


def close_with(client: Client, code: str, reason: str) -> Locator:
    """Connect and ask for a close with that code and reason; return the dialog."""
    client.connect()
    client.page.get_by_role("button", name="Close with code…").click()
    dialog = client.page.get_by_role("dialog", name="Close with code")
    fill_close(dialog, code, reason)
    return dialog


def fill_close(dialog: Locator, code: str, reason: str) -> None:
    dialog.get_by_label("Code").fill(code)
    dialog.get_by_label("Reason").fill(reason)
    expect(dialog).to_contain_text(f"{len(reason.encode())} of 123 bytes")
    dialog.get_by_role("button", name="Disconnect").click()


def test_closes_with_code_and_reason(client: Client) -> None:
    for code, reason in [("1000", ""), ("3000", "library"), ("4999", "é" * 61)]:
        close_with(client, code, reason)
        expect(client.state).to_have_text(f"Closed {code}")
        expect(client.row(f"Closed by this page: {code}")).to_be_visible()


def test_refuses_what_a_page_may_not_send(client: Client) -> None:
    dialog = close_with(client, "1001", "")
    expect(dialog.get_by_role("alert")).to_contain_text("only the codes 1000 and 3000 to 4999")
    fill_close(dialog, "4000", "é" * 62)
    expect(dialog.get_by_role("alert")).to_contain_text("room for 123 bytes")
    for code in ("999", "5000", "x"):
        fill_close(dialog, code, "")
        expect(dialog.get_by_role("alert")).to_contain_text("only the codes")
        fill_close(dialog, "4000", "é" * 62)
        expect(dialog.get_by_role("alert")).to_contain_text("room for 123 bytes")
    expect(client.state).to_have_text(re.compile("^Connected"))


def test_cancel_gives_up_a_handshake_that_hangs(client: Client) -> None:
    client.allowed.append(FAILED_CONNECTION)
    with silent_listener() as url:
        client.url.fill(url)
        client.connect_button.click()
        expect(client.state).to_have_text(re.compile(r"^Connecting \d\.\d s$"))
        client.page.get_by_role("button", name="Cancel").click()
        expect(client.state).to_have_text("Not connected")
        expect(client.row("Cancelled.")).to_be_visible()


def test_narrow_page_folds_to_one_line_when_connected(open_page: OpenPage) -> None:
    client = open_page(viewport={"width": 390, "height": 760})
    client.connect()
    expect(client.url).to_be_hidden()
    bar = client.page.locator("#bar")
    box = bar.bounding_box()
    assert box is not None
    assert box["height"] <= 72
    client.page.get_by_role("button", name="/ws: URL and options").click()
    expect(client.url).to_be_visible()
    client.disconnect_button.click()
    expect(client.url).to_be_visible()
