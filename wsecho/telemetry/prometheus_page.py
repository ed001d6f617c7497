"""OpenTelemetry over the shared counters: nothing is recorded per event, everything is observed when it is asked for.

The echo counts in memory; the SDK's instruments read those counts during a collection. The API has no asynchronous
histogram, so histograms, already aggregated, are added where a reader receives the collected data. So are the metrics
with labels: as observations, each of their hundred series would cost the SDK ten times as much, and a scrape must not
hold up the echoes.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Histogram as HistogramInstrument
from opentelemetry.sdk.metrics import MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    MetricReader,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.metrics.export import Metric as MetricData
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.exposition import choose_encoder

from wsecho import __version__
from wsecho.counting.shared_page import SharedPage, Totals
from wsecho.telemetry.metrics import HISTOGRAMS, METRICS, Attributes, Histogram, Metric

_SCOPE = "wsecho"
# Seconds. A collection takes some milliseconds.
_SNAPSHOT_AGE = 2.0
_log = logging.getLogger("opentelemetry.wsecho")
_WEIGHT = re.compile(r"q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
# Between pieces of the page of so many seconds, the echoes have their turn.
_PIECE_SECONDS = 0.0002
# What an OpenMetrics page ends with.
_END = b"# EOF\n"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Snapshot(threading.local):
    """One look at the counters per collection, shared by all callbacks and the histograms of that collection.

    A collection runs its callbacks and hands over the data in one thread: the first callback takes the look, the
    reader drops it. A look that is left over from a collection that failed in between is too old for the next one.
    """

    def __init__(self, shared_page: SharedPage) -> None:
        self._shared_page = shared_page
        self._totals: Totals | None = None
        self._taken = 0.0

    def take(self) -> Totals:
        """Return the totals as they were when this collection began."""
        if self._totals is None or time.monotonic() - self._taken > _SNAPSHOT_AGE:
            self.hold(self._shared_page.totals())
        assert self._totals is not None
        return self._totals

    def hold(self, totals: Totals) -> None:
        """Let the collection that comes see `totals`."""
        self._totals = totals
        self._taken = time.monotonic()

    def drop(self) -> None:
        """The collection is over."""
        self._totals = None


class WithAggregates(MetricReader):
    """Mixed into a reader, adds the histograms and all metrics with labels to what the SDK collected.

    `started` is when the counters were at 0, in nanoseconds of Unix time; `preferred` has the temporality of kinds of
    instruments, where it is not cumulative.
    """

    def __init__(
        self,
        *args: Any,
        snapshot: Snapshot,
        started: int,
        preferred: Mapping[type, AggregationTemporality],
        **settings: Any,
    ) -> None:
        self._snapshot = snapshot
        self.started = started
        self._of_counters = preferred.get(ObservableCounter, AggregationTemporality.CUMULATIVE)
        self._of_histograms = preferred.get(HistogramInstrument, AggregationTemporality.CUMULATIVE)
        # Of each series, when it was exported last, and its numbers then: value, or sum and buckets.
        self._exported: dict[tuple[str | int, ...], tuple[int, tuple[float, ...]]] = {}
        # Last: it may start the thread that exports.
        super().__init__(*args, **settings)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        try:
            metrics_data = self.completed(metrics_data)
        except Exception:
            # It would end the thread that exports, and all else that it has to export.
            _log.exception("histograms and metrics with labels are left out")
        finally:
            self._snapshot.drop()
        # Abstract only where this is not mixed into a reader.
        super()._receive_metrics(metrics_data, timeout_millis, **kwargs)  # type: ignore[safe-super]

    def completed(self, data: MetricsData) -> MetricsData:
        """Return `data` with what the SDK has no instruments for."""
        totals = self._snapshot.take()
        now = time.time_ns()
        families = [
            *(self._sum_or_gauge(row, totals, now) for row in METRICS if row.labels),
            *(self._histogram(row, totals, now) for row in HISTOGRAMS),
        ]
        return in_our_scope(
            data, lambda metrics: [*metrics, *(family for family in families if family.data.data_points)]
        )

    def _sum_or_gauge(self, row: Metric, totals: Totals, now: int) -> MetricData:
        temporality = self._of_counters if row.kind == "counter" else AggregationTemporality.CUMULATIVE
        points = []
        for attributes, value in row.read(totals):
            start, (value,) = self._since_last(row.name, attributes, (value,), now, temporality)
            points.append(NumberDataPoint(attributes, start, now, value))
        data = Gauge(points) if row.kind == "gauge" else Sum(points, temporality, is_monotonic=row.kind == "counter")
        return MetricData(row.name, row.description, row.unit, data)

    def _histogram(self, row: Histogram, totals: Totals, now: int) -> MetricData:
        points = []
        for attributes, counts, total in row.read(totals):
            start, (total, *buckets) = self._since_last(
                row.name, attributes, (total, *counts), now, self._of_histograms
            )
            points.append(
                HistogramDataPoint(
                    attributes=attributes,
                    start_time_unix_nano=start,
                    time_unix_nano=now,
                    count=int(sum(buckets)),
                    sum=total,
                    bucket_counts=[int(count) for count in buckets],
                    explicit_bounds=list(row.bounds),
                    min=None,  # type: ignore[arg-type]  # not known; absent in OTLP, where 0 or inf would be a claim
                    max=None,  # type: ignore[arg-type]
                )
            )
        return MetricData(row.name, row.description, row.unit, HistogramData(points, self._of_histograms))

    def _since_last(
        self,
        name: str,
        attributes: Attributes,
        numbers: tuple[float, ...],
        now: int,
        temporality: AggregationTemporality,
    ) -> tuple[int, tuple[float, ...]]:
        """Return since when a series counts, and how much: from the start or, as deltas, from its last export on."""
        if temporality is AggregationTemporality.CUMULATIVE:
            return self.started, numbers
        series = (name, *attributes.values())
        start, then = self._exported.get(series, (self.started, (0,) * len(numbers)))
        self._exported[series] = (now, numbers)
        return start, tuple(number - before for number, before in zip(numbers, then, strict=True))


class _PrometheusReader(WithAggregates, PrometheusMetricReader):
    """The reader behind the page, in two steps: `gather`, then the registry makes families of what was gathered."""

    def gather(self) -> None:
        """Collect from the instruments."""
        super().collect()

    # Final, so that no reader forgets to. This one has done it a moment before.
    def collect(self, timeout_millis: float = 10_000) -> None:  # type: ignore[misc]
        """Do nothing when the registry asks for it."""


def in_our_scope(data: MetricsData, change: Callable[[Sequence[MetricData]], Sequence[MetricData]]) -> MetricsData:
    """Return `data` with the metrics of our scope changed."""
    return replace(
        data,
        resource_metrics=[
            replace(
                resource,
                scope_metrics=[
                    replace(scope, metrics=change(scope.metrics)) if scope.scope.name == _SCOPE else scope
                    for scope in resource.scope_metrics
                ],
            )
            for resource in data.resource_metrics
        ],
    )


def meter_provider(reader: MetricReader, snapshot: Snapshot, resource: Resource) -> MeterProvider:
    """Return a provider whose instruments are the rows of the table, observed in `snapshot` for `reader`."""
    provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter(_SCOPE, __version__)
    for metric in METRICS:
        if metric.labels:
            continue  # the reader adds it
        create = getattr(meter, f"create_observable_{metric.kind}")
        create(metric.name, [_callback(metric, snapshot)], metric.unit, metric.description)
    return provider


def _callback(metric: Metric, snapshot: Snapshot) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda options: [Observation(value, attributes) for attributes, value in metric.read(snapshot.take())]


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


class _Alone:
    """One family as a registry of its own, which is what encoders take."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return [self._family]


class PrometheusPage:
    """The process's meter provider and its `/metrics` page."""

    def __init__(self, shared_page: SharedPage, resource: Resource) -> None:
        self._shared_page = shared_page
        self._snapshot = Snapshot(shared_page)
        self._one_at_a_time = asyncio.Lock()
        # By format: the page that is made next, for all who have asked for it by then.
        self._next: dict[bool, asyncio.Task[tuple[str, bytes]]] = {}
        # A registry of its own: the global one would add metrics of whichever worker answers.
        self._registry = CollectorRegistry()
        self._reader = _PrometheusReader(
            snapshot=self._snapshot,
            started=shared_page.started,
            preferred={},
            registry=self._registry,
            disable_target_info=False,
            scope_info_enabled=False,
        )
        self._provider = meter_provider(self._reader, self._snapshot, resource)

    async def page(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body of the metrics page, in the format that `accept` asks for.

        Whoever asks while one is made shares the next one: a crowd costs, and waits for, no more than two pages.
        """
        openmetrics = _prefers_openmetrics(accept)
        page = self._next.get(openmetrics)
        if page is None:
            page = self._next[openmetrics] = asyncio.create_task(self._make_page(openmetrics))
        # Not ended by one of those who wait for it.
        return await asyncio.shield(page)

    async def _make_page(self, openmetrics: bool) -> tuple[str, bytes]:
        """Make a page, which takes some milliseconds, in pieces, between which the echoes go on."""
        encode, content_type = choose_encoder(_OPENMETRICS if openmetrics else "")
        async with self._one_at_a_time:
            del self._next[openmetrics]
            self._snapshot.hold(self._shared_page.totals())
            await asyncio.sleep(0)
            self._reader.gather()
            await asyncio.sleep(0)
            families = list(self._registry.collect())
            body = bytearray()
            began = time.perf_counter()
            for family in families:
                if time.perf_counter() - began > _PIECE_SECONDS:
                    await asyncio.sleep(0)
                    began = time.perf_counter()
                body += encode(_Alone(family)).removesuffix(_END)
        return content_type, bytes(body) + (_END if content_type.startswith("application/openmetrics") else b"")
