"""Rows of the set `load` with real clients: they run, other clients are served meanwhile, and nothing is left behind.

What a client makes of them is its own affair: it may end a connection that costs it too much.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
import websockets

from tests.compatibility.performance import perform
from tests.compatibility.test_rows import installed, task
from tests.conftest import Serve
from tests.shared.memory import peak_memory
from tests.shared.processes import descriptors, wait_until
from wsecho.scenarios.catalogue import WORDS

LOAD = {row.number: row for word in WORDS for row in word.rows if row.demand == "load"}
SLOWLY = "read one message a second"
SECONDS = 3
# What the kernel and the server keep for a client that does not read is not what the scenario sends: 100 MB.
MOST_MEMORY = 32 << 20
Read = Callable[[], Awaitable[str]]


@asynccontextmanager
async def with_websockets(url: str) -> AsyncIterator[Read]:
    async with websockets.connect(url, proxy=None, close_timeout=1) as connection:

        async def read() -> str:
            return str(await connection.recv())

        yield read


@asynccontextmanager
async def with_aiohttp(url: str) -> AsyncIterator[Read]:
    timeout = aiohttp.ClientWSTimeout(ws_close=1)
    async with aiohttp.ClientSession() as session, session.ws_connect(url, timeout=timeout) as connection:
        yield connection.receive_str


CLIENTS = {"websockets": with_websockets, "aiohttp": with_aiohttp}


async def reads_slowly(client: str, url: str, echo: str) -> list[str]:
    """Read one message a second, and let another client have its echo before each."""
    async with CLIENTS[client](url) as read, websockets.connect(echo, proxy=None) as other:
        messages = []
        for _ in range(SECONDS):
            await other.send("still served?")
            assert await other.recv() == "still served?"
            messages.append(await read())
            await asyncio.sleep(1)
        return messages


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("number", [number for number, row in LOAD.items() if row.act == SLOWLY])
def test_a_client_that_reads_slowly_costs_no_memory(serve: Serve, codec_name: str, number: str, client: str) -> None:
    server = serve("--codec", codec_name, "--close-timeout", "1s")
    asyncio.run(reads_slowly(client, f"{server.ws_url}/ws/flood/{SECONDS}/10", server.ws_url))
    server.wait_for_metrics(websocket_active_connections=0)
    files, memory = descriptors(server.pid), peak_memory(server.pid)
    messages = asyncio.run(reads_slowly(client, server.ws_url + LOAD[number].url, server.ws_url))
    assert [message.partition(":")[0] for message in messages] == ["1", "2", "3"]
    server.wait_for_metrics(websocket_active_connections=0)
    wait_until(lambda: descriptors(server.pid) <= files)
    assert descriptors(server.pid) <= files
    assert peak_memory(server.pid) - memory < MOST_MEMORY


@pytest.mark.parametrize("client", ["websockets", "aiohttp", "ws"])
def test_rows_of_many_frames_run_with_real_clients(serve: Serve, codec_name: str, client: str) -> None:
    server = serve("--codec", codec_name, "--close-timeout", "1s")
    rows = [row for row in LOAD.values() if row.act != SLOWLY]
    files = descriptors(server.pid)
    tasks = [replace(task(row, client, server, server), limit=row.expect["within"]) for row in rows]
    outcomes = perform(installed(client), tasks)
    assert all(outcomes[row.number].opened for row in rows)
    # A client that takes part to the end has all messages; one that ends the connection has none of them wrong.
    assert all(outcomes[row.number].messages in ([], row.expect["messages"]) for row in rows)
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics["websocket_connections_total"] == len(rows)
    wait_until(lambda: descriptors(server.pid) <= files)
    assert descriptors(server.pid) <= files


def test_no_row_of_load_is_left_out() -> None:
    acts = {row.act for row in LOAD.values()}
    assert acts == {SLOWLY, "wait"}
