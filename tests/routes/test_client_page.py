"""The test client in a real browser: the page as it is served, connected to real servers.

Modules: `assets`, `public_routes`.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright
from websockets.sync.server import ServerConnection, serve

from tests.conftest import Serve
from tests.shared.proxies import proxy
from tests.shared.server import PATIENCE, RunningServer
from wsecho.http.origin import parse_origin

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

TIME = r"\d\d:\d\d:\d\d\.\d\d\d"
ROUND_TRIP = r"\d+\.\d ms round trip"

expect.set_options(timeout=PATIENCE * 1000)


class Client:
    """The page as its user sees it. Everything that the browser complains about is collected in `problems`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.url = page.get_by_label("URL")
        self.token = page.get_by_label("Token")
        self.connect_button = page.get_by_role("button", name="Connect", exact=True)
        self.disconnect_button = page.get_by_role("button", name="Disconnect")
        self.state = page.get_by_role("status")
        self.log = page.get_by_role("log", name="Log")
        self.entries = self.log.locator(":scope > *")
        self.clear_button = page.get_by_role("button", name="Clear log")
        self.message = page.get_by_label("Message")
        self.send_button = page.get_by_role("button", name="Send")
        self._watch()

    def _watch(self) -> None:
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " console.error('CSP violation', event.violatedDirective, event.blockedURI))"
        )
        self.page.on(
            "console",
            lambda message: self.problems.append(message.text) if message.type in {"error", "warning"} else None,
        )
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def take_problems(self) -> list[str]:
        taken, self.problems[:] = list(self.problems), []
        return taken

    def connect(self, url: str | None = None) -> None:
        if url is not None:
            self.url.fill(url)
        self.connect_button.click()

    def send(self, text: str) -> None:
        self.message.fill(text)
        self.message.press("Enter")

    def expect_entry(self, entry: Locator, *cells: str) -> None:
        """Check the last lines of the log. Each cell is a regular expression; the time at the start of a line is
        implied.
        """
        expect(entry).to_have_text(re.compile(f"^{TIME}{''.join(cells)}$"))

    def expect_echo(self, body: str, size: str) -> None:
        """Check that the log ends with `body` sent and received again."""
        body = re.escape(body)
        self.expect_entry(self.entries.last, "received", body, size, ROUND_TRIP)
        self.expect_entry(self.entries.nth(-2), "sent", body, size)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: install the Debian package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def client(chromium: Browser, server: RunningServer) -> Iterator[Client]:
    """The loaded page. After each test, the browser must have nothing to complain about."""
    context = chromium.new_context()
    client = Client(context.new_page())
    client.page.goto(server.http_url)
    yield client
    context.close()
    assert client.problems == []
    foreign = [url for url in client.requests if not url.startswith((f"{server.http_url}/", "data:"))]
    assert foreign == []


@pytest.fixture
def connected(client: Client) -> Client:
    client.connect()
    expect(client.state).to_have_text("connected")
    return client


@contextmanager
def peer(handler: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A server that does what an echo server does not do; yields its URL."""
    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield "ws://{}:{}/".format(*server.socket.getsockname())
        server.shutdown()
        thread.join()


# The page


def test_loads_only_its_own_three_files(client: Client, server: RunningServer) -> None:
    paths = [urlsplit(url).path for url in client.requests if not url.startswith("data:")]
    assert sorted(paths) == ["/", "/static/client.css", "/static/client.js"]


def test_starts_disconnected_with_the_url_of_this_server(client: Client, server: RunningServer) -> None:
    expect(client.url).to_have_value(f"{server.ws_url}/ws")
    expect(client.state).to_have_text("disconnected")
    expect(client.connect_button).to_be_enabled()
    expect(client.disconnect_button).to_be_disabled()
    expect(client.send_button).to_be_disabled()
    expect(client.entries).to_have_count(0)


def test_url_is_wss_on_an_https_page(chromium: Browser, server: RunningServer) -> None:
    def forward(route: Route) -> None:
        path = urlsplit(route.request.url).path
        route.fulfill(response=route.fetch(url=server.http_url + path))

    page = chromium.new_page()
    page.route("https://wsecho.test/**", forward)
    page.goto("https://wsecho.test/")
    expect(page.get_by_label("URL")).to_have_value("wss://wsecho.test/ws")
    page.close()


def test_works_under_a_path_of_a_proxy(chromium: Browser, server: RunningServer, tmp_path: Path) -> None:
    with proxy("nginx", server.port, tmp_path, path="/echo/") as port:
        for path in ("/echo/", "/echo"):
            context = chromium.new_context()
            client = Client(context.new_page())
            client.page.goto(f"http://127.0.0.1:{port}{path}")
            expect(client.url).to_have_value(f"ws://127.0.0.1:{port}/echo/ws")
            client.connect()
            expect(client.state).to_have_text("connected")
            client.send("hello")
            client.expect_echo("hello", "5 bytes")
            for name, page in (("Metrics", "metrics"), ("Request info", "info"), ("Health", "health")):
                link = client.page.get_by_role("link", name=name).evaluate("(link) => link.href")
                assert link == f"http://127.0.0.1:{port}/echo/{page}"
                assert client.page.request.get(link).ok
            context.close()
            assert client.problems == []


def test_under_a_path_without_a_slash_at_the_end_the_page_adds_it(chromium: Browser, server: RunningServer) -> None:
    """As behind Traefik's StripPrefix, which serves the page at both /echo and /echo/."""

    def forward(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/echo"):
            route.fulfill(response=route.fetch(url=server.http_url + (path.removeprefix("/echo") or "/")))
        else:
            route.fulfill(status=404)

    page = chromium.new_page()
    page.route("http://wsecho.test/**", forward)
    page.goto("http://wsecho.test/echo")
    expect(page.get_by_label("URL")).to_have_value("ws://wsecho.test/echo/ws")
    assert page.url == "http://wsecho.test/echo/"
    page.close()


def test_policy_blocks_inline_script(client: Client, server: RunningServer) -> None:
    def inject(route: Route) -> None:
        page = route.fetch()
        inline = "<script>window.inlineScriptRan = true</script>"
        route.fulfill(response=page, body=page.text().replace("</body>", f"{inline}</body>"))

    client.page.route(f"{server.http_url}/", inject)
    with client.page.expect_console_message(lambda message: "CSP violation" in message.text):
        client.page.goto(server.http_url)
    assert client.page.evaluate("window.inlineScriptRan") is None
    assert "CSP violation script-src-elem inline" in client.take_problems()


def test_policy_blocks_markup_from_text(client: Client) -> None:
    with client.page.expect_console_message(lambda message: "CSP violation" in message.text):
        refused = client.page.evaluate(
            "() => { try { document.body.innerHTML = '<b>bold</b>'; } catch (error) { return error.name; } }"
        )
    assert refused == "TypeError"
    assert "CSP violation require-trusted-types-for trusted-types-sink" in client.take_problems()


def test_the_page_is_isolated_so_that_its_clock_is_precise(client: Client) -> None:
    assert client.page.evaluate("[isSecureContext, crossOriginIsolated]") == [True, True]


@pytest.mark.parametrize(("name", "path"), [("Metrics", "/metrics"), ("Request info", "/info"), ("Health", "/health")])
def test_links_lead_somewhere(client: Client, server: RunningServer, name: str, path: str) -> None:
    link = client.page.get_by_role("link", name=name)
    assert link.evaluate("(link) => link.href") == server.http_url + path
    assert client.page.request.get(server.http_url + path).ok


def test_follows_the_color_scheme(client: Client) -> None:
    def background() -> Any:
        return client.page.evaluate("getComputedStyle(document.body).backgroundColor")

    client.page.emulate_media(color_scheme="light")
    light = background()
    client.page.emulate_media(color_scheme="dark")
    assert background() != light


def test_fits_a_narrow_screen(connected: Client) -> None:
    connected.page.set_viewport_size({"width": 320, "height": 640})
    connected.send("unbroken" * 50)
    connected.expect_echo("unbroken" * 50, "400 bytes")
    assert connected.page.evaluate("document.documentElement.scrollWidth") == 320
    assert connected.log.evaluate("(log) => log.scrollWidth - log.clientWidth") == 0


# Messages


def test_enter_sends_and_the_echo_is_shown(connected: Client) -> None:
    connected.send("hello")
    connected.expect_echo("hello", "5 bytes")


def test_enter_that_ends_a_composition_sends_nothing(connected: Client) -> None:
    """Safari has already ended the composition at that moment; only the key code shows that there was one."""
    connected.message.fill("かな")
    for composing in ({"keyCode": 229}, {"isComposing": True}):
        connected.message.evaluate(
            """(message, composing) => message.dispatchEvent(new KeyboardEvent("keydown", {
                key: "Enter", bubbles: true, cancelable: true, ...composing,
            }))""",
            composing,
        )
    connected.message.press("Enter")
    connected.expect_echo("かな", "6 bytes")
    expect(connected.entries.filter(has_text="sent")).to_have_count(1)


def test_send_button_sends(connected: Client) -> None:
    connected.message.fill("hello")
    connected.send_button.click()
    connected.expect_echo("hello", "5 bytes")


def test_size_is_in_utf8_bytes(connected: Client) -> None:
    connected.send("aé世🎉")
    connected.expect_echo("aé世🎉", "10 bytes")


def test_empty_message_is_a_message(connected: Client) -> None:
    connected.send("")
    connected.expect_echo("empty message", "0 bytes")


def test_markup_stays_text(connected: Client) -> None:
    markup = "<img src=x onerror=document.title='owned'>"
    connected.send(markup)
    connected.expect_echo(markup, f"{len(markup)} bytes")
    expect(connected.page.locator("img")).to_have_count(0)


def test_long_text_is_cut_between_characters(connected: Client) -> None:
    # The 1,000th UTF-16 code unit is the first half of the emoji.
    connected.send("x" * 999 + "🎉" + "y")
    connected.expect_echo("x" * 999 + " … cut for display", "1,004 bytes")


def test_shift_enter_adds_a_line_and_does_not_send(connected: Client) -> None:
    connected.message.fill("one")
    connected.message.press("Shift+Enter")
    connected.page.keyboard.type("two")
    expect(connected.message).to_have_value("one\ntwo")
    connected.message.press("Enter")
    connected.expect_echo("one\ntwo", "7 bytes")
    expect(connected.entries.filter(has_text="sent")).to_have_count(1)


def test_enter_repeats_the_message_and_typing_replaces_it(connected: Client) -> None:
    connected.send("first")
    connected.message.press("Enter")
    expect(connected.entries.filter(has_text="received")).to_have_count(2)
    connected.page.keyboard.type("second")
    expect(connected.message).to_have_value("second")


def test_message_without_a_connection_is_not_sent(client: Client) -> None:
    client.send("hello")
    client.expect_entry(client.entries, "error", "Not sent: there is no connection")


def test_binary_is_shown_in_hex(client: Client) -> None:
    def handler(connection: ServerConnection) -> None:
        connection.send(b"\x00\xff")
        connection.send(bytes(range(200)))

    with peer(handler) as url:
        client.connect(url)
        first_64 = " ".join(f"{byte:02x}" for byte in range(64))
        client.expect_entry(client.entries.nth(2), "received", "00 ff binary", "2 bytes")
        client.expect_entry(client.entries.nth(3), "received", first_64, " … binary, cut for display", "200 bytes")
        expect(client.state).to_have_text("disconnected")


# Connecting and closing


def test_keyboard_alone_connects_sends_and_disconnects(client: Client) -> None:
    client.url.press("Enter")
    expect(client.message).to_be_focused()
    client.page.keyboard.type("hello")
    client.page.keyboard.press("Enter")
    client.expect_echo("hello", "5 bytes")
    client.disconnect_button.focus()
    client.page.keyboard.press("Space")
    expect(client.connect_button).to_be_focused()


def test_disconnect_closes_normally(connected: Client) -> None:
    connected.disconnect_button.click()
    expect(connected.state).to_have_text("disconnected")
    connected.expect_entry(
        connected.entries.last,
        "info",
        re.escape("Closed: code 1000 (normal closure), no reason, wasClean true"),
    )
    expect(connected.connect_button).to_be_enabled()
    expect(connected.disconnect_button).to_be_disabled()
    expect(connected.send_button).to_be_disabled()


def test_connects_again_after_a_close(connected: Client) -> None:
    connected.disconnect_button.click()
    expect(connected.state).to_have_text("disconnected")
    connected.connect()
    expect(connected.state).to_have_text("connected")
    connected.send("hello")
    connected.expect_echo("hello", "5 bytes")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1001, "going away"),
        (1007, "invalid data, such as text that is not UTF-8"),
        (1009, "message too big"),
        (3000, "registered by a library or framework"),
        (4999, "private use"),
    ],
)
def test_close_by_the_server_is_explained(client: Client, code: int, words: str) -> None:
    with peer(lambda connection: connection.close(code, "the <b>reason</b>")) as url:
        client.connect(url)
        client.expect_entry(
            client.entries.last,
            "info",
            re.escape(f"Closed: code {code} ({words}), reason “the <b>reason</b>”, wasClean true"),
        )
    expect(client.state).to_have_text("disconnected")


def test_refused_connection_is_explained(client: Client) -> None:
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        url = "ws://{}:{}/".format(*bound_but_not_listening.getsockname())
        with client.page.expect_console_message():
            client.connect(url)
        client.expect_entry(client.entries.nth(0), "info", f"Connecting to {url}")
        client.expect_entry(client.entries.nth(1), "error", "Connection failed .*")
        client.expect_entry(
            client.entries.nth(2),
            "info",
            re.escape("Closed: code 1006 (abnormal: no close frame was received), "),
            "no reason, wasClean false",
        )
    expect(client.state).to_have_text("disconnected")
    (problem,) = client.take_problems()
    assert "net::ERR_CONNECTION_REFUSED" in problem


@pytest.mark.parametrize("url", ["", "not a url", "/ws", "http://127.0.0.1/", "ws://", "ws://127.0.0.1:65536/"])
def test_invalid_url_gives_one_line(client: Client, url: str) -> None:
    client.connect(url)
    client.expect_entry(client.entries, "error", "Not a WebSocket URL: .*")
    expect(client.state).to_have_text("disconnected")


def test_invalid_url_gives_one_line_in_an_older_browser_too(client: Client) -> None:
    client.page.evaluate("delete URL.canParse")
    client.connect("not a url")
    client.expect_entry(client.entries, "error", "Not a WebSocket URL: .*")


def test_url_that_the_browser_refuses_gives_one_line(client: Client, server: RunningServer) -> None:
    client.connect(f"{server.ws_url}/#fragment")
    client.expect_entry(client.entries, "error", "Cannot connect: .*fragment.*")
    expect(client.state).to_have_text("disconnected")


# A server that requires a token


TOKEN = "open-Sesame+/=="


@pytest.fixture
def guarded(serve: Serve) -> RunningServer:
    return serve("--auth-token", TOKEN, "--subprotocol", "none", "--log-level", "debug")


@pytest.fixture
def guest(chromium: Browser, guarded: RunningServer) -> Iterator[Client]:
    """The page of a server that requires a token."""
    context = chromium.new_context()
    guest = Client(context.new_page())
    guest.page.goto(guarded.http_url)
    yield guest
    context.close()
    assert guest.problems == []


def test_a_token_opens_the_connection_and_is_seen_nowhere(guest: Client, guarded: RunningServer) -> None:
    seen: list[str] = []
    guest.page.on("websocket", lambda socket: seen.append(socket.url))
    guest.token.fill(f" {TOKEN} ")
    guest.token.press("Enter")
    expect(guest.state).to_have_text("connected")
    guest.send("hello")
    guest.expect_echo("hello", "5 bytes")
    assert seen == [f"{guarded.ws_url}/ws"]
    assert guest.page.url == f"{guarded.http_url}/"
    expect(guest.token).to_have_attribute("type", "password")
    expect(guest.log).not_to_contain_text(TOKEN)
    assert guest.page.evaluate("[history.length, localStorage.length, sessionStorage.length, document.cookie]") == [
        *(2, 0, 0, ""),
    ]
    guest.page.reload()
    expect(guest.token).to_have_value("")
    guarded.stop()
    guarded.complaints()
    assert TOKEN not in str(guarded.logs)


@pytest.mark.parametrize("token", ["", "wrong", "schlüssel 🔑"])
def test_without_the_right_token_nothing_opens(guest: Client, token: str) -> None:
    guest.token.fill(token)
    with guest.page.expect_console_message(lambda message: "HTTP Authentication failed" in message.text):
        guest.connect()
    guest.expect_entry(guest.entries.nth(1), "error", "Connection failed .*")
    expect(guest.state).to_have_text("disconnected")
    guest.take_problems()


def test_a_user_and_a_password_in_the_url_open_it_too_and_are_not_shown(chromium: Browser, serve: Serve) -> None:
    server = serve("--basic-auth", "aladdin:sesame")
    context = chromium.new_context()
    guest = Client(context.new_page())
    guest.page.goto(server.http_url)
    guest.connect(server.ws_url.replace("ws://", "ws://aladdin:sesame@") + "/ws")
    expect(guest.state).to_have_text("connected")
    guest.send("hello")
    guest.expect_echo("hello", "5 bytes")
    guest.expect_entry(guest.entries.first, "info", f"Connecting to {server.ws_url}/ws")
    context.close()


def test_a_page_of_another_server_may_not_connect_with_the_token(
    chromium: Browser, server: RunningServer, guarded: RunningServer
) -> None:
    context = chromium.new_context()
    foreign = Client(context.new_page())
    foreign.page.goto(server.http_url)
    foreign.token.fill(TOKEN)
    with foreign.page.expect_console_message(lambda message: "403" in message.text):
        foreign.connect(guarded.ws_url)
    expect(foreign.state).to_have_text("disconnected")
    context.close()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "https://Bücher.example",
            "https://faß.example",
            "https://例え。テスト:8443",
            "http://☃.example",
            "http://I❤.ws",
        ),
        *(
            "https://βόλος.com",
            "https://\uff25\uff38\uff21\uff2d\uff30\uff2c\uff25.com",
            "http://\uff11\uff12\uff17.0.0.1:80",
            "https://a\xadb.example",
        ),
        *(
            "http://[0:0::0001]:3000",
            "http://[::ffff:127.0.0.1]:80",
            "https://EXAMPLE.com.:0443",
            "https://a_b.example",
        ),
        *("https://xn--bcher-kva.example:80", "http://Ω.example", "https://e\u0301.example", "https://مثال.إختبار"),
    ],
)
def test_origins_are_understood_as_a_browser_writes_them(chromium: Browser, text: str) -> None:
    page = chromium.new_page()
    assert parse_origin(text) == page.evaluate("(text) => new URL(text).origin", text)
    page.close()


def test_a_token_does_no_harm_where_none_is_wanted(client: Client) -> None:
    client.token.fill(TOKEN)
    client.connect()
    expect(client.state).to_have_text("connected")
    client.send("hello")
    client.expect_echo("hello", "5 bytes")


# The log


def test_clear_empties_the_log(connected: Client) -> None:
    expect(connected.entries).to_have_count(2)
    connected.clear_button.click()
    expect(connected.entries).to_have_count(0)
    expect(connected.state).to_have_text("connected")


def test_log_keeps_the_newest_thousand(client: Client) -> None:
    def handler(connection: ServerConnection) -> None:
        for number in range(1100):
            connection.send(f"message {number}")
        connection.recv()

    with peer(handler) as url:
        client.connect(url)
        client.expect_entry(client.entries.last, "received", "message 1099", "12 bytes")
        expect(client.entries).to_have_count(1000)
        client.expect_entry(client.entries.first, "received", "message 100", "11 bytes")
        client.send("enough")
        expect(client.state).to_have_text("disconnected")


def test_log_follows_its_end_until_the_user_scrolls_up(connected: Client) -> None:
    connected.send("tall\n" * 100)
    connected.send("at the end")
    connected.expect_echo("at the end", "10 bytes")
    expect(connected.entries.last).to_be_in_viewport()

    connected.page.set_viewport_size({"width": 1280, "height": 500})
    expect(connected.entries.last).to_be_in_viewport()

    connected.log.press("Home")
    expect(connected.entries.first).to_be_in_viewport()
    connected.send("elsewhere")
    connected.expect_echo("elsewhere", "9 bytes")
    expect(connected.entries.first).to_be_in_viewport()
    expect(connected.entries.last).not_to_be_in_viewport()

    connected.log.press("End")
    expect(connected.entries.last).to_be_in_viewport()
    connected.send("followed again")
    connected.expect_echo("followed again", "14 bytes")
    expect(connected.entries.last).to_be_in_viewport()
