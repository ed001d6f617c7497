"""The Prometheus page, and what the push shares with it: OpenTelemetry instruments that read the shared counters.

No event is recorded in the SDK. The server counts in shared memory, and observable instruments read those counters
during a collection. The API has no observable histogram, so this module adds the histograms, which are already
aggregated, where a metric reader receives the collected data. It adds the metrics with labels in the same place: as
observations, each of their hundred series would cost the SDK ten times as much, and a scrape must not delay echoes.
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
# Seconds after which a snapshot is too old for a collection, which takes some milliseconds.
_MAX_SNAPSHOT_AGE = 2.0
_log = logging.getLogger("opentelemetry.wsecho")
_WEIGHT = re.compile(r"q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)
# Seconds of work after which the page is interrupted for an iteration of the event loop, in which echoes are served.
_PIECE_SECONDS = 0.0002
# The last line of an OpenMetrics page.
_END = b"# EOF\n"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Snapshot(threading.local):
    """The totals that one collection uses, the same for all its callbacks and histograms.

    A collection runs its callbacks and passes the data to the reader in one thread. The first callback takes the
    snapshot, and the reader drops it. If a collection failed in between, its snapshot is too old for the next one.
    """

    def __init__(self, shared_page: SharedPage) -> None:
        self._shared_page = shared_page
        self._totals: Totals | None = None
        self._taken = 0.0

    def take(self) -> Totals:
        """Return the totals of this collection. The first call of a collection reads them."""
        if self._totals is None or time.monotonic() - self._taken > _MAX_SNAPSHOT_AGE:
            self.hold(self._shared_page.totals())
        assert self._totals is not None
        return self._totals

    def hold(self, totals: Totals) -> None:
        """Let the next collection use `totals`."""
        self._totals = totals
        self._taken = time.monotonic()

    def drop(self) -> None:
        """Discard the totals at the end of the collection."""
        self._totals = None


class WithAggregates(MetricReader):
    """A mixin for metric readers. It adds the histograms and all metrics with labels to what the SDK has collected.

    `started` is when all counters were 0, in nanoseconds of Unix time. `preferred` has the temporality for each kind of
    instrument; a kind that is missing is cumulative.
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
        # For each series that is exported as deltas: the time of its last export, and its numbers then (the value, or
        # the sum and the buckets).
        self._exported: dict[tuple[str | int, ...], tuple[int, tuple[float, ...]]] = {}
        # Called last, because it may start the thread that exports.
        super().__init__(*args, **settings)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        try:
            metrics_data = self.completed(metrics_data)
        except Exception:
            # The exception would end the thread that exports, and with it the export of all other metrics.
            _log.exception("histograms and metrics with labels are left out")
        finally:
            self._snapshot.drop()
        # The method is abstract in MetricReader, but not in the reader that this class is mixed into.
        super()._receive_metrics(metrics_data, timeout_millis, **kwargs)  # type: ignore[safe-super]

    def completed(self, data: MetricsData) -> MetricsData:
        """Return `data` with the histograms and the metrics with labels added."""
        totals = self._snapshot.take()
        now = time.time_ns()
        families = [
            *(self._sum_or_gauge(row, totals, now) for row in METRICS if row.labels),
            *(self._histogram(row, totals, now) for row in HISTOGRAMS),
        ]
        return in_own_scope(
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
                    min=None,  # type: ignore[arg-type]  # not known: OTLP leaves it out, where 0 or inf would be wrong
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
        """Return the start time and the numbers of a series.

        Cumulative numbers count from when all counters were 0, deltas from the last export of the series.
        """
        if temporality is AggregationTemporality.CUMULATIVE:
            return self.started, numbers
        series = (name, *attributes.values())
        start, then = self._exported.get(series, (self.started, (0,) * len(numbers)))
        self._exported[series] = (now, numbers)
        return start, tuple(number - before for number, before in zip(numbers, then, strict=True))


class _PrometheusReader(WithAggregates, PrometheusMetricReader):
    """The reader of the page. It collects in two steps: `gather`, then the registry makes families of the data."""

    def gather(self) -> None:
        """Collect from the instruments."""
        super().collect()

    # The base class declares `collect` final, so that every reader collects. This one has collected in `gather`.
    def collect(self, timeout_millis: float = 10_000) -> None:  # type: ignore[misc]
        """Do nothing when the registry calls it."""


def in_own_scope(data: MetricsData, change: Callable[[Sequence[MetricData]], Sequence[MetricData]]) -> MetricsData:
    """Return `data` with `change` applied to the metrics of the scope `wsecho`."""
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
    """Return a meter provider for `reader`. Its instruments are the metrics without labels, which read `snapshot`."""
    provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    meter = provider.get_meter(_SCOPE, __version__)
    for metric in METRICS:
        if metric.labels:
            continue  # WithAggregates adds it
        create = getattr(meter, f"create_observable_{metric.kind}")
        create(metric.name, [_callback(metric, snapshot)], metric.unit, metric.description)
    return provider


def _callback(metric: Metric, snapshot: Snapshot) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda options: [Observation(value, attributes) for attributes, value in metric.read(snapshot.take())]


def _prefers_openmetrics(accept: str) -> bool:
    """Return whether an Accept value asks for OpenMetrics rather than text (RFC 9110 section 12.5.1).

    The library does not get the value itself, because it would repeat parts of it in the content type.
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


class _SingleFamily:
    """A registry of a single family: encoders take registries only."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return [self._family]


class PrometheusPage:
    """The `/metrics` page of a worker, with a meter provider of its own."""

    def __init__(self, shared_page: SharedPage, resource: Resource) -> None:
        self._shared_page = shared_page
        self._snapshot = Snapshot(shared_page)
        self._one_at_a_time = asyncio.Lock()
        # The page that will be made next, by format. It answers all requests that arrive before its making begins.
        self._next: dict[bool, asyncio.Task[tuple[str, bytes]]] = {}
        # A registry of its own: the global one would add metrics of the one worker that happens to answer.
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
        """Return the content type and the body of the metrics page, in the format that `accept` asks for.

        Requests that arrive while a page is made share the next page. So any number of requests at the same time costs,
        and waits for, at most two pages.
        """
        openmetrics = _prefers_openmetrics(accept)
        page = self._next.get(openmetrics)
        if page is None:
            page = self._next[openmetrics] = asyncio.create_task(self._make_page(openmetrics))
        # Shielded, so that the cancellation of one request does not cancel the page for the others.
        return await asyncio.shield(page)

    async def _make_page(self, openmetrics: bool) -> tuple[str, bytes]:
        """Make a page, which takes some milliseconds, in pieces between which echoes are served."""
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
                body += encode(_SingleFamily(family)).removesuffix(_END)
        return content_type, bytes(body) + (_END if content_type.startswith("application/openmetrics") else b"")
