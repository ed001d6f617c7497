"""WebSockets over TLS: the echo, the closing handshake together with the end of TLS, and clients that do not read.

Modules: `transport`, `errors`, `facts`.
"""

import asyncio
import os
import select
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import Serve
from tests.shared.certificates import Certificate
from tests.shared.frames import BINARY, CLOSE, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.memory import peak_memory, resident_memory
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, RunningServer

MIB = 1 << 20


@pytest.mark.parametrize("compression", ["deflate", None])
def test_websockets_gets_its_messages_back(
    tls_server: RunningServer, trusting: ssl.SSLContext, compression: str | None
) -> None:
    async def talk() -> int | None:
        async with (
            asyncio.timeout(PATIENCE),
            connect(tls_server.ws_url, ssl=trusting, compression=compression, max_size=None) as client,
        ):
            assert [extension.name for extension in client.protocol.extensions] == (
                ["permessage-deflate"] if compression else []
            )
            for message in ("", "hällo", b"\x00\xff" * 3, "x" * 100_000, os.urandom(MIB)):
                await client.send(message)
                assert await client.recv() == message
            await client.close(3000, "enough")
        return client.close_code

    assert asyncio.run(talk()) == 3000


def test_aiohttp_gets_its_messages_back(tls_server: RunningServer, trusting: ssl.SSLContext) -> None:
    async def talk() -> int | None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(tls_server.ws_url, ssl=trusting, max_msg_size=0) as client,
        ):
            connection = client.get_extra_info("socket")
            for size in (0, 5, 70_000, MIB):
                message = os.urandom(size)
                await client.send_bytes(message)
                assert await client.receive_bytes(timeout=PATIENCE) == message
            await client.close(code=4001)
        # aiohttp does not wait for the end of TLS itself.
        async with asyncio.timeout(PATIENCE):
            while connection.fileno() >= 0:
                await asyncio.sleep(0.01)
        return client.close_code

    assert asyncio.run(talk()) == 4001


def test_what_is_valid_comes_back_before_the_violation_is_answered(
    tls_server: RunningServer, trusting: ssl.SSLContext
) -> None:
    with RawConnection(tls_server.port, tls=trusting).open() as client:
        client.send(client_frame(TEXT, b"good") + client_frame(PING, b"p") + client_frame(3))
        # The server announces the end (RFC 8446 section 6.1): without a close_notify this would raise.
        assert client.receive_all() == server_frame(TEXT, b"good") + server_frame(PONG, b"p") + server_close(
            1002, "reserved opcode"
        )


def test_the_closing_handshake_ends_with_the_end_of_tls(tls_server: RunningServer, trusting: ssl.SSLContext) -> None:
    with RawConnection(tls_server.port, tls=trusting).open() as client:
        client.send(client_frame(CLOSE, b"\x03\xe8bye") + client_frame(TEXT, b"too late"))
        assert client.receive_all() == server_close(1000, "bye")
        # The server has ended the client's direction as well, and waits for nothing more.
        assert isinstance(client.socket, ssl.SSLSocket)
        plain = client.socket.unwrap()
        assert plain.recv(1) == b""
        plain.close()


def received_after_the_end(port: int, trusting: ssl.SSLContext, said: bytes) -> bytes:
    """Send `said` and a close_notify in one segment, and return what the server sends until its own close_notify."""
    with RawConnection(port) as tcp:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")

        def exchange(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    tcp.send(outgoing.read())
                    incoming.write(tcp.socket.recv(1 << 16))

        exchange(client.do_handshake)
        client.write(said)
        with pytest.raises(ssl.SSLWantReadError):
            client.unwrap()  # writes the client's close_notify behind the message
        tcp.send(outgoing.read())
        while data := tcp.socket.recv(1 << 16):
            incoming.write(data)
        received = b""
        with suppress(ssl.SSLZeroReturnError):  # the server's close_notify
            while True:
                received += client.read(1 << 16)
    return received


def test_a_client_that_ends_tls_early_gets_what_is_on_its_way(
    tls_server: RunningServer, trusting: ssl.SSLContext
) -> None:
    message = os.urandom(100_000)
    received = received_after_the_end(tls_server.port, trusting, HANDSHAKE + client_frame(BINARY, message))
    assert received.endswith(server_frame(BINARY, message))


@pytest.mark.parametrize("paths", [["/metrics"], ["/metrics", "/metrics"], ["/health"] * 3, ["/health", "/metrics"]])
def test_a_client_that_ends_tls_behind_its_requests_gets_all_answers(
    tls_server: RunningServer, trusting: ssl.SSLContext, paths: list[str]
) -> None:
    requests = b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode() for path in paths)
    received = received_after_the_end(tls_server.port, trusting, requests)
    assert received.count(b"HTTP/1.1 200 OK\r\n") == len(paths)


def test_a_peer_that_never_ends_tls_is_cut_off(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve("--close-timeout", "300ms", *certificate.options)
    with RawConnection(server.port, tls=trusting).open() as client:
        client.send(client_frame(CLOSE, b"\x03\xe8"))
        assert client.receive_all() == server_frame(CLOSE, b"\x03\xe8")
        server.wait_for_metrics(websocket_active_connections=0)


def test_a_stop_closes_tls_connections_in_order(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve(*certificate.options)

    async def stay() -> int | None:
        async with asyncio.timeout(PATIENCE), connect(server.ws_url, ssl=trusting) as client:
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await client.recv()
        return client.close_code

    with (
        RawConnection(server.port, tls=trusting) as idle,
        RawConnection(server.port),  # has not started its handshake
    ):
        idle.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.receive(12) == b"HTTP/1.1 200"
        assert asyncio.run(stay()) == 1001
        assert idle.receive_all().endswith(b"ok\n")
        assert idle.socket.close() is None
    assert server.wait() == 0


# Clients that do not read


@pytest.mark.parametrize("receive_buffer_size", ["32KiB", "200"])
def test_a_client_that_does_not_read_is_not_read_from_and_loses_nothing(
    serve: Serve, codec_name: str, certificate: Certificate, trusting: ssl.SSLContext, receive_buffer_size: str
) -> None:
    server = serve("--codec", codec_name, "--receive-buffer-size", receive_buffer_size, *certificate.options)
    payloads = [os.urandom(3000) for _ in range(6000)]
    expected = b"".join(server_frame(BINARY, payload) for payload in payloads)
    with RawConnection(server.port, receive_buffer=1 << 16, tls=trusting).open() as client:
        before = resident_memory(server.pid)
        client.socket.setblocking(False)
        frames = [client_frame(BINARY, payload, mask=bytes(4)) for payload in payloads]
        while select.select([], [client.socket], [], 0.5)[1]:
            send_next(client.socket, frames)
        assert frames
        assert peak_memory(server.pid) - before < 2 * MIB
        received = bytearray()
        while len(received) < len(expected):
            assert any(select.select([client.socket], [client.socket] if frames else [], [], PATIENCE))
            send_next(client.socket, frames)
            with suppress(ssl.SSLWantReadError):
                while piece := client.socket.recv(1 << 16):
                    received += piece
        assert received == expected
    server.wait_for_metrics(websocket_active_connections=0, websocket_messages_sent_total=len(payloads))


def send_next(connection: socket.socket, frames: list[bytes]) -> None:
    """Send as much of the first frame as fits. TLS requires that an unsent record is sent again unchanged."""
    with suppress(ssl.SSLWantWriteError):
        if frames:
            frames[0] = frames[0][connection.send(frames[0]) :]
            if not frames[0]:
                del frames[0]


def test_a_long_message_written_before_its_echo_is_read_comes_back(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve(*certificate.options)
    message = os.urandom(16 * MIB)
    with RawConnection(server.port, tls=trusting).open() as client:
        client.send(client_frame(BINARY, message, mask=bytes(4)) + client_frame(CLOSE, b"\x03\xe8"))
        expected = server_frame(BINARY, message) + server_frame(CLOSE, b"\x03\xe8")
        assert client.receive_all() == expected
