"""Every metric of the server: one row in a table, from which telemetry, `docs/metrics.md` and the README are made."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from wsecho.counters import CONNECTION_DURATION_BOUNDS, MESSAGE_SIZE_BOUNDS
from wsecho.stats import Totals

Attributes = dict[str, str]
# What a row observes: one value for each combination of labels.
Observed = Iterable[tuple[Attributes, float]]
# For each combination of labels the counts per bucket, the last one without upper bound, and the sum of all values.
ObservedBuckets = Iterable[tuple[Attributes, tuple[int, ...], float]]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric read from the totals. `kind` is that of the OpenTelemetry instrument that observes it.

    Names are those of Prometheus on every path, so that they are the same over OTLP. Units in braces are annotations
    and stay out of the names. Labels have closed sets of values: no peer can add a series.
    """

    name: str
    kind: Literal["counter", "up_down_counter", "gauge"]
    unit: str
    description: str
    read: Callable[[Totals], Observed]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram that is counted in memory, bucket by bucket. `bounds` are inclusive."""

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...]
    read: Callable[[Totals], ObservedBuckets]
    labels: tuple[str, ...] = ()


def _one(read: Callable[[Totals], float]) -> Callable[[Totals], Observed]:
    """Return the reader of a metric without labels."""
    return lambda totals: [({}, read(totals))]


METRICS = (
    Metric(
        "websocket_connections_total",
        "counter",
        "{connection}",
        "WebSocket connections opened: handshakes answered with 101.",
        _one(lambda totals: totals.connections),
    ),
    Metric(
        "websocket_active_connections",
        "up_down_counter",
        "{connection}",
        "WebSocket connections open now.",
        _one(lambda totals: totals.active_connections),
    ),
    Metric(
        "websocket_messages_received_total",
        "counter",
        "{message}",
        "Messages whose last byte has arrived; a fragmented message counts once.",
        _one(lambda totals: totals.messages_received),
    ),
    Metric(
        "websocket_messages_sent_total",
        "counter",
        "{message}",
        "Messages whose last byte was handed to the transport.",
        _one(lambda totals: totals.messages_sent),
    ),
)
HISTOGRAMS = (
    Histogram(
        "websocket_message_size_bytes",
        "By",
        "Payload bytes of the messages received.",
        tuple(float(bound) for bound in MESSAGE_SIZE_BOUNDS),
        lambda totals: [({}, totals.message_sizes, totals.message_bytes)],
    ),
    Histogram(
        "websocket_connection_duration_seconds",
        "s",
        "Time from the 101 to the end of the connection, however it ended.",
        CONNECTION_DURATION_BOUNDS,
        lambda totals: [({}, totals.connection_durations, totals.connection_seconds)],
    ),
)
