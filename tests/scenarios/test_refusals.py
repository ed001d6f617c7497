"""Handshakes that are refused."""

import asyncio
import re

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import head, request, segments_with_data
from tests.scenarios.test_grammar import error_of
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import SWITCHED, RawConnection, exchange
from tests.shared.server import RunningServer
from wsecho.scenarios.steps.opening.refusals import flap


@pytest.mark.parametrize("status", [200, 299, 401, 418, 429, 503, 599])
def test_any_status_but_101(server: RunningServer, status: int) -> None:
    answer = exchange(server, request(f"/ws/reject/{status}?body=maintenance"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nConnection: close" in head
    assert f"\r\nWsecho-Scenario: /ws/reject/{status}?body=maintenance\r\n".encode() in head
    assert b"\r\nWsecho-Attempt: " in head
    assert body == b"maintenance"


def test_retry_after_is_in_seconds(server: RunningServer) -> None:
    answer = exchange(server, request("/ws/reject/429?retry-after=2m"))
    assert b"\r\nRetry-After: 120\r\n" in answer
    assert b"\r\nRetry-After" not in exchange(server, request("/ws/reject/429"))


@pytest.mark.parametrize(
    ("framing", "field", "body"),
    [
        ("length", "Content-Length: 11", b"maintenance"),
        ("chunked", "Transfer-Encoding: chunked", b"8\r\nmaintena\r\n3\r\nnce\r\n0\r\n\r\n"),
        ("close", "", b"maintenance"),
        ("slow", "Content-Length: 11", b"maintenance"),
    ],
)
def test_how_the_body_ends(shared_server: RunningServer, framing: str, field: str, body: bytes) -> None:
    answer = exchange(shared_server, request(f"/ws/reject/503?body=maintenance&framing={framing}"))
    head, _, received = answer.partition(b"\r\n\r\n")
    fields = [line for line in head.decode().split("\r\n") if line.startswith(("Content-Length", "Transfer-"))]
    assert fields == ([field] if field else [])
    assert b"\r\nConnection: close" in head
    assert received == body


def test_a_slow_body_comes_in_pieces(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/reject/503?body=0123456789ABCDEFGHIJ&framing=slow"))
        head(connection)
        assert connection.receive_all() == b"0123456789ABCDEFGHIJ"
        # The head and ten pieces, however late the client reads them.
        assert segments_with_data(connection) >= 1 + 10


@pytest.mark.parametrize(("status", "lengths"), [(204, []), (205, ["Content-Length: 0"]), (304, [])])
def test_statuses_without_a_body(server: RunningServer, status: int, lengths: list[str]) -> None:
    head, end, body = exchange(server, request(f"/ws/reject/{status}")).decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert [line for line in head.split("\r\n") if line.startswith("Content-")] == lengths
    assert (end, body) == ("\r\n\r\n", "")


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("/ws/reject/204?body=a", "a response with status 204 has no body"),
        ("/ws/reject/304?framing=chunked", "a response with status 304 has no body"),
        ("/ws/reject/503?framing=close&keep", "'keep' is impossible"),
        ("/ws/reject/503?framing=gzip", "is not one of length, chunked, close, slow"),
        ("/ws/flap/0/1s", "both durations of 'flap' must be longer than nothing"),
        ("/ws/flap/1s", "'flap' lacks its down"),
    ],
)
def test_what_cannot_be_performed(url: str, line: str) -> None:
    assert line in error_of(url)


@pytest.mark.parametrize("framing", ["length", "chunked", "slow"])
def test_any_framed_body_can_keep_the_connection(shared_server: RunningServer, framing: str) -> None:
    with RawConnection(shared_server.port) as connection:
        for _ in range(2):
            connection.send(request(f"/ws/reject/401?body=a&keep&framing={framing}"))
            assert "\r\nConnection: keep-alive\r\n" in head(connection)
            body = b"1\r\na\r\n0\r\n\r\n" if framing == "chunked" else b"a"
            assert connection.receive(len(body)) == body


def test_flapping_has_a_time_for_each_answer(shared_server: RunningServer) -> None:
    # The other answer comes in one of a million handshakes.
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/flap/15m/1ms/message/a"))
        assert head(connection).startswith("HTTP/1.1 101 ")
        assert connection.receive(3) == server_frame(TEXT, b"a")
    answer = exchange(shared_server, request("/ws/flap/1ms/15m")).decode()
    assert answer.startswith("HTTP/1.1 503 ")
    wait = re.findall(r"\r\nRetry-After: (\d+)\r\n", answer)[0]
    assert 1 <= int(wait) <= 900
    assert answer.endswith(f"the scenario is down for {wait} seconds\n")


class Clock:
    """A handshake of which a step sees only the time."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.answer: tuple[int, dict[str, str]] | None = None

    def wall_clock(self) -> float:
        return self.now

    async def respond(self, status: int, fields: list[tuple[str, str]], body: list[bytes], **_: object) -> None:
        self.answer = status, dict(fields)


@pytest.mark.parametrize(
    ("now", "wait"), [(0.0, 0), (9.99, 0), (10.0, 5), (11.5, 4), (14.999, 1), (15.0, 0), (1_800_000_010.0, 5)]
)
def test_flapping_follows_the_clock(now: float, wait: int) -> None:
    clock = Clock(now)
    asyncio.run(flap(clock, 10.0, 5.0))  # type: ignore[arg-type]  # it has what the step needs
    assert (clock.answer[1]["Retry-After"] if clock.answer else "0") == str(wait)
    assert (clock.answer or (503, {}))[0] == 503


def test_refusals_are_counted_as_refused_handshakes(serve: Serve) -> None:
    server = serve()
    for url in ("/ws/reject/503", "/ws/reject/418", "/ws/redirect/302", "/ws/reject/200", "/ws/reject"):
        exchange(server, request(url))
    metrics = server.metrics()

    def refused(status_class: str, reason: str) -> float:
        labels = f'outcome="refused",reason="{reason}",status_class="{status_class}"'
        return metrics[f"websocket_handshakes_total{{{labels}}}"]

    assert [refused(f"{digit}xx", "by_scenario") for digit in (2, 3, 4, 5)] == [1, 1, 1, 1]
    assert refused("4xx", "scenario") == 1
    assert metrics["websocket_connections_total"] == 0
    count = "http_server_request_duration_seconds_count"
    # 418 is none of the statuses that have a series of their own.
    requests = {
        status: metrics[
            f'{count}{{http_request_method="GET",http_response_status_code="{status}",http_route="/{{websocket}}"}}'
        ]
        for status in ("200", "400", "503", "")
    }
    assert requests == {"200": 1, "400": 1, "503": 1, "": 2}


def test_a_refusal_can_keep_the_connection_for_another_handshake(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port) as connection:
        for early in (b"", request("/ws/reject/401?keep&body=again")):
            connection.send(request("/ws/reject/401?keep&body=again") + early)
            for _ in range(2 if early else 1):
                answer = head(connection)
                assert "\r\nConnection: keep-alive\r\n" in answer
                assert "\r\nContent-Length: 5\r\n" in answer
                assert connection.receive(5) == b"again"
        connection.send(request("/ws") + client_frame(TEXT, b"a"))
        assert connection.receive(len(SWITCHED)) == SWITCHED
        assert connection.receive(3) == server_frame(TEXT, b"a")


def test_a_refusal_needs_a_valid_handshake(server: RunningServer) -> None:
    head = request("/ws/reject/503").replace(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12")
    assert exchange(server, head).startswith(b"HTTP/1.1 426 ")
