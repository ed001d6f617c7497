"""The process that pushes the metrics of several workers."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.shared.collectors import (
    Collector,
    FaultyCollector,
    eventually,
    summed_samples,
    wait_until,
)
from tests.shared.frames import CLOSE, client_frame
from tests.shared.processes import children, is_running, open_files
from tests.shared.pushing import differences, echo_some, everything, page, pushing, settled, traffic
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, RunningServer


def push_process(server: RunningServer, workers: int) -> int:
    """Return the process id of the child that has no listening socket, once it runs beside the workers."""

    def found() -> list[int]:
        processes = children(server.pid)
        without = [pid for pid in processes if not listens(pid)]
        return without if len(processes) == workers + 1 and len(without) == 1 else []

    wait_until(lambda: bool(found()))
    (pid,) = found()
    return pid


def listens(pid: int) -> bool:
    """Return whether a process has a listening TCP socket."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    return bool(listening & set(open_files(pid)))


@pytest.mark.parametrize("preference", ["cumulative", "delta"])
@pytest.mark.parametrize("to_all", [False, True])
def test_one_process_pushes_what_several_workers_count(
    collector: Collector, serve: Serve, preference: str, to_all: bool
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
    server = serve("--workers", "2", environment=pushing(collector.endpoint, **variables))
    processes = [push_process(server, 2), *children(server.pid)]
    for _ in range(5):
        traffic(server)

    def agree() -> None:
        open_now = sum(len(list(open_files(pid))) for pid in {server.pid, *processes})
        # One connection is that of the scrape, and another one may not have ended yet.
        assert abs(server.metrics()["process_open_fds"] - open_now) <= 5

    # A worker that waits for a processor notices later which connections have ended.
    eventually(agree)
    expected = page(server)
    assert expected["websocket_messages_received_total"] == 35
    with RawConnection(server.port).open() as client:
        # A service manager may send the signal to every process. The push process waits for all others.
        for pid in [server.pid, *(processes if to_all else ())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        client.send(client_frame(CLOSE))
        client.receive_all()
    assert server.wait() == 0
    connections = expected["websocket_connections_total"] + 1

    def check() -> None:
        received = settled(summed_samples(collector.points()))
        assert received["websocket_active_connections"] == 0
        assert received["websocket_connections_total"] == connections
        assert received["websocket_connection_duration_seconds_count"] == connections
        assert not differences(unchanged(received), unchanged(expected))

    eventually(check)
    assert not any(is_running(pid) for pid in processes)


def unchanged(samples: dict[str, float]) -> dict[str, float]:
    """Leave out what one more connection without a message changes."""
    changed = {"closes", "handshakes", "connections", "duration", "frames", "wire", "request"}
    return {name: value for name, value in samples.items() if not any(word in name for word in changed)}


def test_a_push_process_that_dies_is_replaced_and_nothing_is_pushed_twice(collector: Collector, serve: Serve) -> None:
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
    server = serve("--workers", "2", environment=pushing(collector.endpoint, **variables))
    pid = push_process(server, 2)
    traffic(server)
    name = "websocket_messages_received_total"

    def are_pushed(count: int) -> None:
        assert summed_samples(collector.points())[name] == count

    eventually(lambda: are_pushed(7))
    os.kill(pid, signal.SIGKILL)
    assert server.wait_for_log("push process died")["pid"] == pid
    assert push_process(server, 2) != pid
    traffic(server)
    assert page(server)[name] == 14
    assert server.stop() == 0
    eventually(lambda: are_pushed(14))


def test_without_a_metrics_exporter_there_is_no_push_process(serve: Serve) -> None:
    server = serve("--workers", "2")
    assert len(children(server.pid)) == 2


def test_several_workers_stop_in_time_without_a_collector(serve: Serve) -> None:
    with FaultyCollector(None) as tarpit:
        # The process does not wait for an export, which may take longer than the test waits.
        environment = everything(tarpit.endpoint) | {"OTEL_EXPORTER_OTLP_TIMEOUT": "600000"}
        server = serve("--workers", "2", "--drain-timeout", "1s", environment=environment)
        echo_some(server)
        # Signals (traces) of the workers, and signals (metrics) of the push process.
        wait_until(lambda: {"/v1/traces", "/v1/metrics"} <= {posted.path for posted in tarpit.posted})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE / 2) == 0
        assert not server.complaints()
