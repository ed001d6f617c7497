"""Pushes the metrics, with the exporters that OTEL_METRICS_EXPORTER names; exactly one process of a server does it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricsData,
    PeriodicExportingMetricReader,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as MetricData
from opentelemetry.sdk.resources import Resource

from wsecho.counting.shared_page import SharedPage, Totals
from wsecho.telemetry.prometheus_page import Snapshot, WithAggregates, in_own_scope, meter_provider


class _PeriodicReader(PeriodicExportingMetricReader):
    """Exports in its own thread, at the interval OTEL_METRIC_EXPORT_INTERVAL, once `may_export` is set."""

    may_export = False

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        if self.may_export:
            super()._receive_metrics(metrics_data, timeout_millis, **kwargs)


class _PushReader(WithAggregates, _PeriodicReader):
    """Exports all metrics. Cumulative sums have as start time the time when all counters were 0.

    The SDK's start time is that of the first observation, when a counter may already have counted for a long time.
    """

    def completed(self, data: MetricsData) -> MetricsData:
        """Return `data` as it is exported: completed, with the right start times."""
        return in_own_scope(super().completed(data), lambda metrics: [self._from_start(metric) for metric in metrics])

    def _from_start(self, metric: MetricData) -> MetricData:
        data = metric.data
        if not isinstance(data, Sum) or data.aggregation_temporality is not AggregationTemporality.CUMULATIVE:
            return metric
        points = [replace(point, start_time_unix_nano=self.started) for point in data.data_points]
        return replace(metric, data=replace(data, data_points=points))


def start(
    exporter: object, shared_page: SharedPage, resource: Resource, exported: Totals | None = None
) -> Callable[[], object]:
    """Push to `exporter` from now on, and return a function that exports once more and stops pushing.

    Deltas begin at `exported`, by default at the present totals. Raises ValueError if `exporter` cannot be pushed to.
    """
    if not isinstance(exporter, MetricExporter):
        raise ValueError("it is not an exporter that data can be pushed to")
    snapshot = Snapshot(shared_page)
    reader = _PushReader(
        exporter,
        snapshot=snapshot,
        started=shared_page.started,
        # The SDK's reader also takes the temporality of its own sums from the exporter.
        preferred=exporter._preferred_temporality or {},
    )
    provider = meter_provider(reader, snapshot, resource)
    if exported:
        snapshot.hold(exported)
    reader.collect()
    reader.may_export = True
    return provider.shutdown
