"""A connection that must end while a frame of its peer is being forwarded ends in time and is counted once.

Modules: `keepalive`, `registry`, `transports`, `websocket_connection`.
"""

import contextlib
import random

import pytest

from tests.conftest import Serve
from tests.shared.compression import Compressor, compressed_frame
from tests.shared.frames import (
    BINARY,
    CONTINUATION,
    TEXT,
    client_frame,
    long_client_frame,
    server_close,
    server_frame,
)
from tests.shared.raw import HANDSHAKE, OFFER, RawConnection
from tests.shared.server import RunningServer

# Random bytes cannot be compressed.
PAYLOAD = random.Random(4).randbytes(1 << 20)
LONG = client_frame(BINARY, PAYLOAD)
COMPRESSED = compressed_frame(BINARY, Compressor()(PAYLOAD))
FRAGMENTED = client_frame(TEXT, b"begin", fin=False) + client_frame(CONTINUATION, b"y" * (1 << 20))
MESSAGES = {"plain": (HANDSHAKE, LONG), "compressed": (OFFER, COMPRESSED), "fragmented": (HANDSHAKE, FRAGMENTED)}
TOO_FAST = "more frames or bytes a second than the limit"
BEGUN = 50_000
IDLE, LIFETIME, CLOSE_TIMEOUT = (
    f'websocket_timeouts_total{{limit="{limit}"}}' for limit in ("idle", "lifetime", "close")
)
TOO_FAST_COUNT = 'websocket_protocol_errors_total{reason="too_fast"}'


def begin(server: RunningServer, handshake: bytes, begun: bytes) -> RawConnection:
    """Return a connection that has sent a part of a frame and has read the beginning of its echo."""
    connection = RawConnection(server.port)
    # In one call, so that the part arrives before any time limit ends, however slow this process is.
    connection.send(handshake + begun)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.receive(1)
    assert len(connection.receive(1000)) == 1000
    return connection


def end_of(connection: RawConnection) -> bytes:
    """Read to the end, which may be a reset."""
    received = bytearray()
    with connection, contextlib.suppress(ConnectionResetError):
        while piece := connection.socket.recv(1 << 16):
            received += piece
    return bytes(received)


@pytest.mark.parametrize(
    ("limit", "message"), [("idle-timeout", "plain"), ("max-lifetime", "compressed"), ("idle-timeout", "fragmented")]
)
def test_a_limit_of_time_ends_who_stops_in_the_midst_of_a_frame(
    serve: Serve, codec_name: str, limit: str, message: str
) -> None:
    server = serve("--codec", codec_name, f"--{limit}", "400ms", "--close-timeout", "1s")
    handshake, frame = MESSAGES[message]
    end_of(begin(server, handshake, frame[:BEGUN]))
    seen = server.wait_for_metrics(websocket_active_connections=0)
    # While the server waits for the client's Close frame, many checks would have found the same reason again.
    assert seen[IDLE] + seen[LIFETIME] == 1
    assert seen[CLOSE_TIMEOUT] == 0
    assert seen['websocket_closes_total{code="1006",initiator="server"}'] == 1


def test_a_frame_that_drips_does_not_move_the_deadline(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--max-lifetime", "400ms", "--close-timeout", "1s")
    # Too long to be complete before the deadline, however fast this machine is.
    size = 64 << 20
    header = client_frame(BINARY, length=b"\x7f" + size.to_bytes(8, "big"))
    dripping = begin(server, HANDSHAKE, header + bytes(BEGUN))
    dripped = 0
    # Each piece is more than a client must read to count as reading, and its echo comes back before the next piece.
    with dripping, contextlib.suppress(ConnectionError):
        while echoed := dripping.socket.recv(1 << 16):
            dripped += len(echoed)
            dripping.send(bytes(1000))
            assert server.metrics()[LIFETIME] <= 1
    assert dripped < size
    assert server.wait_for_metrics(websocket_active_connections=0)[LIFETIME] == 1


@pytest.mark.parametrize("message", MESSAGES)
def test_a_frame_whose_end_comes_in_time_is_answered_by_the_close(serve: Serve, codec_name: str, message: str) -> None:
    server = serve("--codec", codec_name, "--max-lifetime", "500ms", "--close-timeout", "20s")
    handshake, frame = MESSAGES[message]
    connection = begin(server, handshake, frame[:BEGUN])
    server.wait_for_metrics(**{LIFETIME: 1})
    connection.socket.setblocking(False)
    received, rest = bytearray(), memoryview(frame)[BEGUN:]
    close = server_close(1001, "connection has reached its maximum age")
    with connection:
        while not received.endswith(close):
            with contextlib.suppress(BlockingIOError):
                rest = rest[connection.socket.send(rest) :] if rest else rest
            with contextlib.suppress(BlockingIOError):
                received += connection.socket.recv(1 << 16)
        if message == "plain":
            assert received == server_frame(BINARY, PAYLOAD)[1000:] + close
    assert server.wait_for_metrics(websocket_active_connections=0)[LIFETIME] == 1


@pytest.mark.parametrize("message", MESSAGES)
def test_who_is_too_fast_in_a_long_frame_is_cut_off_and_counted_once(
    serve: Serve, codec_name: str, message: str
) -> None:
    # The rest of the frame is longer than the rate limit allows a client to send at once.
    server = serve("--codec", codec_name, "--max-byte-rate", "8KiB", "--close-timeout", "20s")
    handshake, frame = MESSAGES[message]
    end_of(begin(server, handshake, frame[:BEGUN]))
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen[TOO_FAST_COUNT] == 1
    assert seen[CLOSE_TIMEOUT] == 0


def test_a_client_that_is_too_fast_near_the_end_of_a_frame_gets_a_reason(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--max-byte-rate", "8KiB", "--close-timeout", "20s")
    frame, reply = client_frame(BINARY, PAYLOAD[:80_000]), server_frame(BINARY, PAYLOAD[:80_000])
    with begin(server, HANDSHAKE, frame[:BEGUN]) as connection:
        server.wait_for_metrics(**{TOO_FAST_COUNT: 1})
        connection.send(frame[BEGUN:])
        expected = reply[1000:] + server_close(1008, TOO_FAST)
        assert connection.receive(len(expected)) == expected
    assert server.wait_for_metrics(websocket_active_connections=0)[TOO_FAST_COUNT] == 1


def test_a_limit_of_time_ends_who_has_a_loan(serve: Serve) -> None:
    # The idle time is several times as long as it takes to get the loan and to send so much.
    server = serve("--idle-timeout", "10s", "--close-timeout", "1s", "--receive-buffer-size", "64KiB")
    frame = long_client_frame(BINARY, bytes(12 << 20))
    borrowing = RawConnection(server.port).open()
    # More than the server keeps without a loan. The client reads none of its echo.
    borrowing.send(frame[: 10 << 20])
    assert len(end_of(borrowing)) < len(frame)
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert (seen[IDLE], seen[CLOSE_TIMEOUT]) == (1, 0)
    assert seen['websocket_timeouts_total{limit="stall"}'] == 0


def test_a_stop_ends_a_client_that_stopped_within_a_frame(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--close-timeout", "500ms", "--drain-timeout", "15s")
    connection = begin(server, HANDSHAKE, LONG[:BEGUN])
    assert server.stop() == 0
    end_of(connection)
    assert server.wait_for_log("stopped")["cut_off"] == 0
