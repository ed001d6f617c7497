"""The metrics of the server: one table from which telemetry, `docs/metrics.md` and the README are generated."""

import ctypes
import itertools
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from platform import python_version
from typing import Literal

from wsecho import __version__
from wsecho.counting.process_usage import Usage
from wsecho.counting.row import (
    CLOSE_CODES,
    CONNECTION_DURATION_BOUNDS,
    HANDSHAKES,
    INITIATORS,
    LOOP_LAG_BOUNDS,
    METHODS,
    OPCODES,
    PLACES,
    REFUSALS,
    REQUEST_DURATION_BOUNDS,
    ROUND_TRIP_BOUNDS,
    ROUTES,
    SCENARIO_STEPS,
    STATUSES,
    TIMEOUTS,
    RequestRow,
)
from wsecho.counting.shared_page import Totals
from wsecho.websocket.message_counters import MESSAGE_SIZE_BOUNDS
from wsecho.websocket.violations import REASONS

Attributes = Mapping[str, str | int]
# What a metric reads: one value for each combination of labels.
Observed = Iterable[tuple[Attributes, float]]
# What a histogram reads, for each combination of labels: the count in each bucket, of which the last one has no upper
# bound, and the sum of all values.
ObservedBuckets = Iterable[tuple[Attributes, tuple[int, ...], float]]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is read from the totals. `kind` is the kind of the OpenTelemetry instrument that observes it.

    OTLP exports use the same names as the Prometheus page. A unit in braces is an annotation and not part of the
    Prometheus name. Each label has a fixed set of values, so that no client can add a series.
    """

    name: str
    kind: Literal["counter", "up_down_counter", "gauge"]
    unit: str
    description: str
    read: Callable[[Totals], Observed]
    labels: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The type of the metric in Prometheus."""
        return "counter" if self.kind == "counter" else "gauge"


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram whose buckets are counted in shared memory. `bounds` are their inclusive upper bounds."""

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...]
    read: Callable[[Totals], ObservedBuckets]
    labels: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The type of the metric in Prometheus."""
        return "histogram"


_NO_REQUESTS = bytes(RequestRow())
_NANOSECONDS = 1_000_000_000


def _one(read: Callable[[Totals], float]) -> Callable[[Totals], Observed]:
    """Return the function that reads a metric without labels."""
    return lambda totals: [({}, read(totals))]


def _used(read: Callable[[Usage], float]) -> Callable[[Totals], Observed]:
    """Return the function that reads a metric from the usage of the processes; no value where that is not known."""
    return lambda totals: [({}, read(totals.usage))] if totals.usage else []


def _frames(totals: Totals) -> Observed:
    frames = totals.counters.echo.frames_received
    return [({"opcode": name}, frames[opcode]) for opcode, name in OPCODES.items()]


def _handshakes(totals: Totals) -> Observed:
    for (outcome, status_class, reason), count in zip(HANDSHAKES, totals.counters.handshakes, strict=True):
        yield {"outcome": outcome, "status_class": status_class, "reason": reason}, count


def _closes(totals: Totals) -> Observed:
    series = itertools.product(INITIATORS, CLOSE_CODES)
    for (initiator, code), count in zip(series, totals.counters.closes, strict=True):
        yield {"code": code, "initiator": initiator}, count


def _protocol_errors(totals: Totals) -> Observed:
    return [({"reason": reason}, count) for reason, count in zip(REASONS, totals.counters.protocol_errors, strict=True)]


def _refusals(totals: Totals) -> Observed:
    return [
        ({"reason": reason}, count) for reason, count in zip(REFUSALS, totals.counters.refused_connections, strict=True)
    ]


def _scenario_steps(totals: Totals) -> Observed:
    return [({"step": step}, count) for step, count in zip(SCENARIO_STEPS, totals.counters.scenario_steps, strict=True)]


def _timeouts(totals: Totals) -> Observed:
    return [({"limit": limit}, count) for limit, count in zip(TIMEOUTS, totals.counters.timeouts, strict=True)]


def _internal_errors(totals: Totals) -> Observed:
    return [({"place": place}, count) for place, count in zip(PLACES, totals.counters.internal_errors, strict=True)]


def _requests(totals: Totals) -> ObservedBuckets:
    """Yield only the combinations that have occurred: most never do."""
    series = itertools.product(METHODS, ROUTES, STATUSES)
    counted = struct.iter_unpack(f"{ctypes.sizeof(RequestRow)}s", bytes(totals.counters.requests))
    for (method, route, status), (row,) in zip(series, counted, strict=True):
        if row != _NO_REQUESTS:
            counters = RequestRow.from_buffer_copy(row)
            attributes: dict[str, str | int] = {"http.request.method": method}
            if status:
                attributes["http.response.status_code"] = status
            if route:
                attributes["http.route"] = route
            yield attributes, tuple(counters.durations), counters.nanoseconds / _NANOSECONDS


METRICS = (
    Metric(
        "websocket_connections_total",
        "counter",
        "{connection}",
        "WebSocket connections opened: handshakes answered with 101.",
        _one(lambda totals: totals.counters.connections),
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
        "Messages received completely; a fragmented message counts once.",
        _one(lambda totals: totals.messages_received),
    ),
    Metric(
        "websocket_messages_sent_total",
        "counter",
        "{message}",
        "Messages sent: the last byte was handed to the transport.",
        _one(lambda totals: totals.counters.echo.messages_sent),
    ),
    Metric(
        "websocket_received_bytes_total",
        "counter",
        "By",
        "Payload bytes of data frames received, before decompression; counted as they arrive.",
        _one(lambda totals: totals.counters.echo.payload_bytes_received),
    ),
    Metric(
        "websocket_sent_bytes_total",
        "counter",
        "By",
        "Payload bytes of data frames handed to the transport, compressed where the message is compressed.",
        _one(lambda totals: totals.counters.echo.payload_bytes_sent),
    ),
    Metric(
        "websocket_wire_received_bytes_total",
        "counter",
        "By",
        "All bytes of frames received before the closing handshake: headers, masks, control frames and payload.",
        _one(lambda totals: totals.counters.echo.wire_bytes_received),
    ),
    Metric(
        "websocket_wire_sent_bytes_total",
        "counter",
        "By",
        "All bytes of frames handed to the transport: headers, control frames and payload.",
        _one(lambda totals: totals.counters.echo.wire_bytes_sent),
    ),
    Metric(
        "websocket_frames_received_total",
        "counter",
        "{frame}",
        "Complete frames received that broke no rule.",
        _frames,
        ("opcode",),
    ),
    Metric(
        "websocket_handshakes_total",
        "counter",
        "{handshake}",
        "Opening handshakes by outcome; abandoned: no complete request arrived before the handshake timeout.",
        _handshakes,
        ("outcome", "status_class", "reason"),
    ),
    Metric(
        "websocket_closes_total",
        "counter",
        "{connection}",
        "Connections ended, by code and sender of the first Close frame. 1006: no Close frame; the initiator ended it.",
        _closes,
        ("code", "initiator"),
    ),
    Metric(
        "websocket_protocol_errors_total",
        "counter",
        "{error}",
        "Violations of the protocol or of a limit by peers on open WebSocket connections.",
        _protocol_errors,
        ("reason",),
    ),
    Metric(
        "websocket_timeouts_total",
        "counter",
        "{connection}",
        "Connections that the server ended because of a timeout.",
        _timeouts,
        ("limit",),
    ),
    Metric(
        "websocket_backpressure_seconds_total",
        "counter",
        "s",
        "Time in which the server stopped reading from clients that did not read; added when the server reads again.",
        _one(lambda totals: totals.counters.backpressure_nanoseconds / _NANOSECONDS),
    ),
    Metric(
        "websocket_compressed_bytes_total",
        "counter",
        "By",
        "Payload bytes of validated compressed messages, before decompression.",
        _one(lambda totals: totals.counters.echo.compressed_bytes),
    ),
    Metric(
        "websocket_inflated_bytes_total",
        "counter",
        "By",
        "Bytes that compressed messages were decompressed to.",
        _one(lambda totals: totals.counters.echo.inflated_bytes),
    ),
    Metric(
        "websocket_refused_connections_total",
        "counter",
        "{connection}",
        "Connections refused before or instead of a handshake, for lack of room or of a PROXY header.",
        _refusals,
        ("reason",),
    ),
    Metric(
        "websocket_lost_connections_total",
        "counter",
        "{connection}",
        "Connections lost because their worker died: counted as opened, but in no other metric of ended connections.",
        _one(lambda totals: totals.lost_connections),
    ),
    Metric(
        "wsecho_worker_up",
        "gauge",
        "",
        "1 from the time a worker accepts connections until it ends, otherwise 0.",
        lambda totals: [({"worker": str(number)}, worker.up) for number, worker in enumerate(totals.workers)],
        ("worker",),
    ),
    Metric(
        "wsecho_worker_restarts_total",
        "counter",
        "{restart}",
        "Workers that died and were replaced.",
        _one(lambda totals: totals.restarts),
    ),
    Metric(
        "wsecho_build_info",
        "gauge",
        "",
        "Always 1; the labels identify the running software.",
        lambda totals: [({"version": __version__, "python": python_version(), "codec": totals.codec}, 1)],
        ("version", "python", "codec"),
    ),
    Metric(
        "process_start_time_seconds",
        "gauge",
        "s",
        "Start time of the server, in seconds since the Unix epoch.",
        _one(lambda totals: totals.started),
    ),
    Metric(
        "process_cpu_seconds_total",
        "counter",
        "s",
        "User and system CPU time of all processes of the server, including those that have ended.",
        _used(lambda usage: usage.cpu_seconds),
    ),
    Metric(
        "process_resident_memory_bytes",
        "gauge",
        "By",
        "Resident memory of all processes of the server; shared memory counts once per process.",
        _used(lambda usage: usage.resident_memory),
    ),
    Metric(
        "process_open_fds",
        "gauge",
        "{descriptor}",
        "Open file descriptors of all processes of the server.",
        _used(lambda usage: usage.open_descriptors),
    ),
    Metric(
        "process_max_fds",
        "gauge",
        "{descriptor}",
        "Maximum number of open file descriptors of one process.",
        _used(lambda usage: usage.max_descriptors),
    ),
    Metric(
        "wsecho_log_lines_dropped_total",
        "counter",
        "{line}",
        "Log lines dropped because standard output did not accept them in time.",
        _one(lambda totals: totals.counters.log_lines_dropped),
    ),
    Metric(
        "wsecho_internal_errors_total",
        "counter",
        "{error}",
        "Internal errors, including lack of memory, that the server survived; at most the affected connection ended.",
        _internal_errors,
        ("place",),
    ),
    Metric(
        "wsecho_scenarios_total",
        "counter",
        "{step}",
        "Steps that scenarios began; names of two segments are counted under the first.",
        _scenario_steps,
        ("step",),
    ),
)
HISTOGRAMS = (
    Histogram(
        "websocket_message_size_bytes",
        "By",
        "Payload bytes of each message received, after decompression.",
        tuple(float(bound) for bound in MESSAGE_SIZE_BOUNDS),
        lambda totals: [({}, tuple(totals.counters.echo.message_sizes), totals.counters.echo.message_bytes)],
    ),
    Histogram(
        "websocket_connection_duration_seconds",
        "s",
        "Time from the 101 response to the end of the connection, however it ended.",
        CONNECTION_DURATION_BOUNDS,
        lambda totals: [
            (
                {},
                tuple(totals.counters.connection_durations),
                totals.counters.connection_nanoseconds / _NANOSECONDS,
            )
        ],
    ),
    Histogram(
        "websocket_ping_rtt_seconds",
        "s",
        "Time from a keepalive ping of the server to the pong that answers it.",
        ROUND_TRIP_BOUNDS,
        lambda totals: [
            ({}, tuple(totals.counters.round_trips), totals.counters.round_trip_nanoseconds / _NANOSECONDS)
        ],
    ),
    Histogram(
        "wsecho_event_loop_lag_seconds",
        "s",
        "How late a worker's event loop began its sweep, the regular check of all deadlines.",
        LOOP_LAG_BOUNDS,
        lambda totals: [({}, tuple(totals.counters.loop_lags), totals.counters.loop_lag_nanoseconds / _NANOSECONDS)],
    ),
    Histogram(
        "http.server.request.duration",
        "s",
        "Time from the complete head of a request to its response; for a WebSocket handshake, to the 101 response.",
        REQUEST_DURATION_BOUNDS,
        _requests,
        ("http.request.method", "http.route", "http.response.status_code"),
    ),
)

# The values that each label can have, by metric.
LABEL_VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "websocket_frames_received_total": {"opcode": tuple(OPCODES.values())},
    "websocket_handshakes_total": {
        "outcome": tuple(dict.fromkeys(outcome for outcome, _, _ in HANDSHAKES)),
        "status_class": tuple(dict.fromkeys(status_class for _, status_class, _ in HANDSHAKES)),
        "reason": tuple(dict.fromkeys(reason for _, _, reason in HANDSHAKES)),
    },
    "websocket_closes_total": {"code": CLOSE_CODES, "initiator": INITIATORS},
    "websocket_protocol_errors_total": {"reason": REASONS},
    "websocket_timeouts_total": {"limit": TIMEOUTS},
    "wsecho_scenarios_total": {"step": SCENARIO_STEPS},
    "websocket_refused_connections_total": {"reason": REFUSALS},
    "wsecho_internal_errors_total": {"place": PLACES},
    "wsecho_worker_up": {"worker": ("0 to workers - 1",)},
    "wsecho_build_info": {
        "version": ("the version of wsecho",),
        "python": ("the version of Python",),
        "codec": ("compiled", "python"),
    },
    "http.server.request.duration": {
        "http.request.method": METHODS,
        "http.route": tuple(route for route in ROUTES if route),
        "http.response.status_code": tuple(str(status) for status in STATUSES if status),
    },
}
