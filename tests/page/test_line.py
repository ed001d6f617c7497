"""The worker with the socket: its counts are exact, and its times are not the page's.

Modules: `line`, `load`, `report`, `alarm`, `clock`, `worker`.
"""

import random
import re
from typing import Any

import pytest
from playwright.sync_api import expect
from websockets.sync.server import ServerConnection

from tests.conftest import Serve
from tests.page.client import FAILED_CONNECTION, Client
from tests.page.conftest import OpenPage
from tests.page.peers import peer
from tests.page.scripts import MEASURE
from tests.page.speed import demand
from tests.shared.server import RunningServer

RECEIVED = "websocket_messages_received_total"
NUMBERED = {"size": 64, "filling": "random", "seed": 3}
# The page is kept busy for 12 of each 16 ms.
BUSY = """() => {
  const work = () => {
    const end = performance.now() + 12;
    while (performance.now() < end);
    window.isIdle || requestAnimationFrame(work);
  };
  work();
}"""


def measure(client: Client, **plan: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.context(MEASURE, {"payload": NUMBERED} | plan)
    return found


def outcome(found: dict[str, Any]) -> dict[str, int]:
    return {name: found[name] for name in ("sent", "received", "lost", "duplicated", "reordered", "altered")}


def exact(**counts: int) -> dict[str, int]:
    return {"lost": 0, "duplicated": 0, "reordered": 0, "altered": 0} | counts


@pytest.mark.parametrize("mode", ["interval", "inflight", "burst"])
def test_a_load_that_comes_back_whole(client: Client, mode: str) -> None:
    plan = {"mode": mode, "interval": 2, "inFlight": 8, "count": 500, "seconds": 30}
    short, json, text = (
        {"size": 5, "filling": "zeros"},
        {"size": 200, "filling": "json"},
        {"kind": "text", "data": "hello"},
    )
    for payload in (NUMBERED, short, json, text):
        found = measure(client, payload=payload, **plan)
        assert outcome(found) == exact(sent=500, received=500), payload
        assert found["sentence"] == "All 500 came back, in order, unchanged."
        assert found["trips"] == 500
        assert found["counts"]["lost"] == found["counts"]["differs"] == 0


def median(client: Client, url: str, **plan: Any) -> float:
    """Return the median round trip in ms of messages sent one after the other on a new connection."""
    client.context("({ connections: { active } }) => active.disconnect()")
    expect(client.connect_button).to_be_visible()
    client.url.fill(url)
    found = measure(client, **{"mode": "inflight", "inFlight": 1, "seconds": 2} | plan)
    assert found["clockStep"] > 0
    return float(found["percentiles"][0])


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
def test_a_known_latency_is_measured_without_the_page(client: Client, server: RunningServer, is_busy: bool) -> None:
    if is_busy:
        client.page.evaluate(BUSY)
    url = f"{server.ws_url}/ws?latency=50ms"
    found = [median(client, url), median(client, url, mode="interval", interval=60, seconds=3)]
    assert all(trip >= 50 for trip in found)
    demand(all(trip <= 56 for trip in found), f"with 50 ms latency: {found}")


def test_losses_are_counted_exactly(client: Client, server: RunningServer) -> None:
    client.url.fill(f"{server.ws_url}/ws?drop=20&seed=7")
    lost = sum(random.Random(f"7 drop {number}").random() * 100 < 20 for number in range(1, 501))
    found = measure(client, mode="burst", count=500)
    assert outcome(found) == exact(sent=500, received=500 - lost, lost=lost)
    assert found["counts"]["lost"] == lost
    assert found["sentence"] == f"{500 - lost} of 500 came back: {lost} lost."


def lying(connection: ServerConnection) -> None:
    """An echo that, of each ten messages, sends one twice, swaps two, changes one and drops one."""
    held = None
    for number, message in enumerate(connection):
        assert isinstance(message, bytes)
        match number % 10:
            case 1:
                connection.send(message)
                connection.send(message)
            case 3:
                held = message
            case 4:
                connection.send(message)
                connection.send(held)
            case 6:
                connection.send(message[:20] + bytes([message[20] ^ 1]) + message[21:])
            case 8:
                pass
            case _:
                connection.send(message)


@pytest.mark.parametrize("mode", ["burst", "inflight", "interval"])
def test_a_lying_peer_is_counted_exactly(client: Client, mode: str) -> None:
    with peer(lying) as url:
        client.url.fill(url)
        found = measure(client, mode=mode, count=400, inFlight=20, interval=2, seconds=60)
    assert outcome(found) == exact(sent=400, received=360, lost=40, duplicated=40, reordered=40, altered=40)
    assert found["counts"] | {} == found["counts"] | {"sent": 400, "received": 400, "lost": 40, "differs": 40}


def test_an_altered_echo_names_its_byte_in_the_log(client: Client) -> None:
    def altering(connection: ServerConnection) -> None:
        for message in connection:
            assert isinstance(message, str)
            connection.send(message.replace("world", "warld"))

    with peer(altering) as url:
        client.connect(url)
        client.send("hello world")
        client.send("bye")
        expect(client.row("hello warld")).to_contain_text("byte 7")
        expect(client.row("bye")).to_have_count(2)
        echoes = client.context("""({ connections: { active: { log, counts } } }) => {
          const rows = Array.from({ length: log.length }, (_, id) => log.get(id));
          return [rows.filter(({ echo }) => echo).map(({ echo }) => echo.state), counts.differs];
        }""")
    assert echoes == [["differs", "differs", "same", "same"], 1]


def test_what_never_comes_back_is_lost_at_the_end(client: Client, server: RunningServer) -> None:
    client.connect(f"{server.ws_url}/ws/mute")
    client.send("hello")
    states = """({ connections: { active: { log } } }) =>
      Array.from({ length: log.length }, (_, id) => log.get(id).echo?.state).filter(Boolean)"""
    expect(client.row("hello")).to_be_visible()
    assert client.context(states) == ["waiting"]
    client.disconnect_button.click()
    expect(client.state).to_have_text("Closed 1000")
    assert client.context(states) == ["lost"]


def test_stop_ends_a_load(client: Client) -> None:
    client.connect()
    client.context(
        "({connections: {active}}, plan) => active.measure(plan)",
        {"mode": "interval", "interval": 5, "seconds": 3600, "payload": NUMBERED},
    )
    client.page.wait_for_function(
        "() => Number(document.querySelector('.bar-counts .received').textContent.slice(2)) > 5"
    )
    client.context("({connections: {active}}) => active.stop()")
    found = client.context("""async ({ connections: { active } }) => {
      while (active.measurement?.running !== false) await new Promise((done) => setTimeout(done, 20));
      return active.measurement.sentence;
    }""")
    assert re.fullmatch(r"All [\d,]+ came back, in order, unchanged\.", found)


def test_a_load_goes_on_after_a_reconnect(client: Client, server: RunningServer) -> None:
    client.allowed.append(FAILED_CONNECTION)
    client.page.get_by_role("button", name="Options").click()
    client.page.get_by_label("Reconnect when the connection ends").check()
    client.url.fill(f"{server.ws_url}/ws/after/50/abort/next?key=load")
    found = measure(client, mode="interval", interval=10, count=400, seconds=30)
    assert [mark["text"] for mark in found["marks"]] == ["closed", "reconnected"]
    assert found["sent"] + found["skipped"] == 400
    assert found["skipped"] > 50
    assert found["sent"] == found["received"] + found["lost"]


def test_rates_are_those_of_a_known_load(client: Client) -> None:
    found = measure(client, mode="interval", interval=5, seconds=5)
    series = client.context("""({ connections: { active: { rates } } }) =>
      rates.series(performance.timeOrigin + performance.now()).map(({ received }) => received)""")
    assert 0 < sum(series) <= found["received"]
    second_highest = sorted(series)[-2]
    demand(second_highest == pytest.approx(200, rel=0.05), f"rates of 200 a second: {series}")


def test_counts_equal_those_of_the_server(open_page: OpenPage, serve: Serve) -> None:
    server = serve()
    client = open_page(server.http_url + "/")
    sent = 0
    for plan in [
        {"mode": "burst", "count": 20_000},
        {"mode": "inflight", "inFlight": 50, "seconds": 1},
        {"mode": "interval", "interval": 1, "seconds": 1, "payload": {"size": 200, "filling": "json"}},
    ]:
        found = measure(client, **plan)
        sent += found["sent"]
        assert found["counts"]["sent"] == found["counts"]["received"] == sent
        assert found["counts"]["sentBytes"] == found["counts"]["receivedBytes"]
        received = [count for name, count in server.metrics().items() if name.startswith(RECEIVED)]
        assert sum(received) == sent
