"""The process is stopped for a while (a debugger, a closed lid, a starved machine) and goes on: nobody pays for it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.conftest import Serve
from tests.faults.bystander import undisturbed
from tests.shared.frames import PING, PONG, client_frame
from tests.shared.processes import children
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import RunningServer

STOPPED_SECONDS = 4.0
OPTIONS = ("--ping-interval", "200ms", "--ping-timeout", "3s", "--handshake-timeout", "3s")


@contextmanager
def answering(server: RunningServer, count: int) -> Iterator[list[Exception]]:
    """Open so many WebSockets, and answer every ping on them; whatever else happens there is in the list."""
    faults: list[Exception] = []
    ended = threading.Event()

    def answer(connection: RawConnection) -> None:
        try:
            while not ended.is_set():
                assert connection.receive(2) == bytes((0x80 | PING, 8))
                connection.send(client_frame(PONG, connection.receive(8)))
        except Exception as error:
            if not ended.is_set():
                faults.append(error)

    with ExitStack() as stack:
        threads = []
        for _ in range(count):
            connection = stack.enter_context(RawConnection(server.port)).open()
            threads.append(threading.Thread(target=answer, args=(connection,)))
            threads[-1].start()
        yield faults
        ended.set()
        for thread in threads:
            thread.join()  # the next ping ends it


@pytest.mark.parametrize("workers", [1, 2])
def test_after_a_stop_longer_than_every_limit_nobody_is_late(serve: Serve, workers: int) -> None:
    server = serve(*OPTIONS, "--workers", str(workers))
    processes = children(server.pid) if workers > 1 else [server.pid]
    with undisturbed(server) as bystander:
        with answering(server, 40) as faults, RawConnection(server.port) as beginner:
            beginner.send(HANDSHAKE[:30])
            server.wait_for_metrics(websocket_active_connections=41)
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            threading.Event().wait(STOPPED_SECONDS)
            beginner.send(HANDSHAKE[30:])
            for process in processes:
                os.kill(process, signal.SIGCONT)
            assert beginner.receive(len(SWITCHED)) == SWITCHED
            beginner.socket.close()
            bystander.must_be_served(700)  # longer than a ping and its timeout
            seen = server.wait_for_metrics(websocket_active_connections=41)
        assert not faults
        assert seen["websocket_ping_rtt_seconds_count"] >= 40
        assert {name: count for name, count in seen.items() if "timeouts" in name and count} == {}
        # The late sweep is told, in each worker; on a busy machine there may be another.
        lag = 'wsecho_event_loop_lag_seconds_bucket{le="%s"}'
        assert seen[lag % "+Inf"] - seen[lag % "1.0"] >= workers


def test_who_really_is_silent_is_still_noticed_after_a_stop(serve: Serve) -> None:
    server = serve(*OPTIONS)
    with undisturbed(server), RawConnection(server.port).open() as silent:
        os.kill(server.pid, signal.SIGSTOP)
        threading.Event().wait(1.5)
        os.kill(server.pid, signal.SIGCONT)
        silent.receive_all()
    assert server.metrics()['websocket_timeouts_total{limit="ping"}'] == 1


def test_who_is_late_again_and_again_still_judges(serve: Serve) -> None:
    server = serve("--handshake-timeout", "2s")
    with RawConnection(server.port) as slow:
        slow.send(HANDSHAKE[:30])
        slow.socket.settimeout(0.05)
        for _ in range(15):
            os.kill(server.pid, signal.SIGSTOP)
            threading.Event().wait(2.2)
            os.kill(server.pid, signal.SIGCONT)
            with suppress(TimeoutError):
                assert slow.receive(12) == b"HTTP/1.1 408"
                break
        else:
            pytest.fail("nobody was judged")
