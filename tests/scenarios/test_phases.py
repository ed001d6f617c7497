"""Scenarios of several connections: what a raw client and real clients see of each, and what /seen says of all.

Modules: `phases`.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import aiohttp
import pytest
import websockets

from tests.conftest import Serve
from tests.scenarios.scenes import head, request
from tests.shared.frames import CLOSE, client_frame
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from wsecho.scenarios.catalogue import SEQUENCES, WORDS
from wsecho.scenarios.language.word import Row

Attempt = dict[str, Any]
TWICE = [row for word in WORDS for row in word.rows if "two connections" in row.needs]


async def with_websockets(url: str) -> Attempt:
    try:
        connection = await websockets.connect(url)
    except websockets.InvalidStatus as refusal:
        return {"opened": False, "status": refusal.response.status_code}
    return await _reported(connection)


async def _reported(connection: websockets.ClientConnection) -> Attempt:
    try:
        await connection.send("still there?")
        assert await connection.recv() == "still there?"
    except websockets.ConnectionClosed:
        code = connection.close_code
        return {"opened": True, "close_code": code, "clean": code != 1006}
    await connection.close()
    return {"opened": True}


async def with_aiohttp(url: str) -> Attempt:
    async with aiohttp.ClientSession() as session:
        try:
            connection = await session.ws_connect(url)
        except aiohttp.WSServerHandshakeError as refusal:
            return {"opened": False, "status": refusal.status}
        # A connection that has ended may refuse the message.
        with contextlib.suppress(aiohttp.ClientConnectionError):
            await connection.send_str("still there?")
        message = await connection.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            await connection.close()
            return {"opened": True}
        code = connection.close_code
        return {"opened": True, "close_code": code, "clean": code != 1006}


CLIENTS: dict[str, Callable[[str], Awaitable[Attempt]]] = {"websockets": with_websockets, "aiohttp": with_aiohttp}


def keyed(row: Row, key: str) -> str:
    return f"{row.url}{'&' if '?' in row.url else '?'}key={key}"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("row", SEQUENCES, ids=lambda row: row.number)
def test_real_clients_see_each_connection_as_expected(server: RunningServer, row: Row, client: str) -> None:
    key = f"{client}.{row.number}"
    url = server.ws_url + keyed(row, key)
    expected = row.expect["attempts"]
    assert [asyncio.run(CLIENTS[client](url)) for _ in expected] == expected  # type: ignore[arg-type]
    document = json.loads(server.get(f"/seen?key={key}")[2])
    assert document["attempts"] == len(expected)
    statuses = [one["status"] for one in document["connections"]]
    assert statuses == [attempt.get("status", 101) for attempt in expected]
    for one, attempt in zip(document["connections"], expected, strict=True):
        if attempt.get("clean"):
            assert one["close"]["sent"]["code"] == attempt["close_code"]
            # aiohttp does not return the code; RFC 6455 section 5.5.1 says that clients typically do.
            answered = 1000 if client == "aiohttp" else attempt["close_code"]
            assert one["close"]["received"]["code"] == answered
    began = [one["began"] for one in document["connections"]]
    assert began == sorted(began)


async def all_with_websockets(url: str) -> tuple[list[str], int]:
    async with websockets.connect(url, proxy=None) as connection:
        messages = []
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                messages.append(str(await connection.recv()))
        return messages, connection.close_code or 0


async def all_with_aiohttp(url: str) -> tuple[list[str], int]:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as connection:
        messages = [message.data async for message in connection if message.type is aiohttp.WSMsgType.TEXT]
        return messages, connection.close_code or 0


@pytest.mark.parametrize("read_all", [all_with_websockets, all_with_aiohttp])
@pytest.mark.parametrize("row", TWICE, ids=lambda row: row.number)
def test_real_clients_read_a_stream_over_two_connections(
    server: RunningServer, row: Row, read_all: Callable[[str], Coroutine[Any, Any, tuple[list[str], int]]]
) -> None:
    url = server.ws_url + keyed(row, read_all.__name__)
    (first, lost), (second, code) = asyncio.run(read_all(url)), asyncio.run(read_all(url))
    assert first + second == row.expect["messages"]
    assert (lost, code) == (1006, row.expect["close_code"])


@pytest.mark.parametrize("row", SEQUENCES, ids=lambda row: row.number)
def test_a_raw_client_over_two_workers(two_workers: RunningServer, row: Row) -> None:
    for attempt in row.expect["attempts"]:
        with RawConnection(two_workers.port) as connection:
            connection.send(request(keyed(row, "raw")))
            answer = head(connection)
            assert answer.split()[1] == str(attempt.get("status", 101))
            if attempt.get("clean"):
                code = attempt["close_code"].to_bytes(2, "big")
                assert connection.receive(4) == b"\x88\x02" + code
                connection.send(client_frame(CLOSE, code))
                assert connection.receive_all() == b""
            elif not attempt["opened"]:
                connection.receive_all()
            elif "close_code" in attempt:
                assert connection.is_reset() is ("abort" in row.url)


@pytest.fixture
def two_workers(serve: Serve) -> RunningServer:
    return serve("--workers", "2")
