"""OpenTelemetry over the shared counters: nothing is recorded per event, everything is observed when it is asked for.

The echo counts in memory; the SDK's instruments read those counts during a collection. The API has no asynchronous
histogram, so the two histograms, already aggregated, are added where a reader receives the collected data.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    MetricsData,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.metrics.export import Metric as MetricData
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from wsecho import __version__
from wsecho.metrics import HISTOGRAMS, METRICS, Histogram, Metric
from wsecho.stats import Stats, Totals

_SCOPE = "wsecho"
_WEIGHT = re.compile(r"q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class _Snapshot:
    """One look at the counters per collection, shared by all callbacks and the histograms of that collection.

    A collection runs its callbacks and hands over the data in one thread: the first callback takes the look, the
    reader drops it. Collections are serialised by `Telemetry`.
    """

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._totals: Totals | None = None

    def take(self) -> Totals:
        if self._totals is None:
            self._totals = self._stats.totals()
        return self._totals

    def drop(self) -> None:
        self._totals = None


class _PrometheusReader(PrometheusMetricReader):
    """Adds the aggregated histograms to what the SDK collected."""

    def __init__(self, snapshot: _Snapshot, registry: CollectorRegistry) -> None:
        self._snapshot = snapshot
        self._started = time.time_ns()
        super().__init__(disable_target_info=False, registry=registry, scope_info_enabled=False)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        totals = self._snapshot.take()
        now = time.time_ns()
        histograms = [self._histogram(histogram, totals, now) for histogram in HISTOGRAMS]
        super()._receive_metrics(_extended(metrics_data, histograms), timeout_millis, **kwargs)

    def _histogram(self, histogram: Histogram, totals: Totals, now: int) -> MetricData:
        points = [
            HistogramDataPoint(
                attributes=attributes,
                start_time_unix_nano=self._started,
                time_unix_nano=now,
                count=sum(buckets),
                sum=total,
                bucket_counts=list(buckets),
                explicit_bounds=list(histogram.bounds),
                min=None,  # type: ignore[arg-type]  # not known; absent in OTLP, where 0 or inf would be a claim
                max=None,  # type: ignore[arg-type]
            )
            for attributes, buckets, total in histogram.read(totals)
        ]
        data = HistogramData(points, AggregationTemporality.CUMULATIVE)
        return MetricData(histogram.name, histogram.description, histogram.unit, data)


def _extended(data: MetricsData, metrics: list[MetricData]) -> MetricsData:
    """Return `data` with `metrics` added to our scope."""
    return replace(
        data,
        resource_metrics=[
            replace(
                resource,
                scope_metrics=[
                    replace(scope, metrics=[*scope.metrics, *metrics]) if scope.scope.name == _SCOPE else scope
                    for scope in resource.scope_metrics
                ],
            )
            for resource in data.resource_metrics
        ],
    )


def _prefers_openmetrics(accept: str) -> bool:
    """Tell which format to answer an Accept value with (RFC 9110 section 12.5.1).

    Nothing else is taken from the peer's words: the library would repeat them in the content type.
    """
    weights = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for element in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in element.split(";"))
        if media_type in weights:
            given = [parameter[2:] for parameter in parameters if _WEIGHT.fullmatch(parameter)]
            weights[media_type] = max(weights[media_type], float(given[0]) if given else 1.0)
    return weights["application/openmetrics-text"] > 0 and (
        weights["application/openmetrics-text"] >= weights["text/plain"]
    )


class Telemetry:
    """The process's meter provider and its `/metrics` page."""

    def __init__(self, stats: Stats, instance_id: str) -> None:
        self._snapshot = _Snapshot(stats)
        # A registry of its own: the global one would add metrics of whichever worker answers.
        self._registry = CollectorRegistry()
        attributes = {"service.name": _SCOPE, "service.version": __version__, "service.instance.id": instance_id}
        self._provider = MeterProvider(
            metric_readers=[_PrometheusReader(self._snapshot, self._registry)],
            # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes first.
            resource=Resource.create({**attributes, **OTELResourceDetector().detect().attributes}),
            shutdown_on_exit=False,
        )
        meter = self._provider.get_meter(_SCOPE, __version__)
        for metric in METRICS:
            create = getattr(meter, f"create_observable_{metric.kind}")
            create(metric.name, [self._callback(metric)], metric.unit, metric.description)

    def _callback(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        return lambda options: [
            Observation(value, attributes) for attributes, value in metric.read(self._snapshot.take())
        ]

    def page(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body of the metrics page, in the format that `accept` asks for."""
        encode, content_type = choose_encoder(_OPENMETRICS if _prefers_openmetrics(accept) else "")
        try:
            return content_type, encode(self._registry)
        finally:
            self._snapshot.drop()

    def shutdown(self) -> None:
        """Flush and stop. Nothing is collected any more."""
        self._provider.shutdown()
