"""Metrics that are pushed by OTLP: they equal the page, and none is pushed twice."""

import threading
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.sdk.metrics import Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from tests.conftest import Serve
from tests.shared.collectors import (
    Collector,
    Point,
    eventually,
    last_samples,
    summed_samples,
    wait_until,
)
from tests.shared.pushing import differences, page, pushing, settled, traffic
from tests.shared.server import PATIENCE
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.counting.shared_page import SharedPage
from wsecho.telemetry import prometheus_page, push


@pytest.mark.parametrize("preference", ["cumulative", "delta", "lowmemory"])
def test_what_is_pushed_equals_the_page(collector: Collector, serve: Serve, preference: str) -> None:
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
    server = serve(environment=pushing(collector.endpoint, **variables))
    wait_until(lambda: bool(collector.points()))
    traffic(server)
    expected = page(server)
    assert expected["websocket_messages_received_total"] == 7
    assert server.stop() == 0

    def check() -> list[Point]:
        points = collector.points()
        assert not differences(settled(summed_samples(points)), expected)
        return points

    points = eventually(check)
    deltas = {point.name for point in points if point.is_delta}
    histograms = {point.name for point in points if point.buckets}
    assert {"websocket_message_size_bytes", "websocket_connection_duration_seconds"} <= histograms
    if preference == "cumulative":
        assert not deltas
        assert expected == settled(last_samples(points))
        # To compute a rate over the first interval, the collector must know when counting started.
        assert len({point.start for point in points if point.name in histograms | {"websocket_connections_total"}}) == 1
    elif preference == "delta":
        assert histograms | {"websocket_connections_total"} <= deltas
        assert "websocket_active_connections" not in deltas
    else:
        assert deltas == histograms


def test_deltas_follow_each_other_without_a_gap(collector: Collector, serve: Serve) -> None:
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}
    server = serve(environment=pushing(collector.endpoint, **variables))

    def received() -> list[list[Point]]:
        names = ("websocket_connections_total", "websocket_message_size_bytes")
        series = [[point for point in collector.points() if point.name == name] for name in names]
        assert all(len(points) > 3 for points in series), series
        return series

    eventually(received)
    server.stop()
    for points in received():
        assert all(before.time == after.start for before, after in pairwise(points[1:]))
        assert all(point.start < point.time for point in points)


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
