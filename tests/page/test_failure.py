"""Connections that fail: what the page finds out.

Modules: `failure`.
"""

import signal
from typing import Any

import pytest
from playwright.sync_api import expect
from websockets.sync.client import connect

from tests.conftest import Serve
from tests.page.client import FAILED_CONNECTION, FAILED_REQUEST, Client
from tests.page.conftest import OpenPage
from tests.page.peers import closed_port
from tests.shared.collectors import eventually
from tests.shared.server import RunningServer

FAILED = "Could not connect. Browsers do not tell pages why; this is what can be found out."
TOKEN = "a-token-of-this-test"


def checks(client: Client, url: str | None = None) -> list[tuple[str, str]]:
    """Fail to connect, and return what was found out: tone and text of each check."""
    client.allowed += [FAILED_CONNECTION, FAILED_REQUEST]
    if url is not None:
        client.url.fill(url)
    client.connect_button.click()
    expect(client.row(FAILED)).to_be_visible()
    found: list[dict[str, Any]] = client.context("""async ({ connections: { active } }) => {
      while (!active.state.failure?.curl) await new Promise((done) => active.on("state", done));
      return active.state.failure.checks;
    }""")
    return [(check["tone"], check["text"]) for check in found]


def texts(found: list[tuple[str, str]]) -> str:
    return "\n".join(text for _, text in found)


def test_another_server_that_refuses(client: Client) -> None:
    with closed_port() as url:

        def check() -> str:
            client.open(client.page.url)
            found = texts(checks(client, url))
            assert "at once, as when nothing listens there" in found
            return found

        # A busy machine may need a second for a refusal, which the page then does not say is at once.
        found = eventually(check)
    assert "belongs to another server" in found
    assert "No token was given." in found
    command = client.context("({ connections: { active } }) => active.state.failure.curl")
    assert command.startswith("curl -i")
    assert url.replace("ws:", "http:") in command


def test_this_server_has_stopped(open_page: OpenPage, serve: Serve) -> None:
    server = serve()
    client = open_page(server.http_url + "/")
    client.connect()  # so that all files of the page's worker are there
    server.stop()
    assert ("error", "This server does not answer any more: it may have stopped, or the network is down.") in checks(
        client
    )


def test_a_refused_scenario_is_explained_by_its_own_words(client: Client, server: RunningServer) -> None:
    found = texts(checks(client, f"{server.ws_url}/ws/reject/503"))
    assert "This server answers that it is ready." in found
    assert "A plain GET gets 426: the path lives, so the handshake was refused." in found
    assert "/ws/reject/503 is a scenario" in found


def test_a_path_that_is_no_scenario(client: Client, server: RunningServer) -> None:
    found = texts(checks(client, f"{server.ws_url}/ws/nonsense"))
    assert "A plain GET gets 400" in found
    assert "a step is needed instead of 'nonsense'" in found


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_token_is_missing_or_wrong(open_page: OpenPage, serve: Serve, token: str) -> None:
    server = serve("--auth-token", TOKEN)
    client = open_page(server.http_url + "/")
    client.page.get_by_role("button", name="Options").click()
    client.page.get_by_label("Token (sent as a subprotocol, kept nowhere)").fill(token)
    found = checks(client)
    expected = "The server does not accept this token." if token else "The server wants a token."
    assert expected in texts(found)
    assert ("A token was sent." if token else "No token was given.") in texts(found)


def test_the_origin_is_not_allowed(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--allow-origin", "https://elsewhere.example")
    client = open_page(server.http_url + "/")
    assert ("error", "The server does not allow pages of this origin to connect.") in checks(client)


def test_the_server_is_full(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--max-connections", "1")
    # Before the page, because the connections that it loads its files over count too.
    with connect(f"{server.ws_url}/ws"):
        found = checks(open_page(server.http_url + "/"))
    assert ("error", "The server is full: it has as many connections as it may have.") in found


def test_the_server_is_shutting_down(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--drain-delay", "60s", "--drain-timeout", "65s")
    client = open_page(server.http_url + "/")
    with connect(f"{server.ws_url}/ws"):
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        assert ("error", "This server answers that it is draining.") in checks(client)


@pytest.mark.parametrize(
    ("after", "words"),
    [(12, "after 12.0 ms: at once"), (2000, "after 2.0 s."), (30_000, "after 30.0 s: late, as when a firewall")],
)
def test_the_time_until_the_failure_is_told(client: Client, after: int, words: str) -> None:
    found = client.page.evaluate(
        """async (after) => {
          const { examine } = await import(new URL("static/view/failure.js", document.baseURI));
          const page = new URL(document.baseURI);
          return examine({ url: "ws://elsewhere.example/", protocols: [], token: "", after, page });
        }""",
        after,
    )
    assert words in " ".join(check["text"] for check in found["checks"])


def test_the_checks_stand_in_the_panel_of_the_row(client: Client) -> None:
    with closed_port() as url:
        checks(client, url)
    client.row(FAILED).click()
    expect(client.panel).to_contain_text("belongs to another server")
    expect(client.panel).to_contain_text("curl -i")
