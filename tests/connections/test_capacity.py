"""A full server: it refuses further clients with an answer, and a crowd that waits to be accepted costs nothing.

Modules: `capacity`.
"""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.faults.bystander import undisturbed
from tests.faults.patched import counting_accepts
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.processes import wait_until
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection

# The number of connections beyond the limit that the server reads from at once.
ANSWERED_ABOVE_LIMIT = 64


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_holds_as_many_connections_as_it_may_and_tells_the_next_one(serve: Serve, workers: int) -> None:
    server = serve("--max-connections", "2", "--workers", str(workers))
    with ExitStack() as stack:
        # With several workers, the kernel decides which worker gets a connection.
        admitted, refusal = 0, b""
        while not refusal:
            client = stack.enter_context(RawConnection(server.port))
            client.send(HANDSHAKE)
            answer = client.receive(len(SWITCHED))
            if answer == SWITCHED:
                admitted += 1
            else:
                refusal = answer + client.receive_all()
        assert admitted == 2 if workers == 1 else 2 <= admitted <= 4
        head, _, body = refusal.decode().partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 503 Service Unavailable\r\n")
        assert {"Retry-After: 5", "Connection: close"} <= set(head.split("\r\n"))
        assert body == "the server is full\n"
        # Requests for the health of the server are answered, and their connections are closed.
        status, headers, _ = server.get("/health")
        assert status == 200
        if workers == 1:
            assert headers["connection"] == "close"
        seen = server.metrics()
        assert seen["websocket_active_connections"] == admitted
        assert seen['websocket_refused_connections_total{reason="capacity"}'] == 1
        refused = 'websocket_handshakes_total{outcome="refused",reason="capacity",status_class="5xx"}'
        assert seen[refused] == 1
    server.wait_for_metrics(websocket_active_connections=0)
    with RawConnection(server.port).open() as client:
        client.send(client_frame(TEXT, b"room again"))
        assert client.receive(12) == server_frame(TEXT, b"room again")


def test_a_full_server_refuses_a_crowd_one_after_the_other(serve: Serve) -> None:
    server = serve("--max-connections", "1")
    with undisturbed(server) as bystander:
        with ExitStack() as stack:
            crowd = [stack.enter_context(RawConnection(server.port)) for _ in range(3 * ANSWERED_ABOVE_LIMIT)]
            for client in crowd:
                client.send(HANDSHAKE)
            for client in crowd:
                assert client.receive_all().startswith(b"HTTP/1.1 503 ")
                client.socket.close()
        bystander.must_be_served()
    assert server.metrics()['websocket_refused_connections_total{reason="capacity"}'] == 3 * ANSWERED_ABOVE_LIMIT


def test_a_silent_crowd_before_a_full_server_costs_nothing(serve: Serve, tmp_path: Path) -> None:
    looks = tmp_path / "looks"
    server = serve("--max-connections", "1", command=counting_accepts(looks))
    with undisturbed(server) as bystander, ExitStack() as stack:
        crowd = [stack.enter_context(RawConnection(server.port)) for _ in range(2 * ANSWERED_ABOVE_LIMIT)]
        began, looked = time.monotonic(), looks.stat().st_size
        bystander.must_be_served(150)
        assert looks.stat().st_size - looked <= 20 * (time.monotonic() - began) + 20
        # The last clients wait until this one has left, and are then refused.
        last = crowd.pop()
        last.send(HANDSHAKE)
        for client in crowd:
            client.socket.close()
        assert last.receive_all().startswith(b"HTTP/1.1 503 ")


def test_a_client_that_leaves_makes_room_for_another(serve: Serve) -> None:
    server = serve("--max-connections", "8")
    ended = threading.Event()
    with undisturbed(server) as bystander:
        outcomes: list[bytes] = []

        def come_and_go() -> None:
            while not ended.is_set():
                with RawConnection(server.port) as client:
                    client.send(HANDSHAKE)
                    outcomes.append(client.receive(12))

        threads = [threading.Thread(target=come_and_go) for _ in range(16)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: {b"HTTP/1.1 101", b"HTTP/1.1 503"} <= set(outcomes))
            bystander.must_be_served(200)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
    # Both happened, and nothing else.
    assert set(outcomes) == {b"HTTP/1.1 101", b"HTTP/1.1 503"}
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen['websocket_refused_connections_total{reason="capacity"}'] == outcomes.count(b"HTTP/1.1 503")


def test_a_full_server_says_so_within_tls(serve: Serve) -> None:
    server = serve("--max-connections", "1", "--tls-self-signed")
    with (
        RawConnection(server.port, tls=server.client_tls).open() as first,
        RawConnection(server.port, tls=server.client_tls) as second,
    ):
        second.send(HANDSHAKE)
        assert second.receive_all().startswith(b"HTTP/1.1 503 ")
        first.send(client_frame(TEXT, b"undisturbed"))
        assert first.receive(13) == server_frame(TEXT, b"undisturbed")
    assert server.metrics()['websocket_refused_connections_total{reason="capacity"}'] == 1
