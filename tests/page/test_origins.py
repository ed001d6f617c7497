"""Origins: how a browser writes them, and what it says of pages of other servers."""

from playwright.sync_api import Browser, expect

from tests.page.client import Client
from tests.page.conftest import OpenPage
from tests.shared.server import RunningServer
from wsecho.http.origin import parse_origin

ORIGINS = [
    "https://Bücher.example",
    "https://faß.example",
    "https://例え。テスト:8443",
    "http://☃.example",
    "http://I❤.ws",
    "https://βόλος.com",
    "https://\uff25\uff38\uff21\uff2d\uff30\uff2c\uff25.com",
    "http://\uff11\uff12\uff17.0.0.1:80",
    "https://a\xadb.example",
    "http://[0:0::0001]:3000",
    "http://[::ffff:127.0.0.1]:80",
    "https://EXAMPLE.com.:0443",
    "https://a_b.example",
    "https://xn--bcher-kva.example:80",
    "http://Ω.example",
    "https://e\u0301.example",
    "https://مثال.إختبار",
]


def test_origins_are_understood_as_a_browser_writes_them(chromium: Browser) -> None:
    page = chromium.new_page()
    written = page.evaluate("(texts) => texts.map((text) => new URL(text).origin)", ORIGINS)
    page.close()
    assert [parse_origin(text) for text in ORIGINS] == written


def test_a_page_of_another_server_may_not_connect_with_the_token(
    open_page: OpenPage, server: RunningServer, guarded: RunningServer, token: str
) -> None:
    foreign: Client = open_page(f"{server.http_url}/")
    foreign.allowed.append(r"\b403\b")
    foreign.url.fill(guarded.ws_url)
    foreign.fill_token(token)
    foreign.connect_button.click()
    expect(foreign.page.get_by_text("Could not connect.").first).to_be_visible()
