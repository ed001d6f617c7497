"""WebSockets through the wire, on both codecs, with independent clients and with raw sockets.

Modules: `websocket_connection`, `echo_factory`, `transports`.
"""

import asyncio
import hashlib
import os
import random
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import picows
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    client_frame,
    encoded_length,
    long_client_frame,
    server_close,
    server_frame,
)
from tests.shared.memory import peak_memory, resident_memory
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, RunningServer

MIXED_MESSAGES: list[str | bytes] = [
    "hello",
    "",
    b"",
    b"\x00\xff" * 40,
    "x" * 125,
    "x" * 126,
    b"y" * 65535,
    b"y" * 65536,
    "κόσμε 🙂 " * 5000,
    random.Random(100_000).randbytes(100_000),
    random.Random(3_000_000).randbytes(3_000_000),
    "é" * 1_500_000,
]


@asynccontextmanager
async def connected(server: RunningServer, **settings: Any) -> AsyncIterator[ClientConnection]:
    settings = {"compression": None, "max_size": None, "proxy": None, "open_timeout": PATIENCE} | settings
    async with websockets.connect(server.ws_url + "/any/path?at=all", **settings) as client:
        yield client


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_greeting_comes_first_and_is_counted_as_sent(serve: Serve, codec_name: str, compression: str | None) -> None:
    server = serve("--greeting", "Request served by wsécho", "--codec", codec_name)

    async def converse() -> None:
        async with connected(server, compression=compression) as client:
            assert await client.recv() == "Request served by wsécho"
            for message in ("hello", "hello", b"bytes"):
                await client.send(message)
                assert await client.recv() == message

    asyncio.run(converse())
    with RawConnection(server.port) as client:
        client.send(HANDSHAKE + client_frame(TEXT, b"early"))
        answer = server_frame(TEXT, "Request served by wsécho".encode()) + server_frame(TEXT, b"early")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.receive(1)
        assert client.receive(len(answer)) == answer
    server.wait_for_metrics(
        websocket_active_connections=0, websocket_messages_received_total=4, websocket_messages_sent_total=6
    )
    payload = 25 * 2 + 15 + 5
    if compression is None:
        server.wait_for_metrics(websocket_sent_bytes_total=payload, websocket_received_bytes_total=payload - 25 * 2)


def test_the_websockets_client_gets_back_what_it_sends(shared_server: RunningServer) -> None:
    async def converse() -> None:
        async with connected(shared_server) as client:
            for message in MIXED_MESSAGES:
                await client.send(message)
                assert await client.recv() == message
            await client.send(["in ", "three ", "fragments"])
            assert await client.recv() == "in three fragments"
            assert await asyncio.wait_for(await client.ping(b"still there?"), PATIENCE) >= 0
            await client.close(3456, "enough")
            assert (client.close_code, client.close_reason) == (3456, "enough")

    asyncio.run(converse())


def test_many_messages_in_flight_come_back_in_order(shared_server: RunningServer) -> None:
    async def converse() -> None:
        async with connected(shared_server) as client:
            messages = [random.Random(number).randbytes(number % 700) for number in range(3000)]
            sending = asyncio.create_task(_send_all(client, messages))
            for message in messages:
                assert await client.recv() == message
            await sending

    asyncio.run(converse())


async def _send_all(client: ClientConnection, messages: list[bytes]) -> None:
    for message in messages:
        await client.send(message)


def test_the_picows_client_gets_back_what_it_sends(shared_server: RunningServer) -> None:
    class Listener(picows.WSListener):  # type: ignore[misc]
        def __init__(self) -> None:
            self.arrived: asyncio.Queue[tuple[Any, bytes]] = asyncio.Queue()

        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            self.arrived.put_nowait((frame.msg_type, frame.get_payload_as_bytes()))

    async def converse() -> None:
        transport, listener = await picows.ws_connect(Listener, shared_server.ws_url)
        for message in (b"", b"x", os.urandom(20_000), os.urandom(1_000_000)):
            transport.send(picows.WSMsgType.BINARY, message)
            kind, payload = await asyncio.wait_for(listener.arrived.get(), PATIENCE)
            assert (kind, payload) == (picows.WSMsgType.BINARY, message)
        transport.send_close(picows.WSCloseCode.OK, b"done")
        kind, payload = await asyncio.wait_for(listener.arrived.get(), PATIENCE)
        assert (kind, payload) == (picows.WSMsgType.CLOSE, b"\x03\xe8done")
        await asyncio.wait_for(transport.wait_disconnected(), PATIENCE)

    asyncio.run(converse())


def test_the_first_subprotocol_is_spoken(shared_server: RunningServer) -> None:
    async def converse() -> None:
        async with connected(
            shared_server,
            subprotocols=[websockets.Subprotocol("b"), websockets.Subprotocol("a")],
            compression="deflate",
        ) as client:
            assert client.subprotocol == "b"

    asyncio.run(converse())


def test_the_server_says_nothing_unasked(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port).open() as connection:
        connection.send(client_frame(CLOSE))
        assert connection.receive_all() == server_frame(CLOSE)


def test_fragments_arrive_as_they_were_sent(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port).open() as connection:
        connection.send(
            client_frame(TEXT, b"a", fin=False) + client_frame(PING, b"p") + client_frame(CONTINUATION, b"", fin=False)
        )
        connection.send(client_frame(CONTINUATION, b"b") + client_frame(CLOSE))
        assert connection.receive_all() == (
            server_frame(TEXT, b"a", fin=False)
            + server_frame(PONG, b"p")
            + server_frame(CONTINUATION, b"", fin=False)
            + server_frame(CONTINUATION, b"b")
            + server_frame(CLOSE)
        )


def test_bytes_that_arrive_one_by_one_make_the_same_frames(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port).open() as connection:
        data = client_frame(TEXT, b"slow") + client_frame(PING, b"p") + client_frame(BINARY, bytes(200))
        for index in range(len(data)):
            connection.send(data[index : index + 1])
        expected = server_frame(TEXT, b"slow") + server_frame(PONG, b"p") + server_frame(BINARY, bytes(200))
        assert connection.receive(len(expected)) == expected


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (client_frame(TEXT, b"x", mask=None), 1002, "frame from a client is not masked"),
        (client_frame(3), 1002, "reserved opcode"),
        (client_frame(TEXT, b"\xff"), 1007, "text is not valid UTF-8"),
        (
            client_frame(BINARY, length=b"\x7f\x00\x00\x00\x00\x04\x00\x00\x01"),
            1009,
            "message is longer than the limit",
        ),
    ],
)
def test_a_violation_is_answered_after_the_echoes_before_it_even_to_a_client_that_goes_on_sending(
    shared_server: RunningServer, data: bytes, code: int, reason: str
) -> None:
    with RawConnection(shared_server.port).open() as connection:
        connection.send(client_frame(TEXT, b"first") + data + client_frame(TEXT, b"never answered"))
        connection.send(bytes(500_000))
        assert connection.receive_all() == server_frame(TEXT, b"first") + server_close(code, reason)


def test_the_server_closes_first_after_the_closing_handshake(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port).open() as connection:
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_frame(CLOSE, b"\x03\xe8")


def test_what_was_sent_before_a_half_close_is_still_echoed(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port).open() as connection:
        connection.send(client_frame(TEXT, b"last words"))
        connection.half_close()
        assert connection.receive_all() == server_frame(TEXT, b"last words")


def test_a_long_text_that_turns_bad_in_its_middle_is_cut_off(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port).open() as connection:
        frame = client_frame(TEXT, b"x" * 300_000 + b"\xff" + b"x" * 100)
        connection.send(frame[:100_000])
        assert connection.receive(50_000) == server_frame(TEXT, b"x" * 300_101)[:50_000]
        connection.send(frame[100_000:])
        # Neither the rest of the frame nor a Close frame can follow, so the server ends the connection.
        remaining = connection.receive_all()
        assert remaining == b"x" * len(remaining)
        assert len(remaining) < 250_000


def test_one_client_that_breaks_rules_disturbs_no_other(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port).open() as good:
        for _ in range(30):
            with RawConnection(shared_server.port).open() as bad:
                bad.send(client_frame(TEXT, b"half", fin=False)[:-2])
                bad.reset()
        good.send(client_frame(TEXT, b"unharmed"))
        assert good.receive(10) == server_frame(TEXT, b"unharmed")


def test_a_client_that_does_not_read_is_not_read_from(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--stall-timeout", "30s")
    chunk = client_frame(BINARY, bytes(60_000))
    with RawConnection(server.port, receive_buffer=4096).open() as lazy, RawConnection(server.port).open() as good:
        before = resident_memory(server.pid)
        lazy.socket.settimeout(0.5)
        sent, rest = 0, chunk
        with suppress(TimeoutError):
            while sent < 64 << 20:
                # The kernel may take a part of a frame. What comes next must be the rest of it.
                count = lazy.socket.send(rest)
                sent, rest = sent + count, rest[count:] or chunk
        assert sent < 64 << 20
        assert resident_memory(server.pid) - before < 8 << 20
        good.send(client_frame(TEXT, b"still served"))
        assert good.receive(14) == server_frame(TEXT, b"still served")


@pytest.mark.parametrize("size", [1000, 60_000])
def test_a_client_that_only_writes_gets_little_memory_and_not_for_long(serve: Serve, size: int) -> None:
    """Many messages, none of them read: a loan is made for one message, not for all that follow."""
    server = serve("--stall-timeout", "2s")
    before = resident_memory(server.pid)
    with RawConnection(server.port).open() as greedy, pytest.raises(ConnectionError):
        send_forever(greedy, client_frame(BINARY, bytes(size)) * 50)
    assert peak_memory(server.pid) - before < 8 << 20
    server.wait_for_metrics(websocket_active_connections=0)


def test_a_client_that_does_not_read_is_cut_off_in_the_end(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--stall-timeout", "300ms")
    with RawConnection(server.port, receive_buffer=4096).open() as lazy, pytest.raises(ConnectionError):
        send_forever(lazy, client_frame(BINARY, bytes(60_000)))
    server.wait_for_metrics(websocket_active_connections=0)


def send_forever(connection: RawConnection, data: bytes) -> None:
    while True:
        connection.send(data)


def test_a_client_that_reads_late_gets_every_byte(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    message = random.Random(1).randbytes(1 << 20)
    frame, reply = client_frame(BINARY, message), server_frame(BINARY, message)
    with RawConnection(server.port, receive_buffer=4096).open() as late:
        sending = threading.Thread(target=late.send, args=(frame * 20,))
        sending.start()
        for _ in range(20):
            assert late.receive(len(reply)) == reply
        sending.join(PATIENCE)


def test_single_bytes_that_wait_are_few(serve: Serve, codec_name: str) -> None:
    # A lower limit than the server's own, so that the test reaches it soon.
    change = (
        "from wsecho.codec import wire; from wsecho.connections import websocket_connection; wire.MANY_PIECES = 16\n"
    )
    change += "websocket_connection._MAX_OVERHEAD = 260 * websocket_connection._PIECE_OVERHEAD"
    options = ("--codec", codec_name, "--write-buffer-limit", "1GiB", "--stall-timeout", "1s")
    server = serve(*options, command=patched(change))
    with RawConnection(server.port, receive_buffer=4096).open() as lazy:
        frame = long_client_frame(BINARY, bytes(60 << 20))
        lazy.send(frame[: 12 << 20])
        # Now echoes wait. Each byte is read alone, and the waiting bytes never come near the write buffer limit.
        with suppress(ConnectionError):
            for _ in range(2000):
                lazy.send(b"x")
                if server.metrics()["websocket_active_connections"] == 0:
                    break
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen['websocket_timeouts_total{limit="stall"}'] == 1


def test_100_connections_of_16_mib_each_at_once_come_back_intact_in_flat_memory(serve: Serve, codec_name: str) -> None:
    size, count = (16 << 20, 100) if codec_name == "compiled" else (2 << 20, 30)
    # Without loans, which a client that is slow for some seconds could get. This test measures memory, not speed.
    server = serve("--codec", codec_name, "--loan-limit", "0")
    payload = random.Random(2).randbytes(size)
    frame = long_client_frame(BINARY, payload)
    digest = hashlib.sha256(b"\x82" + encoded_length(size) + payload).digest()

    async def echo_one(ready: asyncio.Barrier) -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        async with ready:
            pass

        async def send() -> None:
            writer.write(memoryview(frame))
            await writer.drain()

        sending = asyncio.create_task(send())
        received, left = hashlib.sha256(), size + 10
        while left:
            piece = await reader.read(min(left, 1 << 18))
            assert piece
            received.update(piece)
            left -= len(piece)
        await sending
        writer.close()
        return received.digest() == digest

    async def echo_all() -> list[bool]:
        ready = asyncio.Barrier(count)
        return await asyncio.gather(*(echo_one(ready) for _ in range(count)))

    server.get("/metrics")
    before = resident_memory(server.pid)
    assert all(asyncio.run(echo_all()))
    assert peak_memory(server.pid) - before < 16 << 20
    server.wait_for_metrics(
        websocket_active_connections=0, websocket_messages_received_total=count, websocket_messages_sent_total=count
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_sends_a_close_to_every_client(serve: Serve, codec_name: str, number: signal.Signals) -> None:
    server = serve("--codec", codec_name)

    async def converse() -> None:
        async with connected(server) as first, connected(server) as second:
            await first.send("last message")
            assert await first.recv() == "last message"
            server.process.send_signal(number)
            for client in (first, second):
                await asyncio.wait_for(client.wait_closed(), PATIENCE)
                assert (client.close_code, client.close_reason) == (1001, "server is shutting down")

    asyncio.run(converse())
    assert server.wait() == 0


def test_a_stop_waits_for_the_end_of_a_long_frame(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    payload = bytes(200_000)
    frame, reply = client_frame(BINARY, payload), server_frame(BINARY, payload)
    with RawConnection(server.port).open() as connection:
        connection.send(frame[:100_000])
        assert connection.receive(50_000) == reply[:50_000]
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        connection.send(frame[100_000:])
        assert connection.receive(len(reply) - 50_000) == reply[50_000:]
        close = server_close(1001, "server is shutting down")
        assert connection.receive(len(close)) == close
        connection.send(client_frame(CLOSE, b"\x03\xe9"))
        assert connection.receive_all() == b""
    assert server.wait() == 0


def test_clients_that_never_answer_do_not_delay_a_stop(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--close-timeout", "10s", "--drain-timeout", "500ms")
    with RawConnection(server.port).open() as deaf, RawConnection(server.port) as silent:
        silent.send(b"GET / HT")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert deaf.receive(2) == server_close(1001, "server is shutting down")[:2]
        # The silent connection counts as well, unless the signal came before its first bytes.
        assert server.wait_for_log("stopped")["cut_off"] in (1, 2)
