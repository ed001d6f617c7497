"""What the browser lets the page do, and what of a token leaves the page.

Modules: `worker`.
"""

import base64
import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.conftest import Serve
from tests.page.client import Client
from tests.page.conftest import OpenPage
from tests.shared.server import RunningServer

# Outside of the script that Playwright evaluates, which may call eval.
LATER = "await new Promise((resolve) => setTimeout(resolve));"
# Ways to make markup or scripts from text.
SINKS = {
    "innerHTML": "document.body.innerHTML = '<b>bold</b>'",
    "outerHTML": "document.querySelector('h1').outerHTML = '<b>bold</b>'",
    "insertAdjacentHTML": "document.body.insertAdjacentHTML('beforeend', '<b>bold</b>')",
    "srcdoc": "document.createElement('iframe').srcdoc = '<b>bold</b>'",
    "document.write": "document.write('<b>bold</b>')",
    "createContextualFragment": "document.createRange().createContextualFragment('<b>bold</b>')",
    "text of a script": "document.createElement('script').text = 'window.ran = true'",
    "address of a script": "document.createElement('script').src = 'static/view/page.js'",
    "eval": "eval('window.ran = true')",
    "Function": "new Function('window.ran = true')()",
    "timer": "setTimeout('window.ran = true')",
    "a worker": "new Worker('static/line/line.js', { type: 'module' })",
    "another policy": "trustedTypes.createPolicy('other', {})",
    "the same policy again": "trustedTypes.createPolicy('wsecho', {})",
}
WORKERS = ("'data:text/javascript,'", "URL.createObjectURL(new Blob(['']))")
VIOLATION = "CSP violation"


def outcome(client: Client, code: str) -> Any:
    """Return the name of the error that the code throws; None if it throws none."""
    return client.page.evaluate(
        f"async () => {{ {LATER} try {{ {code}; }} catch (error) {{ return error.name; }} return null; }}"
    )


def test_text_becomes_no_markup_and_no_script(client: Client) -> None:
    client.allowed.append("violat|Refused|This document requires|does not accept")
    for sink, code in SINKS.items():
        with client.page.expect_console_message(lambda message: VIOLATION in message.text):
            assert outcome(client, code) in ("TypeError", "EvalError"), sink
        assert client.page.evaluate("[window.ran, document.querySelector('b')]") == [None, None], sink


def test_a_script_in_the_page_does_not_run(open_page: OpenPage, server: RunningServer, client: Client) -> None:
    def inject(route: Route) -> None:
        page = route.fetch()
        inline = "<script>window.ran = true</script><img src='data:,' onerror='window.ran = true'>"
        route.fulfill(response=page, body=page.text().replace("</body>", f"{inline}</body>"))

    client.page.route(f"{server.http_url}/", inject)
    client.allowed.append("violat|Refused")
    with (
        client.page.expect_console_message(lambda message: message.text == f"{VIOLATION} script-src-elem inline"),
        client.page.expect_console_message(lambda message: message.text == f"{VIOLATION} script-src-attr inline"),
    ):
        client.open(f"{server.http_url}/")
    assert client.page.evaluate("window.ran") is None


@pytest.mark.parametrize("address", WORKERS)
def test_no_foreign_worker_starts_even_without_trusted_types(
    client: Client, server: RunningServer, address: str
) -> None:
    def without_trusted_types(route: Route) -> None:
        page = route.fetch()
        policy = page.headers["content-security-policy"].partition("; require-trusted-types-for")[0]
        route.fulfill(response=page, headers=page.headers | {"content-security-policy": policy})

    client.page.route(f"{server.http_url}/", without_trusted_types)
    client.open(f"{server.http_url}/")
    client.allowed.append("violat|Refused|Failed to construct")
    with client.page.expect_console_message(lambda message: f"{VIOLATION} worker-src" in message.text):
        outcome(client, f"new Worker({address})")
    assert all("/static/line/" in worker.url for worker in client.page.workers)


def test_the_page_loads_nothing_from_elsewhere(client: Client, serve: Serve) -> None:
    """Not even from a server whose pages every origin may read."""
    foreign = f"{serve().http_url}/scenarios.json"
    client.allowed.append("violat|Refused|violates")
    with client.page.expect_console_message(lambda message: f"{VIOLATION} connect-src" in message.text):
        assert outcome(client, f"await fetch('{foreign}')") == "TypeError"
    with client.page.expect_console_message(lambda message: f"{VIOLATION} img-src" in message.text):
        client.page.evaluate(f"() => {{ new Image().src = '{foreign}'; }}")
    client.requests[:] = [url for url in client.requests if url != foreign]


def test_the_page_and_its_workers_are_isolated(client: Client) -> None:
    client.connect()
    assert client.page.evaluate("[isSecureContext, crossOriginIsolated]") == [True, True]
    assert client.page.workers
    for worker in client.page.workers:
        assert worker.evaluate("crossOriginIsolated") is True


def test_a_worker_obeys_the_policy_too(client: Client, serve: Serve) -> None:
    foreign = f"{serve().http_url}/scenarios.json"
    client.connect()
    client.allowed.append("violat|Refused")
    (line,) = [worker for worker in client.page.workers if worker.url.endswith("/line/line.js")]
    fetched = "async (url) => { try { await fetch(url) } catch (error) { return error.name } }"
    assert line.evaluate(fetched, foreign) == "TypeError"
    assert line.evaluate(fetched, "/scenarios.json") is None


# Tokens


# What the browser itself writes of a request that was refused, or asked about after a refusal.
REFUSED = r"\b(401|426) \(|HTTP Authentication failed"


def kept(client: Client) -> str:
    """Return everything that the page keeps or shows."""
    return str(
        client.page.evaluate(
            """async () => JSON.stringify([
                {...localStorage}, {...sessionStorage}, document.cookie, await indexedDB.databases(),
                history.state, location.href, document.title, document.documentElement.outerHTML,
                document.body.innerText, [...document.querySelectorAll("textarea")].map(({value}) => value),
            ])"""
        )
    )


def assert_absent(token: str, *texts: str) -> None:
    """Check that no text contains the token, in no form in which it is sent."""
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    for text in texts:
        assert token not in text
        assert encoded not in text


@pytest.fixture
def guest(open_page: OpenPage, guarded: RunningServer) -> Client:
    """The page of a server that requires a token. It cannot read the facts of the server."""
    guest = open_page(f"{guarded.http_url}/")
    guest.allowed.append(REFUSED)
    return guest


def test_a_token_opens_the_connection_and_is_found_nowhere(guest: Client, guarded: RunningServer, token: str) -> None:
    guest.fill_token(token)
    guest.connect()
    guest.send("hello")
    expect(guest.row("hello")).to_have_count(2)
    assert_absent(token, kept(guest))
    guest.tab("Code").click()
    for language in guest.panel.get_by_role("group", name="Language").get_by_role("button").all():
        language.click()
        assert_absent(token, kept(guest))
    guest.page.get_by_role("button", name="Copy link").click()
    assert_absent(token, kept(guest), guest.page.get_by_role("dialog").get_by_label("Link").input_value())
    guest.page.keyboard.press("Escape")
    guest.page.get_by_role("button", name="Export").click()
    with guest.page.expect_download() as download:
        guest.page.get_by_role("dialog").get_by_role("button", name="Export").click()
    exported = download.value.path().read_text()
    assert "hello" in exported
    assert_absent(token, exported, download.value.suggested_filename)
    assert_absent(token, *guest.requests)
    guest.page.reload()
    assert_absent(token, kept(guest))
    expect(guest.token).to_have_value("")
    guest.page.goto("about:blank")
    guarded.stop()
    guarded.complaints()
    assert_absent(token, str(guarded.logs))


def test_a_token_that_is_refused_is_found_nowhere_either(guest: Client, token: str) -> None:
    token = f"wrong{token}"
    guest.fill_token(token)
    guest.connect_button.click()
    expect(guest.state).to_have_text(re.compile("^Failed"))
    expect(guest.page.get_by_text(re.compile(r"\bcurl\b")).first).to_be_visible()
    assert_absent(token, kept(guest), *guest.requests)


def test_a_token_is_sent_to_the_server_of_its_address_only(
    open_page: OpenPage, server: RunningServer, guarded: RunningServer, token: str
) -> None:
    """A token for another server is none of the business of the one that the page is from."""
    client = open_page(f"{server.http_url}/")
    sent: list[str] = []
    client.page.on("request", lambda request: sent.append(str(request.headers)))
    client.url.fill(f"{guarded.ws_url}/ws")
    client.fill_token(token)
    client.tab("Server").click()
    expect(client.panel.get_by_text("websocket_active_connections")).to_be_visible()
    client.tab("Scenarios").click()
    expect(client.panel.get_by_text("How the connection ends")).to_be_visible()
    assert_absent(token, *sent)


@pytest.mark.parametrize("wrong", ["", "wrong", "schlüssel 🔑"])
def test_without_the_right_token_nothing_opens(guest: Client, wrong: str) -> None:
    guest.fill_token(wrong)
    guest.connect_button.click()
    expect(guest.page.get_by_text("Could not connect.").first).to_be_visible()


def test_a_token_does_no_harm_where_none_is_wanted(client: Client, token: str) -> None:
    client.fill_token(token)
    client.connect()
    client.send("hello")
    expect(client.row("hello")).to_have_count(2)


def test_a_user_and_a_password_in_the_address_open_it_too_and_are_not_shown(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--basic-auth", "aladdin:sesame")
    guest = open_page(f"{server.http_url}/")
    guest.allowed.append(REFUSED)
    guest.connect(server.ws_url.replace("ws://", "ws://aladdin:sesame@") + "/ws")
    guest.send("hello")
    expect(guest.row("hello")).to_have_count(2)
    assert "sesame" not in kept(guest)


def test_markup_in_messages_stays_text(client: Client) -> None:
    markup = "<img src=x onerror=document.title='owned'>"
    client.connect()
    client.send(markup)
    expect(client.row(markup)).to_have_count(2)
    client.row(markup).last.click()
    expect(client.panel).to_contain_text(markup)
    expect(client.page.locator("img")).to_have_count(0)
