"""Memory ends in the midst of one connection: that one is cut, in whatever phase it is, and the worker goes on."""

import contextlib
import resource

import pytest

from tests.conftest import Serve
from tests.faults.bystander import take_out, undisturbed
from tests.faults.patched import patched
from tests.shared.clients import send_until_cut_off
from tests.shared.compression import Compressor, compressed_frame
from tests.shared.frames import BINARY, TEXT, client_frame, long_client_frame, server_frame
from tests.shared.memory import virtual_memory
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from wsecho.counting.row import PLACES

DEFLATE_HANDSHAKE = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\nX-Out-Of-Memory: 1\r\n\r\n"
# Each fails for those that send the field above.
PHASES = {
    "reading the request": """
read = http_connection.HttpConnection._read
def fail(connection, data):
    if b'X-Out-Of-Memory' in data:
        raise MemoryError
    return read(connection, data)
http_connection.HttpConnection._read = fail
""",
    "becoming a WebSocket": """
upgrade = http_connection.HttpConnection._upgrade
made = http_connection.WebSocketConnection.__init__
def none(*arguments):
    raise MemoryError
def fail(connection, request, *rest):
    http_connection.WebSocketConnection.__init__ = none if request.value('x-out-of-memory') else made
    return upgrade(connection, request, *rest)
http_connection.HttpConnection._upgrade = fail
""",
    "looking into a message": """
import zlib
def fail(*arguments):
    raise MemoryError
zlib.decompressobj = fail
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


def test_memory_that_ends_before_a_deferred_answer_is_sent_ends_that_connection(serve: Serve) -> None:
    change = """
encode = http_connection.encode_response
failures = iter([True])
def fail(*arguments, **named):
    if next(failures, False):
        raise MemoryError
    return encode(*arguments, **named)
http_connection.encode_response = fail
"""
    server = serve(command=patched(change))
    with RawConnection(server.port) as unlucky:
        unlucky.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert unlucky.receive_all() == b""
    assert server.metrics()['wsecho_internal_errors_total{place="connection"}'] == 1
    server.stop()
    assert take_out(server, "out of memory") == 1


# Each fails for the first five connections, in the class that a place of its address was taken for.
BIRTHS = {
    "making a protocol": """
made = http_connection.HttpConnection.__init__
def fail(*arguments):
    next(failures)
    return made(*arguments)
http_connection.HttpConnection.__init__ = fail
""",
    "making a transport": """
from wsecho.tcp import epoll_transport, transports
from wsecho.tls import server
def failing(base):
    def fail(*arguments, **named):
        next(failures)
        return base(*arguments, **named)
    return fail
# Of the compiled codec, of the Python codec, and with TLS.
class Failing(epoll_transport.EpollTransports):
    start = failing(epoll_transport.EpollTransports.start)
epoll_transport.EpollTransports = Failing
transports.SelectorSocketTransport = failing(transports.SelectorSocketTransport)
server.EncryptedTransport = failing(server.EncryptedTransport)
""",
    "being told of the transport": """
from wsecho.connections.registry import Connections
watch = Connections.watch
def fail(*arguments, **named):
    next(failures)
    return watch(*arguments, **named)
Connections.watch = fail
""",
    "opening the WebSocket": """
from wsecho.connections.registry import Connections
from wsecho.connections.websocket_connection import WebSocketConnection
add = Connections.add
def fail(connections, connection):
    if isinstance(connection, WebSocketConnection):
        next(failures)
    return add(connections, connection)
Connections.add = fail
""",
}
FIVE_FAILURES = """
class Failures:
    left = 5
    def __next__(self):
        if self.left:
            self.left -= 1
            raise MemoryError
failures = Failures()
"""


@pytest.mark.parametrize("transport", ["plain", "tls"])
@pytest.mark.parametrize("birth", BIRTHS)
def test_who_fails_to_begin_gives_its_place_back(serve: Serve, codec_name: str, birth: str, transport: str) -> None:
    options = ["--max-connections-per-address", "2", *(["--tls-self-signed"] if transport == "tls" else [])]
    server = serve("--codec", codec_name, *options, command=patched(FIVE_FAILURES + BIRTHS[birth]))
    context = server.client_tls
    for _ in range(5):
        with contextlib.suppress(OSError), RawConnection(server.port, tls=context) as unlucky:
            unlucky.send(HANDSHAKE)
            assert unlucky.receive_all() == b""
    for _ in range(3):
        with (
            RawConnection(server.port, tls=context).open() as first,
            RawConnection(server.port, tls=context).open() as second,
        ):
            for client in (first, second):
                client.send(client_frame(TEXT, b"here"))
                assert client.receive(6) == server_frame(TEXT, b"here")
        server.wait_for_metrics(websocket_active_connections=0)
    seen = server.metrics()
    errors = {place: seen[f'wsecho_internal_errors_total{{place="{place}"}}'] for place in PLACES}
    assert sum(errors.values()) == 5
    # What fails before there is a transport is survived where connections are accepted, which goes on with the next.
    assert errors["accept"] == (5 if birth.startswith("making") else 0)
    assert seen["websocket_connection_duration_seconds_count"] == seen["websocket_connections_total"]
    assert server.stop() == 0
    assert take_out(server, "out of memory") + take_out(server, "out of memory for a connection") == 5


def test_a_log_that_had_no_memory_for_a_line_goes_on(serve: Serve) -> None:
    change = """
from wsecho.logs.writer import LogWriter
write = LogWriter._write
failures = iter([False, True, False, True])
def fail(writer, lines):
    if b'handshake refused' in lines and next(failures, False):
        raise MemoryError
    return write(writer, lines)
LogWriter._write = fail
"""
    server = serve(command=patched(change))
    refused = HANDSHAKE.replace(b"Version: 13", b"Version: 12")
    for _ in range(6):
        with RawConnection(server.port) as client:
            client.send(refused)
            assert client.receive_all().startswith(b"HTTP/1.1 426 ")
        # One at a time: lines that wait together are written together, and lost together.
        server.metrics()
    seen = server.metrics()
    assert 1 <= seen['wsecho_internal_errors_total{place="log"}'] <= 2
    server.wait_for_log("log lines lost")
    server.stop()
    server.wait_for_log("stopped")


def test_timeouts_go_on_after_sweeps_that_had_no_memory(serve: Serve) -> None:
    change = """
from wsecho.connections.registry import Connections
expired = Connections.expired
failures = iter([True] * 3)
def fail(*arguments):
    if next(failures, False):
        raise MemoryError
    return expired(*arguments)
Connections.expired = fail
"""
    server = serve("--handshake-timeout", "500ms", command=patched(change))
    with RawConnection(server.port) as silent:
        assert silent.receive_all() == b""
    assert server.metrics()['wsecho_internal_errors_total{place="sweep"}'] == 3
    server.stop()
    assert take_out(server, "out of memory") == 3


def test_a_close_that_fails_does_not_hold_up_the_stop(serve: Serve, codec_name: str) -> None:
    change = """
from wsecho.connections.websocket_connection import WebSocketConnection
def fail(*arguments):
    raise MemoryError
WebSocketConnection.connection_lost = fail
"""
    server = serve("--codec", codec_name, "--drain-timeout", "1s", "--close-timeout", "200ms", command=patched(change))
    for _ in range(3):
        RawConnection(server.port).open().socket.close()
    with RawConnection(server.port).open() as client:
        assert server.stop() == 0
        assert client.receive_all()[:1] == b"\x88"
    assert take_out(server, "out of memory for a connection") == 4


def test_memory_that_ends_when_a_turn_has_come_ends_who_waited_for_it(serve: Serve, codec_name: str) -> None:
    # Only who waited comes by here with an inflater.
    change = """
def fail(connection, unread):
    if connection._echo.inflater:
        raise MemoryError
http_connection.WebSocketConnection.take = fail
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
