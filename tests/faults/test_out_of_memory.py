"""Memory ends in the midst of one connection: that one is cut, in whatever phase it is, and the worker goes on."""

import contextlib
import resource

import pytest

from tests.conftest import Serve
from tests.faults.bystander import take_out, undisturbed
from tests.faults.patched import patched
from tests.frames import BINARY, TEXT, client_frame, server_frame
from tests.memory import virtual_memory
from tests.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.test_compressed_echo import Compressor, compressed_frame
from tests.test_websocket import long_client_frame, send_until_cut_off

DEFLATE_HANDSHAKE = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\nX-Out-Of-Memory: 1\r\n\r\n"
# Each fails for those that send the field above.
PHASES = {
    "reading the request": """
feed = http_connection.RequestReader.feed
def fail(reader, data):
    if b'X-Out-Of-Memory' in data:
        raise MemoryError
    return feed(reader, data)
http_connection.RequestReader.feed = fail
""",
    "becoming a WebSocket": """
upgrade = http_connection.HttpConnection._upgrade
made = http_connection.WebSocketConnection
def fail(connection, request, *rest):
    def none(*arguments): raise MemoryError
    http_connection.WebSocketConnection = none if request.value('x-out-of-memory') else made
    return upgrade(connection, request, *rest)
http_connection.HttpConnection._upgrade = fail
""",
    "looking into a message": """
def fail(*arguments):
    raise MemoryError
inflater.zlib.decompressobj = fail
""",
}


@pytest.mark.parametrize("phase", PHASES)
def test_memory_that_ends_in_one_connection_ends_that_one(serve: Serve, codec_name: str, phase: str) -> None:
    server = serve("--codec", codec_name, command=patched(PHASES[phase]))
    with undisturbed(server) as bystander:
        for _ in range(5):
            with RawConnection(server.port) as unlucky, contextlib.suppress(ConnectionResetError):
                unlucky.send(DEFLATE_HANDSHAKE)
                answer = unlucky.receive(12)
                assert answer == (b"" if phase != "looking into a message" else SWITCHED[:12])
                if answer:
                    unlucky.send(compressed_frame(TEXT, Compressor()(b"hello" * 100)))
                    unlucky.receive_all()
        bystander.must_be_served()
    seen = server.metrics()
    if phase == "looking into a message":
        assert seen["websocket_connections_total"] - 1 == 5
    assert seen["websocket_connection_duration_seconds_count"] == seen["websocket_connections_total"]
    server.stop()
    assert take_out(server, "out of memory for a connection") == 5


def test_memory_that_ends_when_a_turn_has_come_ends_who_waited_for_it(serve: Serve, codec_name: str) -> None:
    # Only who waited comes by here with an inflater.
    change = """
def fail(connection, unread):
    if connection._echo.inflater:
        raise MemoryError
from wsecho import websocket_connection
websocket_connection.WebSocketConnection.take = fail
"""
    server = serve("--codec", codec_name, command=patched(change))
    with undisturbed(server) as bystander:
        with RawConnection(server.port) as unlucky, contextlib.suppress(ConnectionResetError):
            unlucky.send(DEFLATE_HANDSHAKE)
            assert unlucky.receive(12) == SWITCHED[:12]
            unlucky.send(compressed_frame(BINARY, Compressor()(bytes(3 << 20))))
            unlucky.receive_all()
        bystander.must_be_served()
    server.stop()
    assert take_out(server, "out of memory for a connection") == 1


def test_a_loan_that_the_system_has_no_memory_for_ends_the_borrower_only(serve: Serve, codec_name: str) -> None:
    # One arena: what the allocator has reserved for further ones would be memory beyond the limit.
    server = serve("--codec", codec_name, environment={"MALLOC_ARENA_MAX": "1"})
    with undisturbed(server) as bystander:
        most = virtual_memory(server.pid) + (16 << 20)
        resource.prlimit(server.pid, resource.RLIMIT_AS, (most, most))
        send_until_cut_off(RawConnection(server.port).open(), long_client_frame(BINARY, bytes(60 << 20)))
        bystander.must_be_served()
        with RawConnection(server.port).open() as later:
            later.send(client_frame(TEXT, b"later"))
            assert later.receive(7) == server_frame(TEXT, b"later")
    server.stop()
    assert take_out(server, "out of memory for a connection") >= 1
