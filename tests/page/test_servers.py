"""The page of servers with other options, behind a proxy, and over TLS."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.conftest import Serve
from tests.page.client import ELSEWHERE, Client
from tests.page.conftest import OpenPage
from tests.page.graph import ENTRY, INDEX, STATIC, graph
from tests.shared.certificates import Certificate
from tests.shared.proxies import proxy
from tests.shared.server import RunningServer

TOKEN = "open-sesame"
MOST_CONNECTIONS = 8


def paths(client: Client) -> set[str]:
    return {urlsplit(url).path for url in client.requests if url.startswith("http")}


def expect_echo(client: Client) -> None:
    """Check that a message comes back."""
    client.send("hello")
    expect(client.row("hello")).to_have_count(2)


def expect_scenarios(client: Client) -> None:
    """Check that the page has the catalogue."""
    client.tab("Scenarios").click()
    expect(client.panel.get_by_text("How the connection ends")).to_be_visible()


def expect_metrics(client: Client) -> None:
    """Check that the page shows metrics."""
    client.tab("Server").click()
    expect(client.panel.get_by_text("websocket_active_connections")).to_be_visible()


def test_a_visit_loads_the_graph_of_modules_and_nothing_else(client: Client) -> None:
    expect(client.panel.get_by_text("wsecho", exact=False).first).to_be_visible()
    styles = re.findall(r'rel="stylesheet" href="([^"]+)"', INDEX.read_text())
    modules = [module.relative_to(STATIC.parent).as_posix() for module in graph(ENTRY)]
    line = [module.relative_to(STATIC.parent).as_posix() for module in graph(STATIC / "line" / "line.js")]
    loaded = paths(client) - {f"/{name}" for name in line}
    assert loaded == {"/", "/info", *(f"/{name}" for name in (*styles, *modules) if name not in line)}


def test_the_first_view_states_what_the_server_is(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--max-message-size", "2MiB", "--no-deflate", "--no-scenarios")
    facts = open_page(f"{server.http_url}/").panel.locator(".facts")
    expect(facts).to_contain_text(re.compile(r"Longest message\s*2(\.00)?\sMiB"))
    expect(facts).to_contain_text(re.compile(r"Compression\s*off"))
    expect(facts).to_contain_text(re.compile(r"Scenarios\s*off"))


def test_an_upgrade_of_the_server_leaves_no_old_file_behind(open_page: OpenPage, serve: Serve) -> None:
    """A browser asks for each file again, and is told that it has it."""
    server = serve()
    client = open_page(f"{server.http_url}/")
    # A page that stays would ask the server that is gone.
    client.page.goto("about:blank")
    server.stop()
    serve("--port", str(server.port))
    statuses: dict[str, int] = {}
    client.page.on("response", lambda response: statuses.update({urlsplit(response.url).path: response.status}))
    client.open(f"{server.http_url}/")
    assert statuses.keys() >= {f"/{module.relative_to(STATIC.parent).as_posix()}" for module in graph(ENTRY)}
    assert set(statuses.values()) <= {200, 304}
    client.connect()
    expect_echo(client)


@pytest.mark.parametrize("path", ["/echo/", "/echo"])
def test_behind_a_proxy_everything_stays_under_its_path(
    open_page: OpenPage, server: RunningServer, tmp_path: Path, path: str
) -> None:
    under_echo = (
        ("location / {", "location /echo/ {"),
        ("proxy_pass http://127.0.0.1:8080;", "proxy_pass http://127.0.0.1:8080/;"),
    )
    with proxy("nginx", server.port, tmp_path, instead=under_echo, path="/echo/") as front:
        client = open_page(f"{front.url}{path}", ignore_https_errors=True)
        expect(client.url).to_have_value(f"wss://127.0.0.1:{front.port}/echo/ws")
        client.connect()
        expect_echo(client)
        expect_metrics(client)
        for name in ("metrics", "info", "health"):
            link = client.panel.get_by_role("link", name=name)
            assert link.evaluate("(link) => link.href") == f"{front.url}/echo/{name}"
            expect(link).to_have_attribute("target", "_blank")
        expect_scenarios(client)
        assert paths(client) >= {"/echo/", "/echo/info", "/echo/metrics", "/echo/scenarios.json"}
        assert all(asked.startswith("/echo") for asked in paths(client))
        client.page.close()


def test_a_proxy_that_adds_no_slash_is_helped(open_page: OpenPage, server: RunningServer) -> None:
    """Traefik's StripPrefix serves the page at both /echo and /echo/."""

    def forward(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/echo"):
            route.fulfill(response=route.fetch(url=server.http_url + (path.removeprefix("/echo") or "/")))
        else:
            route.fulfill(status=404)

    client = open_page(f"{server.http_url}/")
    client.page.route("http://localhost:9/**", forward)
    client.page.goto("http://localhost:9/echo")
    expect(client.url).to_have_value("ws://localhost:9/echo/ws")
    assert client.page.url == "http://localhost:9/echo/"
    expect(client.log).to_be_visible()
    client.page.unroute_all(behavior="ignoreErrors")
    client.page.close()
    client.problems.clear()
    client.requests.clear()


def test_over_tls_the_page_connects_with_tls(open_page: OpenPage, serve: Serve, certificate: Certificate) -> None:
    server = serve(*certificate.options)
    client = open_page(f"{server.http_url}/", ignore_https_errors=True)
    expect(client.url).to_have_value(f"{server.ws_url}/ws")
    client.connect()
    expect_echo(client)
    expect_metrics(client)
    expect_scenarios(client)
    assert client.page.evaluate("crossOriginIsolated") is True


def test_a_public_server_serves_eight_connections_of_a_page(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--public")
    client = open_page(f"{server.http_url}/")
    for number in range(MOST_CONNECTIONS):
        if number:
            client.page.get_by_role("button", name="New connection").click()
        client.connect()
        expect_echo(client)
    server.wait_for_metrics(websocket_active_connections=MOST_CONNECTIONS, websocket_messages_sent_total=8)
    expect_scenarios(client)


def test_with_an_admin_port_the_page_says_where_the_metrics_are(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--admin-port", "0")
    client = open_page(f"{server.http_url}/")
    client.allowed.append(r"\b404 \(")
    client.tab("Server").click()
    expect(client.panel).to_contain_text("Metrics are on the admin port only.")
    client.connect()
    expect_echo(client)


def test_without_scenarios_the_page_says_so(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--no-scenarios")
    client = open_page(f"{server.http_url}/")
    client.allowed.append(r"\b404 \(")
    client.tab("Scenarios").click()
    expect(client.panel).to_contain_text("Scenarios are off on this server.")
    client.connect()
    expect_echo(client)


def test_with_a_token_everything_works(open_page: OpenPage, serve: Serve) -> None:
    server = serve("--auth-token", TOKEN)
    client = open_page(f"{server.http_url}/")
    client.allowed.append(r"\b401 \(")  # of the requests before the token is there
    client.tab("Server").click()
    expect(client.panel).to_contain_text("Metrics want a token.")
    client.fill_token(TOKEN)
    expect_metrics(client)
    client.connect()
    expect_echo(client)
    expect_scenarios(client)
    client.panel.get_by_label("Search scenarios").fill("20.1.1 ")
    client.panel.get_by_text("close/1000", exact=True).click()
    client.panel.get_by_role("button", name="Run", exact=True).first.click()
    expect(client.panel.get_by_role("button", name=re.compile("^close.1000 .*As expected$"))).to_be_visible()


def test_from_another_machine_over_plain_http_the_page_works(open_page: OpenPage, server: RunningServer) -> None:
    """Such a page is no secure context: it has no clipboard and no precise clock."""
    client = open_page(f"http://{ELSEWHERE}:{server.port}/")
    # The header that asks for isolation means nothing there, which the browser says.
    client.allowed.append("Cross-Origin-Opener-Policy")
    assert client.page.evaluate("[isSecureContext, crossOriginIsolated]") == [False, False]
    expect(client.url).to_have_value(f"ws://{ELSEWHERE}:{server.port}/ws")
    client.connect()
    expect_echo(client)
