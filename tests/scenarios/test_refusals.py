"""Handshakes that are refused or redirected."""

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import head, request
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import SWITCHED, RawConnection, exchange
from tests.shared.server import RunningServer


@pytest.mark.parametrize("status", [200, 204, 299, 401, 418, 429, 503, 599])
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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_stay_on_the_host(server: RunningServer, status: int) -> None:
    answer = exchange(server, request(f"/ws/redirect/{status}?to=/ws/echo"))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nLocation: /ws/echo\r\n" in answer


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
