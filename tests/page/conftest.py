"""Fixtures for tests of the page in a real browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import Serve
from tests.page.client import CHROMIUM, CHROMIUM_ARGS, Client
from tests.shared.server import PATIENCE, RunningServer

OpenPage = Callable[..., Client]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser. Files do not share it: Playwright keeps an event loop running, and other tests run their own."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: install the Debian package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS, timeout=PATIENCE * 1000)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, server: RunningServer, serve: Serve) -> Iterator[OpenPage]:
    """Opens the page with options of a Playwright context. After the test, the browser must have no complaints, and no
    request to elsewhere.

    It needs `serve` so that pages close before servers stop: a page that asks a server that is gone has complaints.
    """
    opened: list[Client] = []

    def open_page(url: str = server.http_url + "/", **options: Any) -> Client:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        context.set_default_timeout(PATIENCE * 1000)
        client = Client(context.new_page())
        opened.append(client)
        client.open(url)
        return client

    yield open_page
    for client in opened:
        client.page.context.close()
        assert client.unexpected_problems() == []
        assert client.foreign_requests() == []


@pytest.fixture
def client(open_page: OpenPage) -> Client:
    """The page, wide, not connected."""
    return open_page()


@pytest.fixture
def token() -> str:
    """A token with characters that neither URLs nor subprotocols may contain."""
    return "open-Sesame+/=="


@pytest.fixture
def guarded(serve: Serve, token: str) -> RunningServer:
    """A server that requires the token."""
    return serve("--auth-token", token, "--log-level", "debug")
