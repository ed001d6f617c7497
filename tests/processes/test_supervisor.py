"""A supervisor and its workers: metrics of all workers, and workers that die and are replaced."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.conftest import Serve
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.processes import children, is_running, wait_until
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import PATIENCE, RunningServer, started
from tests.shared.workers import SHUTDOWN_CLOSE, clients, echoes, held_by, is_free, leave, patched, take_out

COUNTERS = (
    "websocket_connections_total",
    "websocket_messages_received_total",
    "websocket_messages_sent_total",
    "websocket_message_size_bytes_count",
    "websocket_message_size_bytes_sum",
    "websocket_connection_duration_seconds_count",
)


def test_every_worker_shows_the_metrics_of_all(serve: Serve, codec_name: str) -> None:
    server = serve("--workers", "2", "--codec", codec_name)
    assert server.listening["workers"] == 2
    with clients(server, 30) as connections:
        for number, connection in enumerate(connections):
            for _ in range(number):
                assert echoes(connection, b"counted")
        workers = children(server.pid)
        assert sorted(len(held_by(server, pid, connections)) > 0 for pid in workers) == [True, True]
        server.wait_for_metrics(websocket_messages_sent_total=435)
        # Each scrape is a connection of its own, so both workers answer some of them.
        seen = [server.metrics() for _ in range(20)]
        for metrics in seen:
            assert [metrics[name] for name in COUNTERS] == [30, 435, 435, 435, 435 * 7, 0]
            assert metrics["websocket_active_connections"] == 30
        identities = {name for metrics in seen for name in metrics if name.startswith("target_info")}
        assert len(identities) == 1
    seen[0] = server.wait_for_metrics(websocket_active_connections=0)
    assert seen[0]["websocket_connection_duration_seconds_count"] == 30


def test_every_scrape_is_consistent_while_both_workers_count(serve: Serve) -> None:
    server = serve("--workers", "2")
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            with RawConnection(server.port).open() as connection:
                assert echoes(connection)

    with ThreadPoolExecutor() as threads:
        running = [threads.submit(come_and_go) for _ in range(4)]
        try:
            last = server.metrics()
            for _ in range(100):
                seen = server.metrics()
                assert all(seen[name] >= last[name] for name in COUNTERS)
                assert seen["websocket_messages_received_total"] >= seen["websocket_messages_sent_total"]
                assert 0 <= seen["websocket_active_connections"] <= 10
                last = seen
        finally:
            ended.set()
        for thread in running:
            thread.result()


def test_a_killed_worker_takes_only_its_own_connections_along_and_is_replaced(serve: Serve) -> None:
    server = serve("--workers", "2")
    with clients(server, 30) as connections:
        assert all(echoes(connection) for connection in connections)
        before = server.wait_for_metrics(websocket_messages_sent_total=30)
        victim, other = children(server.pid)
        lost, kept = (held_by(server, pid, connections) for pid in (victim, other))
        assert len(lost) + len(kept) == 30
        # The first half of a message is sent before the worker dies, the second half after.
        half, whole = client_frame(TEXT, b"x" * 1000)[:500], server_frame(TEXT, b"x" * 1000)
        for connection in connections:
            connection.send(half)
        os.kill(victim, signal.SIGKILL)
        for connection in kept:
            connection.send(client_frame(TEXT, b"x" * 1000)[500:])
            assert connection.receive(len(whole)) == whole
        assert not any(echoes(connection) for connection in lost)
        died = server.wait_for_log("worker died")
        assert (died["pid"], died["cause"], died["lost_connections"]) == (victim, "SIGKILL", len(lost))
        assert server.wait_for_log("worker replaced")["worker"] == died["worker"]
        assert len(children(server.pid)) == 2

        after = server.wait_for_metrics(websocket_active_connections=len(kept))
        assert all(after[name] >= before[name] for name in COUNTERS)
        assert (after["websocket_connections_total"], after["websocket_messages_received_total"]) == (
            30,
            30 + len(kept),
        )
        with clients(server, 30) as more:
            assert all(echoes(connection) for connection in more)
            assert all(held_by(server, pid, more) for pid in children(server.pid))
            server.wait_for_metrics(websocket_connections_total=60, websocket_active_connections=30 + len(kept))
    end = server.wait_for_metrics(websocket_active_connections=0)
    # Every connection that was opened has ended or was lost.
    assert end["websocket_connections_total"] - end["websocket_connection_duration_seconds_count"] == len(lost)
    assert server.stop() == 0
    assert take_out(server, "worker died") == ["worker died"]


def test_a_worker_that_is_stopped_from_outside_closes_its_connections_and_is_replaced(serve: Serve) -> None:
    server = serve("--workers", "2")
    with clients(server, 30) as connections:
        stopped, other = children(server.pid)
        leaving, staying = (held_by(server, pid, connections) for pid in (stopped, other))
        os.kill(stopped, signal.SIGTERM)
        for connection in leaving:
            leave(connection)
        assert (died := server.wait_for_log("worker died"))["cause"] == "exit code 0"
        assert died["lost_connections"] == 0
        server.wait_for_log("worker replaced")
        assert all(echoes(connection) for connection in staying)
    server.stop()
    assert take_out(server, "worker died") == ["worker died"]


def test_clients_in_the_backlog_of_a_worker_that_dies_are_served_by_the_next(serve: Serve) -> None:
    server = serve("--workers", "2")
    victim, other = children(server.pid)
    os.kill(victim, signal.SIGSTOP)
    with ExitStack() as stack:
        waiting = [stack.enter_context(RawConnection(server.port)) for _ in range(30)]
        for connection in waiting:
            connection.send(HANDSHAKE)
        wait_until(lambda: 0 < len(held_by(server, other, waiting)) < 30)
        os.kill(victim, signal.SIGKILL)
        for connection in waiting:
            assert connection.receive(len(SWITCHED)) == SWITCHED
            assert echoes(connection)
    server.stop()
    assert take_out(server, "worker died") == ["worker died"]


def kill(server: RunningServer, pid: int) -> int:
    """Kill a worker and return its number."""
    os.kill(pid, signal.SIGKILL)
    while (died := server.wait_for_log("worker died"))["pid"] != pid:
        pass
    return int(died["worker"])


def test_a_worker_that_keeps_dying_ends_the_server_and_the_others_close_their_connections() -> None:
    server = RunningServer("--workers", "2")
    with RawConnection(server.port).open() as client:
        workers = children(server.pid)
        survivor = next(pid for pid in workers if held_by(server, pid, [client]))
        for _ in range(5):
            wait_until(lambda: len(children(server.pid)) == 2)
            (victim,) = set(children(server.pid)) - {survivor}
            number = kill(server, victim)
        told = server.wait_for_log("giving up: workers keep dying")
        assert (told["worker"], told["deaths"]) == (number, 5)
        leave(client)
        assert server.wait() == 3
    assert not any(is_running(pid) for pid in workers)
    assert is_free(server.port)
    events = take_out(server, "worker died", "giving up: workers keep dying")
    assert (events.count("worker died"), events.count("giving up: workers keep dying")) == (5, 1)
    server.close()


def test_the_death_of_all_workers_at_once_does_not_end_the_server(serve: Serve) -> None:
    """As when the machine runs out of memory: all workers are replaced at once."""
    server = serve("--workers", "6")
    for pid in children(server.pid):
        os.kill(pid, signal.SIGKILL)
    assert {server.wait_for_log("worker replaced")["worker"] for _ in range(6)} == set(range(6))
    with clients(server, 30) as connections:
        assert all(echoes(connection) for connection in connections)
    assert server.stop() == 0
    assert take_out(server, "worker died") == ["worker died"] * 6


def test_workers_that_cannot_begin_end_the_server_with_backing_off() -> None:
    command = patched("worker.serve = lambda *arguments: sys.exit(7)")
    options = ["--host", "127.0.0.1", "--port", "0", "--workers", "2"]
    with started([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (3, "")
    assert '"listening"' not in out
    lines = [json.loads(line) for line in out.splitlines()]
    (given_up,) = (line for line in lines if line["event"] == "giving up: workers keep dying")
    died = [line["worker"] for line in lines if line["event"] == "worker died"]
    assert died.count(given_up["worker"]) == 5
    assert max(map(died.count, died)) == 5


def test_nothing_is_left_of_a_server_whose_supervisor_is_killed() -> None:
    server = RunningServer("--workers", "3")
    workers = children(server.pid)
    with clients(server, 5) as connections:
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not any(is_running(pid) for pid in workers))
        assert not any(echoes(connection) for connection in connections)
    assert is_free(server.port)
    server.close()


def test_where_the_kernel_does_not_end_the_workers_they_do_it_themselves() -> None:
    # The workers must stop at once: draining would take longer than the test waits.
    command = patched("supervisor._die_with = lambda parent: None")
    server = RunningServer("--workers", "3", "--close-timeout", "60s", "--drain-timeout", "60s", command=command)
    workers = children(server.pid)
    with clients(server, 5) as connections:
        os.kill(server.pid, signal.SIGKILL)
        for connection in connections:
            assert connection.receive(len(SHUTDOWN_CLOSE)) == SHUTDOWN_CLOSE
        wait_until(lambda: not any(is_running(pid) for pid in workers))
    assert is_free(server.port)
    server.close()


def test_a_worker_that_does_not_stop_is_killed() -> None:
    server = RunningServer("--workers", "2", "--drain-timeout", "1s")
    stuck, _ = children(server.pid)
    os.kill(stuck, signal.SIGSTOP)
    assert server.stop() == 1
    assert not is_running(stuck)
    assert take_out(server, "worker died", "workers did not stop in time") == [
        "workers did not stop in time",
        "worker died",
    ]
    server.close()


def test_a_stop_before_the_workers_are_ready_is_not_lost() -> None:
    command = [sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", "0", "--workers", "2"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: children(process.pid))
        workers = children(process.pid)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert not any(is_running(pid) for pid in workers)


def test_a_stop_while_a_replacement_waits_is_not_lost(serve: Serve) -> None:
    server = serve("--workers", "2")
    for _ in range(3):
        wait_until(lambda: children(server.pid))
        os.kill(children(server.pid)[0], signal.SIGKILL)
        server.wait_for_log("worker died")
    assert server.stop() == 0
    assert take_out(server, "worker died") == ["worker died"] * 3


def test_0_workers_are_one_for_each_core_and_one_needs_no_supervisor(serve: Serve) -> None:
    cores = len(os.sched_getaffinity(0))
    assert len(children(serve("--workers", "0").pid)) == (cores if cores > 1 else 0)
    on_one_core = serve("--workers", "0", preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))
    assert children(on_one_core.pid) == []
    assert children(serve().pid) == []


def test_a_supervisor_forks_while_it_has_no_other_thread() -> None:
    change = "import os, threading; fork = os.fork; os.fork = lambda: (1 / (threading.active_count() == 1), fork())[1]"
    server = RunningServer("--workers", "2", command=patched(change))
    # The supervisor has logged by now, and it logs before it replaces a worker.
    os.kill(children(server.pid)[0], signal.SIGKILL)
    server.wait_for_log("worker replaced")
    assert server.stop() == 0
    assert take_out(server, "worker died") == ["worker died"]
    assert server.errors() == ""
    server.close()
