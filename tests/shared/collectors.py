"""OTLP collectors: two real ones of different makers, and one that misbehaves as a test says."""

import asyncio
import gzip
import os
import re
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate, pairwise
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import pytest
from oteltap.oteltap_http_protobuf_receiver import OtelTapHttpProtobufReceiver
from oteltap.oteltap_http_protobuf_receiver_settings import OtelTapHttpProtobufReceiverSettings

from tests.shared.free_port import free_port
from tests.shared.server import PATIENCE

Attributes = dict[str, Any]
Checked = TypeVar("Checked")


@dataclass
class Point:
    """A point of a metric as it was received. `buckets` and `bounds` are those of a histogram."""

    name: str
    attributes: Attributes = field(default_factory=dict)
    is_delta: bool = False
    start: int = 0
    time: int = 0
    value: float = 0.0
    count: int = 0
    buckets: list[int] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)

    def samples(self) -> dict[str, float]:
        """Return what Prometheus makes of this point, by name and sorted labels as in `name{label="value"}`."""
        labels = [f'{name}="{value}"' for name, value in self.attributes.items()]
        if not self.buckets:
            return {_series(self.name, labels): self.value}
        assert self.count == sum(self.buckets)
        bounds = [*map(str, self.bounds), "+Inf"]
        return {
            _series(f"{self.name}_sum", labels): self.value,
            _series(f"{self.name}_count", labels): self.count,
            **{
                _series(f"{self.name}_bucket", [*labels, f'le="{bound}"']): count
                for bound, count in zip(bounds, accumulate(self.buckets), strict=True)
            },
        }


def _series(name: str, labels: Iterable[str]) -> str:
    joined = ",".join(sorted(labels))
    return f"{name}{{{joined}}}" if joined else name


@dataclass
class Span:
    """A span as it was received. Identifiers are hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    status: str
    attributes: Attributes
    events: list[str]


@dataclass
class LogRecord:
    """A log record as it was received."""

    body: str
    severity: int
    attributes: Attributes
    trace_id: str
    span_id: str


class Collector(Protocol):
    """What tests ask a collector for."""

    endpoint: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def points(self) -> list[Point]: ...

    def spans(self) -> list[Span]: ...

    def log_records(self) -> list[LogRecord]: ...


def wait_until(condition: Callable[[], bool], explain: Callable[[], object] = lambda: "") -> None:
    """Wait until `condition` holds, because what was sent is reported a moment later. Fail after a time limit."""
    for _ in range(int(PATIENCE / 0.02)):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"never came true: {explain()}")


def eventually(check: Callable[[], Checked]) -> Checked:
    """Return what `check` returns as soon as it raises nothing. After a time limit, raise what it raises.

    A collector shows what it has received piece by piece: metric by metric, or line by line. So a test puts everything
    that it expects into one check. Whatever is missing meanwhile is an AssertionError, a LookupError or a ValueError.
    """
    deadline = monotonic() + PATIENCE
    while True:
        try:
            return check()
        except (AssertionError, LookupError, ValueError):
            if monotonic() > deadline:
                raise
        threading.Event().wait(0.02)


def last_samples(points: Iterable[Point]) -> dict[str, float]:
    """Return the newest of cumulative points as Prometheus would show them."""
    samples: dict[str, float] = {}
    for point in points:
        samples |= point.samples()
    return samples


def summed_samples(points: Iterable[Point]) -> dict[str, float]:
    """Return the sums of deltas and the newest of cumulative points, as Prometheus would show them."""
    samples: dict[str, float] = {}
    for point in points:
        for name, value in point.samples().items():
            samples[name] = samples.get(name, 0) + value if point.is_delta else value
    return samples


class OtelTap:
    """The library oteltap: a receiver in Rust that passes on each item as protobuf. It speaks HTTP only."""

    def __init__(self) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self._receiver = OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port))
        self._metrics: list[Any] = []
        self._spans: list[Any] = []
        self._log_records: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE)
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)
        finally:
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _start(self) -> None:
        await self._receiver.start()
        self._gatherers = [
            asyncio.create_task(_gather(self._receiver.stream_metrics(), self._metrics)),
            asyncio.create_task(_gather(self._receiver.stream_traces(), self._spans)),
            asyncio.create_task(_gather(self._receiver.stream_logs(), self._log_records)),
        ]

    async def _stop(self) -> None:
        await self._receiver.stop()
        for gatherer in self._gatherers:
            gatherer.cancel()
        await asyncio.gather(*self._gatherers, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    def points(self) -> list[Point]:
        points = []
        for metric in list(self._metrics):
            data = getattr(metric, metric.WhichOneof("data"))
            is_delta = getattr(data, "aggregation_temporality", 2) == 1
            for point in data.data_points:
                attributes = _attributes(point.attributes)
                times = (point.start_time_unix_nano, point.time_unix_nano)
                if metric.WhichOneof("data") == "histogram":
                    assert not point.HasField("min")
                    buckets, bounds = list(point.bucket_counts), list(point.explicit_bounds)
                    points.append(
                        Point(metric.name, attributes, is_delta, *times, point.sum, point.count, buckets, bounds)
                    )
                else:
                    value = getattr(point, point.WhichOneof("value"))
                    points.append(Point(metric.name, attributes, is_delta, *times, value))
        return points

    def spans(self) -> list[Span]:
        return [
            Span(
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                kind={2: "SERVER"}[span.kind],
                status={0: "UNSET", 1: "OK", 2: "ERROR"}[span.status.code],
                attributes=_attributes(span.attributes),
                events=[event.name for event in span.events],
            )
            for span in list(self._spans)
        ]

    def log_records(self) -> list[LogRecord]:
        return [
            LogRecord(
                body=record.body.string_value,
                severity=record.severity_number,
                attributes=_attributes(record.attributes),
                trace_id=record.trace_id.hex(),
                span_id=record.span_id.hex(),
            )
            for record in list(self._log_records)
        ]


async def _gather(stream: Any, into: list[Any]) -> None:
    async for item in stream:
        into.append(item)


def _attributes(pairs: Iterable[Any]) -> Attributes:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


class Rotel:
    """The rotel agent: a collector in Rust that prints what it receives by HTTP and gRPC. It passes everything on to
    `exports_to`, the endpoint of another collector, by HTTP with gzip, which oteltap does not understand.
    """

    def __init__(self, folder: Path, *, exports_to: str | None = None) -> None:
        agent = pytest.importorskip("rotel", reason="rotel is not installed: it has no wheel for this Python")
        http, grpc = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{http}"
        self.grpc_endpoint = f"http://127.0.0.1:{grpc}"
        self._command = [
            str(Path(str(agent.__file__)).with_name("rotel-agent")),
            "start",
            *(_export_by_http(exports_to) if exports_to else ["--exporter=blackhole"]),
            *("--debug-log=metrics", "--debug-log=traces", "--debug-log=logs", "--debug-log-verbosity=detailed"),
            "--disable-batching",
            f"--otlp-http-endpoint=127.0.0.1:{http}",
            f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
            f"--pid-file={folder / 'rotel.pid'}",
            f"--log-file={folder / 'rotel.log'}",
        ]
        # It is linked to the library of the Python that its wheel is for, which the loader finds by itself only where
        # the system has that Python too. Ours knows where its own library is.
        folders = [sysconfig.get_config_var("LIBDIR"), os.environ.get("LD_LIBRARY_PATH")]
        self._environment = os.environ | {"LD_LIBRARY_PATH": ":".join(filter(None, folders))}
        self._printed: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        try:
            for endpoint in (self.endpoint, self.grpc_endpoint):
                port = int(endpoint.rpartition(":")[2])
                wait_until(lambda port=port: self._has_ended() or _is_open(port), lambda: self._printed)
            assert not self._has_ended(), f"rotel ended with {self._process.returncode}: {self._printed}"
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _has_ended(self) -> bool:
        return self._process.poll() is not None

    def _end(self) -> None:
        # What it has received has been printed, and it has nothing to save.
        self._process.kill()
        self._process.wait()
        self._thread.join(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                self._printed.append(line.rstrip("\n"))

    def resource(self) -> Attributes:
        """Return the attributes of the resource that was received first."""
        return _pairs(_after(list(self._printed), "Resource attributes:"))

    def points(self) -> list[Point]:
        return [
            _printed_point(metric, point)
            for metric in self._items("Metric #", until="ResourceMetrics #")
            for point in _split(metric, r"(Number|Histogram)DataPoints #")
            if _is_complete(point)
        ]

    def spans(self) -> list[Span]:
        return [
            Span(
                name=_field(span, "Name           "),
                trace_id=_field(span, "Trace ID       "),
                span_id=_field(span, "ID             "),
                parent_id=_field(span, "Parent ID      "),
                kind=_field(span, "Kind           ").removeprefix("SPAN_KIND_"),
                status=_field(span, "Status code    ").removeprefix("STATUS_CODE_"),
                attributes=_pairs(_after(span, "Attributes:")),
                events=[line.partition("-> Name: ")[2] for line in span if "-> Name: " in line],
            )
            for span in self._items("Span #", until="Resource(Spans|Metrics|Log) #")
        ]

    def log_records(self) -> list[LogRecord]:
        return [
            LogRecord(
                body=_field(record, "Body").removeprefix("Str(").removesuffix(")"),
                severity=int(_field(record, "SeverityNumber").partition("(")[2].removesuffix(")")),
                attributes=_pairs(_after(record, "Attributes:")),
                trace_id=_field(record, "Trace ID       "),
                span_id=_field(record, "Span ID        "),
            )
            for record in self._items("LogRecord #", until="Resource(Spans|Metrics|Log) #")
        ]

    def _items(self, heading: str, until: str) -> list[list[str]]:
        """Return the lines of each item, as far as they have been printed."""
        items = []
        for item in _split(list(self._printed), heading):
            end = next((number for number, line in enumerate(item) if re.match(until, line)), len(item))
            items.append(item[:end])
        return items


def _export_by_http(endpoint: str) -> list[str]:
    return ["--exporter=otlp", f"--otlp-exporter-endpoint={endpoint}", "--otlp-exporter-protocol=http"]


def _split(lines: list[str], heading: str) -> list[list[str]]:
    starts = [number for number, line in enumerate(lines) if re.match(heading, line)]
    return [lines[start:stop] for start, stop in pairwise([*starts, len(lines)])]


def _field(lines: list[str], name: str) -> str:
    return next((line.partition(":")[2].strip() for line in lines if line.strip().startswith(name)), "")


def _after(lines: list[str], heading: str) -> list[str]:
    if heading not in lines:
        return []
    rest = lines[lines.index(heading) + 1 :]
    end = next((number for number, line in enumerate(rest) if not line.startswith("     -> ")), len(rest))
    return rest[:end]


def _pairs(lines: list[str]) -> Attributes:
    found: Attributes = {}
    for line in lines:
        name, _, value = line.removeprefix("     -> ").partition(": ")
        kind, _, text = value.removesuffix(")").partition("(")
        found[name] = {"Str": str, "Int": int, "Double": float, "Bool": lambda word: word == "true"}[kind](text)
    return found


def _is_complete(point: list[str]) -> bool:
    """Return whether a point has been printed completely: its value, or one count more than there are bounds."""
    starts = [line.partition(" #")[0] for line in point]
    buckets = starts.count("Buckets")
    return buckets == starts.count("ExplicitBounds") + 1 or any(line.startswith("Value: ") for line in point)


def _printed_point(metric: list[str], lines: list[str]) -> Point:
    numbers = [float(line.rpartition(": ")[2]) for line in lines if line.startswith(("Value: ", "Sum: "))]
    return Point(
        name=_field(metric, "-> Name"),
        attributes=_pairs(_after(lines, "Data point attributes:")),
        is_delta="DELTA" in _field(metric, "-> AggregationTemporality"),
        start=int(_field(lines, "StartTimestamp") or 0),
        time=int(_field(lines, "Timestamp")),
        value=numbers[0] if numbers else float("nan"),
        count=int(_field(lines, "Count") or 0),
        buckets=[int(line.rpartition(": ")[2]) for line in lines if line.startswith("Buckets #")],
        bounds=[float(line.rpartition(": ")[2]) for line in lines if line.startswith("ExplicitBounds #")],
    )


def _is_open(port: int) -> bool:
    with socket.socket() as prober:
        return prober.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Posted:
    """A request that a `FaultyCollector` has read."""

    path: str
    headers: dict[str, str]
    body: bytes


class FaultyCollector:
    """Answers with `status`. If that is None, it never answers; if it is 0, it closes the connection. Keeps what was
    posted.
    """

    def __init__(self, status: int | None = 200) -> None:
        self.posted: list[Posted] = []
        self._over = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.posted.append(Posted(self.path, headers, body))
                self.close_connection = True
                if status is None:
                    collector._over.wait(PATIENCE)
                elif status:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
