"""Several connections: each has its own worker, log, options and counts.

Modules: `connections`.
"""

import re

from playwright.sync_api import expect

from tests.page.client import Client
from tests.shared.server import RunningServer


def test_eight_connections_work_at_the_same_time(client: Client, server: RunningServer) -> None:
    counts = client.context("""async ({ connections }) => {
      while (!connections.isFull) connections.open();
      connections.open();
      const all = connections.list;
      all.forEach((each, index) => {
        for (let count = 0; count <= index; count += 1) each.send({ kind: "text", data: `${index}` });
      });
      const isDone = () => all.every(({ counts }, index) => counts.received === index + 1);
      while (!isDone()) await new Promise((done) => setTimeout(done, 10));
      return all.map(({ counts, log }) => [counts.sent, counts.received, log.length]);
    }""")
    assert [count[:2] for count in counts] == [[number, number] for number in range(1, 9)]
    assert all(rows == 2 * sent + 2 for sent, _, rows in counts)
    server.wait_for_metrics(websocket_active_connections=8)


def test_closing_one_ends_its_connection_and_keeps_the_others(client: Client, server: RunningServer) -> None:
    client.connect()
    client.context("({ connections }) => connections.open()")
    client.connect()
    client.context("({ connections }) => connections.close(connections.active.id)")
    server.wait_for_metrics(websocket_active_connections=1)
    client.send("still here")
    expect(client.row("still here")).to_have_count(2)


def test_the_last_one_is_replaced(client: Client) -> None:
    client.connect()
    client.context("({ connections }) => connections.close(connections.active.id)")
    expect(client.state).to_have_text("Not connected")
    client.connect()
    expect(client.state).to_have_text(re.compile("^Connected"))


def test_each_has_its_own_options(client: Client) -> None:
    client.url.fill("ws://one.example/")
    client.context("({ connections }) => connections.open()")
    expect(client.url).to_have_value("ws://one.example/")
    client.url.fill("ws://two.example/")
    client.context("({ connections }) => connections.select(connections.list[0].id)")
    expect(client.url).to_have_value("ws://one.example/")
