"""Metrics and log lines pushed by OTLP: to real collectors of two makes, and to some that fail."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.collectors import (
    Collector,
    FaultyCollector,
    OtelTap,
    Rotel,
    last_samples,
    summed_samples,
    wait_until,
)
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, TEXT, client_frame, server_close, server_frame
from tests.shared.free_port import free_port
from tests.shared.processes import children, is_running, open_files
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer, started
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.counting.shared_page import SharedPage
from wsecho.telemetry import prometheus_page, push


@pytest.fixture(params=["oteltap", "rotel"])
def collector(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collector]:
    with OtelTap() if request.param == "oteltap" else Rotel(tmp_path) as running:
        yield running


@pytest.fixture
def rotel(tmp_path: Path) -> Iterator[Rotel]:
    with Rotel(tmp_path) as running:
        yield running


def pushing(endpoint: str, **more: str) -> dict[str, str]:
    """Return the environment of a server that pushes metrics ten times a second."""
    return {
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        **more,
    }


def traffic(server: RunningServer) -> None:
    """Something for every metric: sizes, fragments, an answered violation, a reset."""
    with RawConnection(server.port).open() as client:
        for size in (0, 1, 64, 65, 1000, 100_000):
            client.send(client_frame(BINARY, bytes(size)))
            client.receive(len(server_frame(BINARY, bytes(size))))
        client.send(client_frame(TEXT, b"in ", fin=False) + client_frame(CONTINUATION, b"two") + client_frame(CLOSE))
        assert client.receive_all().endswith(server_frame(CLOSE))
    with RawConnection(server.port).open() as client:
        client.send(client_frame(TEXT, b"\xff"))
        assert client.receive_all() == server_close(1007, "text is not valid UTF-8")
    client = RawConnection(server.port).open()
    client.send(client_frame(BINARY, bytes(70_000))[:1000])
    client.reset()
    server.get("/nowhere")


def page(server: RunningServer) -> dict[str, float]:
    """Return the samples of the page that stay as they are when nobody is connected."""
    server.wait_for_metrics(websocket_active_connections=0)
    samples = {}
    for family in text_string_to_metric_families(server.get("/metrics")[2].decode()):
        for sample in family.samples:
            labels = ",".join(sorted(f'{name}="{value}"' for name, value in sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return settled(samples)


def settled(samples: dict[str, float]) -> dict[str, float]:
    """Leave out what scraping itself changes, and what time does; spell the rest as Prometheus does."""
    settled = {}
    for name, value in samples.items():
        # Over OTLP it has the name and the attributes that the conventions give it.
        spelt = re.sub(r"(?<=[a-z])\.(?=[a-z])", "_", name).replace(',http_route=""', "")
        spelt = re.sub(r"(?<=request_duration)(?!_seconds)", "_seconds", spelt)
        if spelt.startswith(("websocket_", "http_server_")) and "/metrics" not in spelt:
            settled[spelt] = value
    return settled


@pytest.mark.parametrize("preference", ["cumulative", "delta", "lowmemory"])
def test_what_is_pushed_equals_the_page(collector: Collector, serve: Serve, preference: str) -> None:
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
    server = serve(environment=pushing(collector.endpoint, **variables))
    wait_until(lambda: len(collector.points()) > 0)
    traffic(server)
    expected = page(server)
    assert expected["websocket_messages_received_total"] == 7
    assert server.stop() == 0

    def received() -> dict[str, float]:
        return settled(summed_samples(collector.points()))

    # A sum of deltas has been rounded more often.
    wait_until(
        lambda: received() == pytest.approx(expected, rel=1e-9), lambda: set(received().items()) ^ set(expected.items())
    )
    points = collector.points()
    deltas = {point.name for point in points if point.is_delta}
    histograms = {point.name for point in points if point.buckets}
    assert {"websocket_message_size_bytes", "websocket_connection_duration_seconds"} <= histograms
    if preference == "cumulative":
        assert not deltas
        assert expected == settled(last_samples(points))
        # A rate over the first interval needs to know when counting began.
        assert len({point.start for point in points if point.name in histograms | {"websocket_connections_total"}}) == 1
    elif preference == "delta":
        assert histograms | {"websocket_connections_total"} <= deltas
        assert "websocket_active_connections" not in deltas
    else:
        assert deltas == histograms


def test_deltas_follow_each_other_without_a_gap(collector: Collector, serve: Serve) -> None:
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
    server = serve(environment=pushing(collector.endpoint, **variables))
    wait_until(lambda: len([p for p in collector.points() if p.name == "websocket_connections_total"]) > 3)
    server.stop()
    for name in ("websocket_connections_total", "websocket_message_size_bytes"):
        points = [point for point in collector.points() if point.name == name]
        assert all(before.time == after.start for before, after in pairwise(points[1:]))
        assert all(point.start < point.time for point in points)


def push_process(server: RunningServer, workers: int) -> int:
    """Return the process id of the child that has no listening socket, once there is one beside the workers."""

    def found() -> list[int]:
        processes = children(server.pid)
        without = [pid for pid in processes if not listens(pid)]
        return without if len(processes) == workers + 1 and len(without) == 1 else []

    wait_until(lambda: bool(found()))
    (pid,) = found()
    return pid


def listens(pid: int) -> bool:
    """Tell whether a process has a TCP socket that listens."""
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
    open_now = sum(len(list(open_files(pid))) for pid in {server.pid, *processes})
    # One connection is ours, another may still be in its end.
    assert abs(server.metrics()["process_open_fds"] - open_now) <= 5
    expected = page(server)
    assert expected["websocket_messages_received_total"] == 35
    with RawConnection(server.port).open() as client:
        # A service manager may send it to every process; the one that pushes waits for all others.
        for pid in [server.pid, *(processes if to_all else ())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        client.send(client_frame(CLOSE))
        client.receive_all()
    assert server.wait() == 0
    last = "websocket_connections_total"
    expected[last] += 1
    wait_until(lambda: summed_samples(collector.points()).get(last) == expected[last], collector.points)
    received = settled(summed_samples(collector.points()))
    assert received["websocket_active_connections"] == 0
    assert received["websocket_connection_duration_seconds_count"] == expected[last]
    changed = {"closes", "handshakes", "connections", "duration", "frames", "wire", "request"}
    for name, value in expected.items():
        if not any(word in name for word in changed):
            assert received[name] == pytest.approx(value, rel=1e-9), name
    assert not any(is_running(pid) for pid in processes)


def test_a_push_process_that_dies_is_replaced_and_nothing_is_pushed_twice(collector: Collector, serve: Serve) -> None:
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
    server = serve("--workers", "2", environment=pushing(collector.endpoint, **variables))
    pid = push_process(server, 2)
    traffic(server)
    name = "websocket_messages_received_total"
    wait_until(lambda: summed_samples(collector.points()).get(name) == 7)
    os.kill(pid, signal.SIGKILL)
    assert server.wait_for_log("push process died")["pid"] == pid
    assert push_process(server, 2) != pid
    traffic(server)
    assert page(server)[name] == 14
    assert server.stop() == 0
    wait_until(lambda: summed_samples(collector.points()).get(name) == 14)


def test_nobody_asked_for_a_push_process(serve: Serve) -> None:
    server = serve("--workers", "2")
    assert len(children(server.pid)) == 2


def test_several_workers_stop_in_time_without_a_collector(serve: Serve) -> None:
    with FaultyCollector(None) as tarpit:
        server = serve("--workers", "2", "--drain-timeout", "1s", environment=everything(tarpit.endpoint))
        echo_some(server)
        # Signals of the processes that serve, and of the one that does not.
        wait_until(lambda: {"/v1/traces", "/v1/metrics"} <= {posted.path for posted in tarpit.posted})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(8) == 0
        assert not server.complaints()


def test_no_worker_is_killed_over_its_last_exports(serve: Serve) -> None:
    command = patched("from wsecho.telemetry import exports; exports._LEAST_SECONDS = 3.0")
    with FaultyCollector(None) as tarpit:
        variables = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "50"}
        environment = {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": tarpit.endpoint}
        server = serve("--workers", "2", "--drain-timeout", "500ms", command=command, environment=environment)
        echo_some(server)
        wait_until(lambda: bool(tarpit.posted))
        # It takes longer than anything else that a worker has to end.
        assert server.stop() == 0
        assert not server.complaints()


def test_grpc_is_spoken_where_it_is_asked_for(rotel: Rotel, serve: Serve) -> None:
    server = serve(environment=pushing(rotel.grpc_endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"))
    traffic(server)
    expected = page(server)
    assert server.stop() == 0
    wait_until(lambda: settled(last_samples(rotel.points())) == expected)


def test_the_resource_is_what_the_variables_say(rotel: Rotel, serve: Serve) -> None:
    server = serve(
        environment=pushing(
            rotel.endpoint,
            OTEL_SERVICE_NAME="echo-of-tests",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.name=other,service.instance.id=number%201",
        )
    )
    wait_until(lambda: bool(rotel.resource()))
    assert rotel.resource()["service.name"] == "echo-of-tests"
    assert rotel.resource()["deployment.environment.name"] == "test"
    assert rotel.resource()["service.instance.id"] == "number 1"
    assert 'service_name="echo-of-tests"' in server.get("/metrics")[2].decode()


def test_by_default_the_resource_is_this_instance(rotel: Rotel, serve: Serve) -> None:
    server = serve(environment=pushing(rotel.endpoint))
    wait_until(lambda: bool(rotel.resource()))
    assert rotel.resource()["service.name"] == "wsecho"
    assert rotel.resource()["service.instance.id"] == json.loads(server.get("/info")[2])["instance_id"]


def test_endpoint_headers_and_compression_are_those_of_the_signal(serve: Serve) -> None:
    with FaultyCollector() as asked, FaultyCollector() as other:
        server = serve(
            environment=pushing(
                other.endpoint,
                OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{asked.endpoint}/some/path",
                OTEL_EXPORTER_OTLP_METRICS_HEADERS="x-tenant=tests,authorization=Basic%20abc",
                OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            )
        )
        wait_until(lambda: len(asked.posted) > 1)
        assert server.stop() == 0
        assert not other.posted
        posted = asked.posted[0]
        assert posted.path == "/some/path"
        assert posted.headers["content-type"] == "application/x-protobuf"
        assert posted.headers["content-encoding"] == "gzip"
        assert (posted.headers["x-tenant"], posted.headers["authorization"]) == ("tests", "Basic abc")
        request = ExportMetricsServiceRequest.FromString(posted.body)
        names = [metric.name for metric in request.resource_metrics[0].scope_metrics[0].metrics]
        assert "websocket_message_size_bytes" in names
        assert len(names) == len(set(names))


def test_the_console_gets_what_it_is_asked_to_show() -> None:
    environment = {"OTEL_METRICS_EXPORTER": "console", "OTEL_TRACES_EXPORTER": "console,otlp", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "wsecho", "--host=127.0.0.1", "--port=0", "--log-format=json"]
    # Nothing listens there; the console shows its part all the same.
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    with started([*command, "--drain-timeout=1s"], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        with connect(f"ws://127.0.0.1:{port}") as client:
            client.send("shown")
            assert client.recv() == "shown"
        process.send_signal(signal.SIGTERM)
        printed = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0
    assert re.search(r'"name": "websocket_message_size_bytes".*?"sum": 5\b', printed, re.DOTALL)
    assert '"name": "GET /{websocket}"' in printed


def test_nothing_is_sent_where_nobody_asked_for_it_or_the_sdk_is_disabled(serve: Serve) -> None:
    with FaultyCollector() as collector:
        asked = dict.fromkeys(("OTEL_METRICS_EXPORTER", "OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER"), "otlp")
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "50"}
        disabled = serve(environment={**asked, **endpoint, "OTEL_SDK_DISABLED": "true"})
        default = serve(environment=endpoint)
        none = serve(environment={**dict.fromkeys(asked, "none"), **endpoint})
        for server in (disabled, default, none):
            with connect(server.ws_url) as client:
                client.send("quiet")
                assert client.recv() == "quiet"
        status, _, body = disabled.get("/metrics")
        assert (status, body) == (200, b"")
        assert default.metrics()["websocket_connections_total"] == 1
        assert [server.stop() for server in (disabled, default, none)] == [0, 0, 0]
        assert not collector.posted


MISTAKES = {
    "OTEL_METRICS_EXPORTER": "otlp,nonsense,prometheus",
    "OTEL_TRACES_EXPORTER": "otlp,zipkin",
    "OTEL_LOGS_EXPORTER": "none,elsewhere",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "sometimes",
    "OTEL_METRIC_EXPORT_TIMEOUT": "never",
    "OTEL_TRACES_SAMPLER": "coin",
    "OTEL_PROPAGATORS": "pigeon",
    "OTEL_RESOURCE_ATTRIBUTES": "good=1,bad",
}
# What the lines about them have in common with what was set.
COMPLAINTS = {
    *("nonsense", "zipkin", "elsewhere", "http/json", "soon", "zip", "SOMETIMES", "export timeout"),
    *("coin", "pigeon", "attribute pair bad"),
}


def test_each_mistake_is_a_line_and_everything_else_goes_on(rotel: Rotel, serve: Serve) -> None:
    environment = {**MISTAKES, "OTEL_EXPORTER_OTLP_ENDPOINT": rotel.endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "100"}
    server = serve(environment=environment)
    with connect(server.ws_url) as client:
        client.send("still here")
        assert client.recv() == "still here"
    wait_until(lambda: last_samples(rotel.points()).get("websocket_connections_total") == 1)
    assert server.stop() == 0
    wait_until(lambda: [span.name for span in rotel.spans()] == ["GET /{websocket}"])
    assert rotel.resource()["good"] == "1"
    assert not server.complaints()
    lines = [" ".join(map(str, line.values())) for line in server.logs if line["severity"] == "WARNING"]
    for complaint in COMPLAINTS:
        assert any(complaint in line for line in lines), f"{complaint} in {lines}"
    assert not any("prometheus" in line for line in lines)
    assert len(lines) < 2 * len(COMPLAINTS)


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, "interval value 0"),
        (
            {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER": "nobody"},
            "component 'nobody' not found",
        ),
    ],
)
def test_an_exporter_that_cannot_be_had_is_done_without(
    serve: Serve, variables: dict[str, str], complaint: str
) -> None:
    with FaultyCollector() as collector:
        server = serve(environment={**pushing(collector.endpoint), **variables})
        assert server.metrics()["websocket_connections_total"] == 0
        assert server.stop() == 0
        assert not server.complaints()
        assert not collector.posted
    (line,) = [line for line in server.logs if line["severity"] == "WARNING"]
    assert line["event"] == "telemetry is not exported"
    assert complaint in line["cause"]


def everything(endpoint: str) -> dict[str, str]:
    """Return the environment of a server that sends all signals, often."""
    variables = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    delays = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50"}
    return pushing(endpoint, **variables, **delays)


def echo_some(server: RunningServer) -> None:
    for _ in range(20):
        with connect(server.ws_url) as client:
            client.send("unimpressed")
            assert client.recv() == "unimpressed"


# 400 is final, 503 is tried again; closing is what a proxy without a backend does.
@pytest.mark.parametrize("status", [400, 503, 0], ids=["refuses", "is overloaded", "closes"])
def test_a_failing_collector_is_worth_one_line_a_minute(serve: Serve, status: int) -> None:
    with FaultyCollector(status) as collector:
        server = serve("--drain-timeout", "1s", environment=everything(collector.endpoint))
        echo_some(server)
        wait_until(lambda: len({posted.path for posted in collector.posted}) == 3 and len(collector.posted) > 5)
        assert server.stop() == 0
        assert not server.complaints()
    (line,) = [line for line in server.logs if line["severity"] == "WARNING"]
    assert line["event"] == "opentelemetry"
    assert line["logger"].startswith("opentelemetry.exporter.otlp.")


@pytest.mark.parametrize("exists", [True, False], ids=["never answers", "is not there"])
def test_a_collector_that_is_not_there_holds_nothing_up(serve: Serve, exists: bool) -> None:
    with FaultyCollector(None) as tarpit:
        endpoint = tarpit.endpoint if exists else f"http://127.0.0.1:{free_port()}"
        server = serve("--drain-timeout", "1s", environment=everything(endpoint))
        echo_some(server)
        if exists:
            wait_until(lambda: len(tarpit.posted) >= 3)
        with connect(server.ws_url) as client:
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(Exception):
                client.recv()
        # Each of its exports may take ten seconds; the process does not wait for them.
        assert server.process.wait(8) == 0
        assert not server.complaints()
        assert len([line for line in server.logs if line["event"] == "opentelemetry"]) <= 1
        assert server.logs[-1]["event"] in ("stopped", "opentelemetry")


def test_the_timeout_is_in_milliseconds_as_the_specification_has_it(serve: Serve) -> None:
    with FaultyCollector(None) as tarpit:
        server = serve("--drain-timeout", "1s", environment=pushing(tarpit.endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="200"))
        wait_until(lambda: len(tarpit.posted) >= 2)
        assert server.wait_for_log("opentelemetry")["logger"].startswith("opentelemetry.exporter.otlp.")


def test_log_lines_become_log_records(collector: Collector, serve: Serve) -> None:
    variables = {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "otlp"}
    server = serve("--log-level", "debug", environment={**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    with RawConnection(server.port).open() as client:
        client.send(client_frame(TEXT, b"secret", fin=False) + client_frame(TEXT))
        client.receive_all()
    server.wait_for_metrics(websocket_active_connections=0)
    assert server.stop() == 0
    wait_until(lambda: bool(collector.log_records()) and collector.log_records()[-1].body == "stopped")
    assert not server.complaints()
    records = {record.body: record for record in collector.log_records()}
    assert list(records) == [line["event"] for line in server.logs]
    assert (records["listening"].severity, records["websocket closed"].severity) == (9, 5)
    assert records["listening"].attributes["port"] == server.port
    assert records["listening"].trace_id.strip("0") == ""
    (span,) = collector.spans()
    closed = records["websocket closed"]
    assert (closed.trace_id, closed.span_id) == (span.trace_id, span.span_id)
    assert "secret" not in str(records)


def test_what_is_not_asked_for_is_not_imported() -> None:
    program = (
        "import sys, wsecho.processes.worker, wsecho.logs.structured_log, wsecho.telemetry.exports\n"
        "exports = wsecho.telemetry.exports.Exports('here', wsecho.logs.structured_log.configure('info', 'json'))\n"
        "exports.log_lines(); exports.push(None); exports.traces(); exports.shutdown(1)\n"
        "heavy = 'requests', 'urllib3', 'google', 'grpc', 'opentelemetry.sdk.trace', 'opentelemetry.sdk._logs',\\\n"
        "    'opentelemetry.exporter.otlp', 'opentelemetry.propagate'\n"
        "print([name for name in sys.modules if name.startswith(tuple(heavy))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, env={})
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


class Kept(MetricExporter):
    """An exporter that keeps what it is given."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.exported: list[MetricsData] = []
        self.happened = threading.Event()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        self.exported.append(metrics_data)
        self.happened.set()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        pass

    def metrics(self, number: int) -> dict[str, Any]:
        (resource,) = self.exported[number].resource_metrics
        return {metric.name: metric.data for metric in resource.scope_metrics[0].metrics}


def test_an_exporter_process_that_takes_over_repeats_nothing() -> None:
    preferred = dict.fromkeys((ObservableCounter, Histogram), AggregationTemporality.DELTA)
    shared_page = SharedPage(workers=1)
    counters = ConnectionCounters(shared_page.rows[0])
    counters.connection_opened()
    counters.connection_ended(1.0, 1000, "client")
    exported = shared_page.totals()
    counters.connection_opened()
    counters.connection_ended(2.5, 1000, "client")
    exporter = Kept(preferred_temporality=preferred)
    push.start(exporter, shared_page, Resource({}), exported)()
    metrics = exporter.metrics(-1)
    assert metrics["websocket_connections_total"].data_points[0].value == 1
    (durations,) = metrics["websocket_connection_duration_seconds"].data_points
    assert (durations.count, durations.sum) == (1, 2.5)
    cumulative = Kept()
    push.start(cumulative, shared_page, Resource({}), exported)()
    (opened,) = cumulative.metrics(-1)["websocket_connections_total"].data_points
    assert (opened.value, opened.start_time_unix_nano) == (2, shared_page.started)


def test_an_error_in_a_histogram_does_not_end_the_push(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(totals: object) -> Any:
        raise ArithmeticError("no such bucket")

    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    exporter = Kept()
    shared_page = SharedPage(workers=1)
    end = push.start(exporter, shared_page, Resource({}))
    monkeypatch.setattr(prometheus_page, "HISTOGRAMS", [type("Row", (), {"read": staticmethod(fail)})])
    exporter.happened.clear()
    assert exporter.happened.wait(PATIENCE)
    exporter.happened.clear()
    assert exporter.happened.wait(PATIENCE)
    ConnectionCounters(shared_page.rows[0]).connection_opened()
    end()
    assert exporter.metrics(-1)["websocket_connections_total"].data_points[0].value == 1
    assert "websocket_message_size_bytes" not in exporter.metrics(-1)
