"""Metrics pushed to where OTEL_METRICS_EXPORTER says, by exactly one process of a server."""

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
from wsecho.telemetry.prometheus_page import Snapshot, WithAggregates, in_our_scope, meter_provider


class _PeriodicReader(PeriodicExportingMetricReader):
    """Exports in a thread of its own, as often as OTEL_METRIC_EXPORT_INTERVAL says; nothing before it may."""

    may_export = False

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        if self.may_export:
            super()._receive_metrics(metrics_data, timeout_millis, **kwargs)


class _PushReader(WithAggregates, _PeriodicReader):
    """Exports everything, cumulative sums from the time when the counters were 0.

    The SDK lets a sum start when it was observed first, by which time it may have counted for long.
    """

    def completed(self, data: MetricsData) -> MetricsData:
        """Return `data` as it is exported."""
        return in_our_scope(super().completed(data), lambda metrics: [self._from_start(metric) for metric in metrics])

    def _from_start(self, metric: MetricData) -> MetricData:
        counted = metric.data
        if not isinstance(counted, Sum) or counted.aggregation_temporality is not AggregationTemporality.CUMULATIVE:
            return metric
        points = [replace(point, start_time_unix_nano=self.started) for point in counted.data_points]
        return replace(metric, data=replace(counted, data_points=points))


def start(
    exporter: object, shared_page: SharedPage, resource: Resource, exported: Totals | None = None
) -> Callable[[], object]:
    """Push to `exporter` from now on, and return what ends that with a last export. Raises ValueError.

    Deltas begin at `exported`, by default at what has been counted until now.
    """
    if not isinstance(exporter, MetricExporter):
        raise ValueError("it is not one to push to")
    snapshot = Snapshot(shared_page)
    reader = _PushReader(
        exporter,
        snapshot=snapshot,
        started=shared_page.started,
        # The reader takes the temporality of the SDK's own sums from here, too.
        preferred=exporter._preferred_temporality or {},
    )
    provider = meter_provider(reader, snapshot, resource)
    if exported:
        snapshot.hold(exported)
    reader.collect()
    reader.may_export = True
    return provider.shutdown
