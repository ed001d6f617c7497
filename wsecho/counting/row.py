"""The counters of one worker: a row of 64-bit integers in shared memory.

The row has no number that can be derived from others. Messages received are the sum of `message_sizes`. Connections
opened are the accepted handshakes. The end of a connection is one addition, in the counter for its initiator, close
code and duration. So these numbers always agree, even when another worker reads the row for a scrape at any moment. A
histogram has one bucket more than it has bounds; the last bucket has no upper bound. The sum of its values is a counter
beside it.

Each label has a fixed set of values, and the row has a counter for each of them.
"""

import ctypes
from array import array

from wsecho.websocket.message_counters import EchoRow, buckets
from wsecho.websocket.violations import REASONS

# Inclusive upper bounds in seconds: those of Kestrel's stable metric kestrel.connection.duration, extended to one hour,
# after which Cloud Run ends a connection.
CONNECTION_DURATION_BOUNDS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
    *(900.0, 1800.0, 3600.0),
)
_DURATION_BUCKETS = len(CONNECTION_DURATION_BOUNDS) + 1
# From a loopback connection to a satellite link with a full queue.
ROUND_TRIP_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LOOP_LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# The bounds that OpenTelemetry's semantic conventions advise for http.server.request.duration.
REQUEST_DURATION_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

# The names of the opcodes (RFC 6455 section 5.2). The echo rejects all other opcodes before it counts them.
OPCODES = {0x0: "continuation", 0x1: "text", 0x2: "binary", 0x8: "close", 0x9: "ping", 0xA: "pong"}

# The close codes that IANA has registered, then the two ranges for libraries and applications (RFC 6455 section 7.4.2),
# and all others.
CLOSE_CODES = (
    *("1000", "1001", "1002", "1003", "1005", "1006", "1007", "1008", "1009", "1010", "1011", "1012", "1013", "1014"),
    *("3xxx", "4xxx", "other"),
)
INITIATORS = ("client", "server")

# The outcomes of a handshake: outcome, class of the status code, reason.
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
    ("refused", "4xx", "scenario"),
    *(("refused", f"{digit}xx", "by_scenario") for digit in (2, 3, 4, 5)),
    ("refused", "none", "by_scenario"),
    ("abandoned", "none", "by_scenario"),
    ("abandoned", "none", "timeout"),
)
_ACCEPTED = HANDSHAKES.index(("accepted", "1xx", "accepted"))
# The reasons for which a connection is refused.
REFUSALS = ("descriptors", "capacity", "address", "proxy_header")

# The time limits that end connections.
TIMEOUTS = ("handshake", "keep_alive", "close", "stall", "loan", "ping", "idle", "lifetime")

# Where an internal error occurred: in a loop or thread that all connections depend on, in one connection, or in another
# callback.
PLACES = ("accept", "sweep", "loans", "drain", "log", "connection", "callback")

# HTTP requests are counted by method, route and status code. The empty route stands for all paths that do not exist.
METHODS = ("GET", "HEAD", "_OTHER")
ROUTES = ("/", "/{asset}", "/metrics", "/info", "/scenarios.json", "/seen", "/health", "/ready", "/{websocket}", "")
# 0 stands for all other status codes, with which only scenarios answer, and for no status code.
STATUSES = (0, 101, 200, 304, 400, 401, 403, 404, 405, 408, 414, 426, 429, 431, 500, 503, 505)


# The steps of scenarios. Names of two segments, such as `handshake/no-reason`, are counted under the first one.
SCENARIO_STEPS = (
    *("reject", "redirect", "wait", "require", "set-cookie", "header", "flap", "handshake"),
    *("message", "binary", "bytes", "delay", "tick", "burst", "flood", "sink", "sizes", "info", "echo"),
    *("ping", "ping-between", "ping-flood", "pong", "empty-fragments", "malformed"),
    *("mute", "stall", "freeze", "vanish", "idle"),
    *("after", "on", "on-ping", "on-close"),
    *("close", "close-empty", "close-abort", "close-hold", "close-cross", "end", "cut", "abort"),
)


class RequestRow(ctypes.Structure):
    """The HTTP requests of one method, route and status code: a histogram of their durations, and its sum."""

    _fields_ = [
        ("nanoseconds", ctypes.c_int64),
        ("durations", buckets(REQUEST_DURATION_BOUNDS)),
    ]


class Row(ctypes.Structure):
    """The row. `echo` has what is counted for each message and frame."""

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
        ("scenario_steps", ctypes.c_int64 * len(SCENARIO_STEPS)),
        ("requests", RequestRow * len(STATUSES) * len(ROUTES) * len(METHODS)),
    ]

    @property
    def connections(self) -> int:
        """The number of connections that were opened."""
        opened: int = self.handshakes[_ACCEPTED]
        return opened

    @property
    def connection_durations(self) -> list[int]:
        """The numbers of connections that ended, by bucket of their duration."""
        ends = array("q", bytes(self.connection_ends))
        return [sum(ends[bucket::_DURATION_BUCKETS]) for bucket in range(_DURATION_BUCKETS)]

    @property
    def closes(self) -> list[int]:
        """The numbers of connections that ended: for each initiator, one number for each close code."""
        ends = array("q", bytes(self.connection_ends))
        return [sum(ends[start : start + _DURATION_BUCKETS]) for start in range(0, len(ends), _DURATION_BUCKETS)]
