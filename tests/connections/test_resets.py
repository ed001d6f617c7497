"""Peers that reset their connection at every possible moment leave nothing behind and stop nothing."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.shared.frames import BINARY, PONG, TEXT, client_frame, server_close
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, started

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


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


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
    # One more than before may be the connection of the last look at the metrics.
    wait_until(lambda: descriptors(server.pid) <= before + 1)


def test_resets_in_the_middle_of_requests_and_answers_stop_no_deadline(serve: Serve) -> None:
    server = serve("--handshake-timeout", "250ms", "--close-timeout", "100ms")
    for _ in range(8):
        clients = []
        for _ in range(40):
            # Each at once: who has said nothing when its time is over gets no 408.
            clients.append(RawConnection(server.port))
            clients[-1].send(b"GET / HT")
        for client in clients:
            # The first byte of the 408, right behind which the reset comes; a late one may find that it was cut off.
            with contextlib.suppress(ConnectionError):
                client.receive(1)
            client.reset()
    with RawConnection(server.port) as silent:
        assert silent.receive_all() == b""


def test_a_log_that_nobody_reads_any_more_does_not_keep_the_server_from_its_goodbyes() -> None:
    command = [sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", "0"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().partition('"port": ')[2].partition(",")[0])
        with RawConnection(port).open() as client:
            process.stdout.close()
            process.send_signal(signal.SIGTERM)
            close = server_close(1001, "server is shutting down")
            assert client.receive(len(close)) == close
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_log_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    from tests.shared.free_port import free_port

    port = free_port()
    command = [sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", str(port)]
    with open("/dev/full", "w") as full, started(command, stdout=full) as process:
        for _ in range(200):
            try:
                with RawConnection(port).open():
                    break
            except ConnectionRefusedError:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
