"""One worker's counters: a row of 64-bit integers that lives in shared memory.

The row holds only what cannot be derived. Messages received are the sum of `message_sizes`; connections opened are the
handshakes that were accepted; the end of a connection is counted in one place, by who ended it, how, and after how
long. So a scrape, which another worker may answer at any instant, can never show that these disagree. A histogram has
one bucket more than it has bounds, the last one without upper bound; its sum is kept beside it.

Labels have closed sets of values, and a place in the row for each.
"""

import ctypes
from array import array

from wsecho.websocket.message_counters import EchoRow, buckets
from wsecho.websocket.violations import REASONS

# Inclusive upper bounds, in seconds: those of Kestrel's stable kestrel.connection.duration, extended to the hour that
# Cloud Run lets a connection live.
CONNECTION_DURATION_BOUNDS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
    *(900.0, 1800.0, 3600.0),
)
_DURATION_BUCKETS = len(CONNECTION_DURATION_BOUNDS) + 1
# From a loopback to a satellite with a full queue.
ROUND_TRIP_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LOOP_LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# Those that OpenTelemetry's conventions advise for http.server.request.duration.
REQUEST_DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

# Opcodes are four bits; the others never get past the echo's checks.
OPCODES = {0x0: "continuation", 0x1: "text", 0x2: "binary", 0x8: "close", 0x9: "ping", 0xA: "pong"}

# Close codes that IANA knows, then the two ranges that are free, and what is left.
CLOSE_CODES = (
    *("1000", "1001", "1002", "1003", "1005", "1006", "1007", "1008", "1009", "1010", "1011", "1012", "1013", "1014"),
    *("3xxx", "4xxx", "other"),
)
INITIATORS = ("client", "server")

# What came of the handshakes: outcome, class of the status, reason.
HANDSHAKES = (
    ("accepted", "1xx", "accepted"),
    ("refused", "4xx", "method"),
    ("refused", "4xx", "http_version"),
    ("refused", "4xx", "body"),
    ("refused", "4xx", "upgrade"),
    ("refused", "4xx", "connection"),
    ("refused", "4xx", "websocket_version"),
    ("refused", "4xx", "key"),
    ("refused", "4xx", "subprotocol"),
    ("refused", "4xx", "extensions"),
    ("refused", "4xx", "origin"),
    ("refused", "4xx", "credentials"),
    ("refused", "4xx", "address"),
    ("refused", "5xx", "capacity"),
    ("refused", "5xx", "draining"),
    ("refused", "5xx", "keys"),
    ("refused", "5xx", "error"),
    ("abandoned", "none", "timeout"),
)
_ACCEPTED = HANDSHAKES.index(("accepted", "1xx", "accepted"))
# Why a connection was turned away.
REFUSALS = ("descriptors", "capacity", "address", "proxy_header")

# The limits of time that end connections.
TIMEOUTS = ("handshake", "keep_alive", "close", "stall", "loan", "ping", "idle", "lifetime")

# Where something of ours failed, and was survived: in a place that all depend on, in one connection, or elsewhere.
PLACES = ("accept", "sweep", "loans", "drain", "log", "connection", "callback")

# HTTP requests by method, route and status. An empty route is a path that nothing is at.
METHODS = ("GET", "HEAD", "_OTHER")
ROUTES = ("/", "/{asset}", "/metrics", "/info", "/health", "/ready", "/{websocket}", "")
STATUSES = (101, 200, 304, 400, 401, 403, 404, 405, 408, 414, 426, 429, 431, 500, 503, 505)


class RequestRow(ctypes.Structure):
    """The HTTP requests of one method, route and status."""

    _fields_ = [
        ("nanoseconds", ctypes.c_int64),
        ("durations", buckets(REQUEST_DURATION_BOUNDS)),
    ]


class Row(ctypes.Structure):
    """The row."""

    _fields_ = [
        ("echo", EchoRow),
        ("handshakes", ctypes.c_int64 * len(HANDSHAKES)),
        ("connection_nanoseconds", ctypes.c_int64),
        ("connection_ends", buckets(CONNECTION_DURATION_BOUNDS) * len(CLOSE_CODES) * len(INITIATORS)),
        ("protocol_errors", ctypes.c_int64 * len(REASONS)),
        ("refused_connections", ctypes.c_int64 * len(REFUSALS)),
        ("timeouts", ctypes.c_int64 * len(TIMEOUTS)),
        ("backpressure_nanoseconds", ctypes.c_int64),
        ("round_trip_nanoseconds", ctypes.c_int64),
        ("round_trips", buckets(ROUND_TRIP_BOUNDS)),
        ("loop_lag_nanoseconds", ctypes.c_int64),
        ("loop_lags", buckets(LOOP_LAG_BOUNDS)),
        ("log_lines_dropped", ctypes.c_int64),
        ("internal_errors", ctypes.c_int64 * len(PLACES)),
        ("requests", RequestRow * len(STATUSES) * len(ROUTES) * len(METHODS)),
    ]

    @property
    def connections(self) -> int:
        """Connections that were opened."""
        opened: int = self.handshakes[_ACCEPTED]
        return opened

    @property
    def connection_durations(self) -> list[int]:
        """Connections that ended, by the bucket of their duration."""
        ends = array("q", bytes(self.connection_ends))
        return [sum(ends[bucket::_DURATION_BUCKETS]) for bucket in range(_DURATION_BUCKETS)]

    @property
    def closes(self) -> list[int]:
        """Connections that ended: for each initiator those of each close code."""
        ends = array("q", bytes(self.connection_ends))
        return [sum(ends[start : start + _DURATION_BUCKETS]) for start in range(0, len(ends), _DURATION_BUCKETS)]
