"""Peers that reset their connection at any moment leave nothing behind and delay no other connection's deadline.

Modules: `http_connection`, `transports`, `websocket_connection`.
"""

import contextlib

import pytest

from tests.conftest import Serve
from tests.shared.frames import BINARY, PONG, TEXT, client_frame
from tests.shared.processes import descriptors, wait_until
from tests.shared.raw import RawConnection

LAST_WORDS = {
    "nothing": b"",
    "a pong": client_frame(PONG, b"unasked"),
    "half a header": client_frame(TEXT, b"x")[:1],
    "half a short frame": client_frame(TEXT, b"x" * 1000)[:500],
    "a long frame's header": client_frame(BINARY, bytes(100_000))[:14],
    "half a long frame": client_frame(BINARY, bytes(100_000))[:50_000],
    "a whole message": client_frame(TEXT, b"x" * 1000),
    "a violation": client_frame(3),
}


@pytest.mark.parametrize("words", LAST_WORDS)
def test_a_reset_behind_anything_ends_the_connection(serve: Serve, codec_name: str, words: str) -> None:
    server = serve("--codec", codec_name)
    server.get("/health")
    before = descriptors(server.pid)
    for _ in range(4):
        clients = [RawConnection(server.port).open() for _ in range(40)]
        for client in clients:
            client.send(LAST_WORDS[words])
            client.reset()
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen["websocket_messages_received_total"] == seen["websocket_messages_sent_total"]
    # One file descriptor more may be the connection of the last scrape.
    wait_until(lambda: descriptors(server.pid) <= before + 1)


def test_resets_in_the_middle_of_requests_and_answers_stop_no_deadline(serve: Serve) -> None:
    server = serve("--handshake-timeout", "250ms", "--close-timeout", "100ms")
    for _ in range(8):
        clients = []
        for _ in range(40):
            # Each sends immediately: a client that has sent nothing when its time is over gets no 408.
            clients.append(RawConnection(server.port))
            clients[-1].send(b"GET / HT")
        for client in clients:
            # The first byte of the 408; the reset follows right after it. A late client may find that it was cut off.
            with contextlib.suppress(ConnectionError):
                client.receive(1)
            client.reset()
    with RawConnection(server.port) as silent:
        assert silent.receive_all() == b""
