"""What a worker counts beside its echoes: connections, handshakes, closes, requests, delays."""

from bisect import bisect_left

from wsecho.counting.row import (
    CLOSE_CODES,
    CONNECTION_DURATION_BOUNDS,
    HANDSHAKES,
    INITIATORS,
    LOOP_LAG_BOUNDS,
    METHODS,
    PLACES,
    REFUSALS,
    REQUEST_DURATION_BOUNDS,
    ROUND_TRIP_BOUNDS,
    ROUTES,
    STATUSES,
    TIMEOUTS,
    Row,
)
from wsecho.websocket.violations import REASONS, Violation

_NANOSECONDS = 1_000_000_000
_HANDSHAKES = {reason: index for index, (_, _, reason) in enumerate(HANDSHAKES)}
_CLOSE_CODES = {label: index for index, label in enumerate(CLOSE_CODES)}
_INITIATORS = {name: index for index, name in enumerate(INITIATORS)}
_VIOLATIONS = {reason: index for index, reason in enumerate(REASONS)}
_REFUSALS = {reason: index for index, reason in enumerate(REFUSALS)}
_TIMEOUTS = {limit: index for index, limit in enumerate(TIMEOUTS)}
_PLACES = {place: index for index, place in enumerate(PLACES)}
_METHODS = {name: index for index, name in enumerate(METHODS)}
_ROUTES = {name: index for index, name in enumerate(ROUTES)}
_STATUSES = {status: index for index, status in enumerate(STATUSES)}


def close_code_label(code: int) -> str:
    """Return the label that a close code is counted under: itself, its free range, or `other`."""
    label = str(code)
    if label in _CLOSE_CODES:
        return label
    return {3: "3xxx", 4: "4xxx"}.get(code // 1000, "other")


class ConnectionCounters:
    """Writes one worker's row. Times are seconds, bounds of buckets are inclusive."""

    def __init__(self, row: Row) -> None:
        self.row = row
        # ctypes makes a new object of an array each time that it is asked for one.
        self._handshakes = row.handshakes
        self._ends = [list(codes) for codes in row.connection_ends]
        self._requests = [list(routes) for routes in row.requests]

    def connection_opened(self) -> None:
        """Count a connection whose 101 has been sent."""
        self.handshake("accepted")

    def connection_ended(self, seconds: float, code: int, initiator: str) -> None:
        """Count the end of a connection: how long it lasted, and who closed or cut it with which code (1006: none)."""
        durations = self._ends[_INITIATORS[initiator]][_CLOSE_CODES[close_code_label(code)]]
        durations[bisect_left(CONNECTION_DURATION_BOUNDS, seconds)] += 1
        self.row.connection_nanoseconds += round(seconds * _NANOSECONDS)

    def handshake(self, reason: str) -> None:
        """Count what came of a handshake. `reason` is the last part of one of `HANDSHAKES`."""
        self._handshakes[_HANDSHAKES[reason]] += 1

    def violation(self, violation: Violation) -> None:
        """Count a rule that a peer broke."""
        self.row.protocol_errors[_VIOLATIONS[violation.reason]] += 1

    def connection_refused(self, reason: str, count: int = 1) -> None:
        """Count connections that were turned away. `reason` is one of `REFUSALS`."""
        self.row.refused_connections[_REFUSALS[reason]] += count

    def timeout(self, limit: str) -> None:
        """Count a connection that was ended for lack of patience. `limit` is one of `TIMEOUTS`."""
        self.row.timeouts[_TIMEOUTS[limit]] += 1

    def backpressure(self, seconds: float) -> None:
        """Count the time for which a client was not read from because it did not read."""
        self.row.backpressure_nanoseconds += round(seconds * _NANOSECONDS)

    def round_trip(self, seconds: float) -> None:
        """Count the time from a ping of ours to its pong."""
        self.row.round_trips[bisect_left(ROUND_TRIP_BOUNDS, seconds)] += 1
        self.row.round_trip_nanoseconds += round(seconds * _NANOSECONDS)

    def loop_lag(self, seconds: float) -> None:
        """Count how much later than it should the event loop came back to its sweep."""
        self.row.loop_lags[bisect_left(LOOP_LAG_BOUNDS, seconds)] += 1
        self.row.loop_lag_nanoseconds += round(seconds * _NANOSECONDS)

    def log_lines_dropped(self, count: int) -> None:
        """Count log lines that could not be written in time."""
        self.row.log_lines_dropped += count

    def internal_error(self, place: str) -> None:
        """Count an error of ours that was survived. `place` is one of `PLACES`."""
        self.row.internal_errors[_PLACES[place]] += 1

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered HTTP request. `route` is one of `ROUTES`, `status` one of `STATUSES`."""
        place = self._requests[_METHODS.get(method, _METHODS["_OTHER"])][_ROUTES[route]][_STATUSES[status]]
        place.durations[bisect_left(REQUEST_DURATION_BOUNDS, seconds)] += 1
        place.nanoseconds += round(seconds * _NANOSECONDS)
