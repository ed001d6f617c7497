"""The Server panel in a real browser: what it reads, when, and what it makes of it.

Module: `static/view/server-panel.js`.
"""

import re

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.conftest import Serve
from tests.page.client import FAILED_CONNECTION, Client
from tests.page.conftest import OpenPage
from tests.page.speed import demand
from tests.shared.server import RunningServer

PERIOD = 2000  # ms between two reads
READS = 6
INTERVAL = 20  # ms between messages of the load: 50 a second


def shown(client: Client) -> Locator:
    client.tab("Server").click()
    return client.page.get_by_role("tabpanel", name="Server")


def tile(panel: Locator, title: str) -> Locator:
    return panel.locator(".tile").filter(has=panel.page.get_by_role("heading", name=title, exact=True))


def test_six_tiles_with_the_names_of_their_metrics(open_page: OpenPage) -> None:
    panel = shown(open_page())
    expect(panel.locator(".tile")).to_have_count(6)
    expect(tile(panel, "Connections")).to_contain_text("websocket_active_connections")
    expect(tile(panel, "Connections").locator(".value")).to_have_text("0")
    label = re.compile("Connections over two minutes: 0")
    expect(tile(panel, "Connections").get_by_role("img", name=label)).to_be_visible()


def test_rates_are_within_five_percent_of_a_known_load(open_page: OpenPage) -> None:
    client = open_page()
    panel = shown(client)
    plan = {"mode": "interval", "interval": INTERVAL, "seconds": 60, "payload": {"size": 100, "filling": "zeros"}}
    client.context("({ connections }, plan) => connections.active.measure(plan)", plan)
    messages = tile(panel, "Messages a second")
    value = messages.locator(".value")
    expect(value).to_have_text(re.compile(r"↓ \d\d"))
    # The label of the chart is written at each read, also if it stays the same.
    messages.evaluate(
        "(tile) => new MutationObserver(() => (window.rates ??= []).push(tile.querySelector('.value').textContent))"
        ".observe(tile.querySelector('canvas'), { attributeFilter: ['aria-label'] })"
    )
    client.page.wait_for_function(f"() => window.rates?.length >= {READS}")
    rates = [float(text.removeprefix("↓ ")) for text in client.page.evaluate("window.rates")]
    assert min(rates) > 0
    # On a busy machine the load itself comes in gusts.
    average = sum(rates) / len(rates)
    demand(average == pytest.approx(1000 / INTERVAL, rel=0.05), f"a load of {1000 / INTERVAL:g} a second: {rates}")
    expect(tile(panel, "Payload a second").locator(".value")).to_have_text(re.compile(r"↓ [\d,.]+ (B|KiB)"))
    client.context("({ connections }) => connections.active.stop()")


def test_closes_and_refusals_are_counted_by_name(open_page: OpenPage, server: RunningServer) -> None:
    client = open_page()
    client.allowed.append(FAILED_CONNECTION)
    panel = shown(client)
    expect(panel.locator(".tile")).to_have_count(6)
    for path in ("ws/close/4000", "ws/nothing"):
        client.page.evaluate(
            "(url) => new Promise((resolve) => { new WebSocket(url).onclose = resolve; })", f"{server.ws_url}/{path}"
        )
    expect(tile(panel, "Closes")).to_contain_text("4xxx: 1")
    expect(tile(panel, "Refusals")).to_contain_text("scenario: 1")


def test_it_reads_only_while_it_is_visible(open_page: OpenPage) -> None:
    client = open_page()
    assert not [url for url in client.requests if url.endswith("/metrics")]
    panel = shown(client)
    expect(panel.locator(".tile")).to_have_count(6)
    client.tab("Scenarios").click()
    before = len([url for url in client.requests if url.endswith("/metrics")])
    # Two periods, by the page's own clock.
    client.page.evaluate(f"new Promise((resolve) => setTimeout(resolve, {2 * PERIOD}))")
    assert len([url for url in client.requests if url.endswith("/metrics")]) <= before + 1
    with client.page.expect_request("**/metrics"):
        client.tab("Server").click()


def test_a_token_is_wanted_and_taken(open_page: OpenPage, serve: Serve) -> None:
    client = open_page(serve("--auth-token", "letmein").http_url + "/")
    client.allowed.append(r"\b401 \(")
    panel = shown(client)
    expect(panel.get_by_role("status")).to_contain_text("Metrics want a token.")
    client.context("({ connections }) => { connections.active.options.token = 'letmein'; }")
    expect(panel.locator(".tile")).to_have_count(6)


def test_metrics_on_the_admin_port(open_page: OpenPage, serve: Serve) -> None:
    client = open_page(serve("--admin-port", "0").http_url + "/")
    client.allowed.append(r"\b404 \(")
    panel = shown(client)
    expect(panel.get_by_role("status")).to_have_text("Metrics are on the admin port only.")


def test_a_server_that_drains(open_page: OpenPage) -> None:
    client = open_page()
    client.allowed.append(r"\b503 \(")
    client.page.route("**/ready", lambda route: route.fulfill(status=503, body="draining"))
    panel = shown(client)
    expect(panel.get_by_role("status")).to_contain_text("The server is draining")


def test_hostile_metrics_are_text(open_page: OpenPage) -> None:
    client = open_page()
    body = "websocket_active_connections 1e999\n" + 'websocket_closes_total{code="<img src=x onerror=alert(1)>"} 1\n'
    bodies = [body, body.replace("} 1", "} 9")]

    def answer(route: Route) -> None:
        route.fulfill(body=bodies.pop(0) if len(bodies) > 1 else bodies[0])

    client.page.route("**/metrics", answer)
    panel = shown(client)
    expect(tile(panel, "Closes")).to_contain_text("<img src=x onerror=alert(1)>: 8")
    assert client.page.evaluate("document.querySelectorAll('#panels img').length") == 0
    bodies[:] = ["x" * 5_000_000]
    expect(panel.get_by_role("status")).to_have_text("The server answers with something else than metrics.")
