"""HTTP connections through real sockets: refusals, several requests on one connection, and time limits."""

import contextlib
import re

import pytest

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.processes import wait_until
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection, exchange
from tests.shared.server import PATIENCE, RunningServer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"CONNECT here:80 HTTP/1.1\r\nHost: here:80\r\n\r\n", 400),
        (b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 33000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"\x00" * 100, 400),
        (HANDSHAKE.replace(b"GET", b"POST", 1), 405),
        (HANDSHAKE.replace(b"Version: 13", b"Version: 99"), 426),
        (HANDSHAKE.replace(b"Upgrade: websocket\r\n", b""), 426),
        (HANDSHAKE.replace(b"Connection: Upgrade\r\n", b"Connection: notupgrade\r\n"), 400),
        (HANDSHAKE.replace(b"Key: d", b"Key: !"), 400),
        (HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello"), 400),
        (HANDSHAKE.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (HANDSHAKE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: caf\xe9\r\n\r\n"), 400),
    ],
)
def test_a_refusal_is_one_line_and_the_end_of_the_connection(
    server: RunningServer, request_bytes: bytes, status: int
) -> None:
    # A second request behind the refused one must not be answered, because a proxy may be tunnelling another client's
    # bytes.
    head, _, body = exchange(server, request_bytes + b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nConnection: close" in head
    assert body.count(b"\n") == 1
    assert b"HTTP/1.1 200" not in body


def test_a_refusal_reaches_a_client_that_is_still_sending(server: RunningServer) -> None:
    answer = exchange(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000))
    assert answer.startswith(b"HTTP/1.1 405 ")


def test_a_plain_handshake_is_answered_without_llhttp(serve: Serve) -> None:
    server = serve("--codec", "compiled", command=patched("http_connection.RequestReader = None"))
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(TEXT, b"hello"))
        assert connection.receive(7) == server_frame(TEXT, b"hello")


def test_requests_on_one_connection_are_answered_in_order(server: RunningServer) -> None:
    health = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    nowhere = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
    with RawConnection(server.port) as connection:
        connection.send((health + nowhere) * 20 + health.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answer = connection.receive_all()
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"404"] * 20 + [b"200"]


def test_a_handshake_may_follow_a_request_and_frames_a_handshake(server: RunningServer) -> None:
    with RawConnection(server.port) as connection:
        connection.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + HANDSHAKE + b"\x81\x82\x00\x00\x00\x00hi")
        answer = connection.receive(1)
        while not answer.endswith(b"\x81\x02hi"):
            piece = connection.receive(1)
            assert piece, answer
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert SWITCHED in answer


def test_a_request_that_never_ends_is_timed_out(serve: Serve) -> None:
    server = serve("--handshake-timeout", "1s", "--close-timeout", "1s")
    with RawConnection(server.port) as silent, RawConnection(server.port) as slow:
        slow.send(b"GET / HTTP/1.1\r\nHost")
        assert slow.receive_all().startswith(b"HTTP/1.1 408 ")
        assert silent.receive_all() == b""


def test_bytes_do_not_extend_the_deadline_of_the_handshake(serve: Serve) -> None:
    server = serve("--handshake-timeout", "1s")
    # Its head has no end, so that the time limit ends it, however late that comes on a busy machine.
    endless = HANDSHAKE[:-2] + b"X: " + b"x" * int(PATIENCE / 0.02)
    with RawConnection(server.port) as slow:
        slow.socket.settimeout(0.02)
        answer = b""
        for byte in endless:
            slow.send(bytes((byte,)))
            try:
                answer = slow.receive(1)
            except TimeoutError:
                continue
            break
        assert answer == b"H"
        slow.socket.settimeout(PATIENCE)
        assert slow.receive_all().startswith(b"TTP/1.1 408 ")


GET_HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


def is_answered(connection: RawConnection) -> bool:
    """Request the health page on a connection that stays open, and return whether the answer came."""
    connection.send(GET_HEALTH)
    answer = b""
    while not answer.endswith(b"\r\n\r\nok\n") and (more := connection.receive(1)):
        answer += more
    return answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"ok\n")


def timeouts(server: RunningServer) -> dict[str, float]:
    """Return how many connections each time limit has ended, without the limits that have ended none."""
    counted = re.compile(r'websocket_timeouts_total\{limit="(\w+)"\}')
    return {match[1]: count for name, count in server.metrics().items() if (match := counted.match(name)) and count}


def test_a_connection_between_requests_has_a_time_of_its_own(serve: Serve) -> None:
    server = serve("--handshake-timeout", "60s", "--keep-alive-timeout", "1s")
    with RawConnection(server.port) as connection:
        assert is_answered(connection)
        assert connection.receive_all() == b""
        assert timeouts(server) == {"keep_alive": 1}


def test_a_connection_between_requests_may_be_silent_for_longer_than_a_handshake_takes(serve: Serve) -> None:
    """Load balancers need this: they keep idle connections for one to ten minutes and rely on them."""
    server = serve("--handshake-timeout", "1500ms")
    with RawConnection(server.port) as idle:
        assert is_answered(idle)
        with RawConnection(server.port) as silent:
            assert silent.receive_all() == b""
        assert is_answered(idle)


@pytest.mark.parametrize("dripping", [False, True])
def test_a_further_request_has_the_time_of_a_handshake_from_its_first_byte_on(serve: Serve, dripping: bool) -> None:
    server = serve("--handshake-timeout", "1s", "--keep-alive-timeout", "60s")
    with RawConnection(server.port) as connection:
        assert is_answered(connection)
        connection.send(b"GET / HTTP/1.1\r\nX: ")
        connection.socket.settimeout(0.1)
        answer = b""
        while not answer:
            with contextlib.suppress(TimeoutError):
                answer = connection.receive(12) or b"the end"
            if dripping and not answer:
                connection.send(b"x")
        assert answer == b"HTTP/1.1 408"
        connection.socket.settimeout(PATIENCE)
        connection.receive_all()
        assert timeouts(server) == {"handshake": 1}


def test_a_client_that_reads_no_answers_is_counted_as_stalled_not_idle(serve: Serve) -> None:
    server = serve("--stall-timeout", "1s", "--keep-alive-timeout", "1h")
    with RawConnection(server.port, receive_buffer=4096) as connection:
        # More than the buffers of the kernel take.
        connection.send(b"GET /static/page.css HTTP/1.1\r\nHost: a\r\n\r\n" * 500)
        wait_until(lambda: timeouts(server) == {"stall": 1})


@pytest.mark.parametrize("behind", [b"", GET_HEALTH, b"GET / HT"])
def test_a_half_closed_client_gets_the_end_right_after_its_answer(serve: Serve, behind: bytes) -> None:
    server = serve("--handshake-timeout", "60s", "--keep-alive-timeout", "60s")
    with RawConnection(server.port) as connection:
        connection.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" + behind)
        connection.half_close()
        assert connection.receive_all().count(b"HTTP/1.1 200 OK\r\n") == (2 if behind == GET_HEALTH else 1)
