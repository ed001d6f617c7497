"""Counts what a worker does besides echoing: connections, handshakes, closes, HTTP requests, errors and delays."""

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
    """Return the label under which a close code is counted: the code itself, `3xxx`, `4xxx`, or `other`."""
    label = str(code)
    if label in _CLOSE_CODES:
        return label
    return {3: "3xxx", 4: "4xxx"}.get(code // 1000, "other")


class ConnectionCounters:
    """Counts in the row of one worker. Times are in seconds; upper bounds of buckets are inclusive."""

    def __init__(self, row: Row) -> None:
        self.row = row
        # Kept here because ctypes makes a new object at each access to an array.
        self._handshakes = row.handshakes
        self._ends = [list(codes) for codes in row.connection_ends]
        self._requests = [list(routes) for routes in row.requests]

    def connection_opened(self) -> None:
        """Count an accepted handshake. Call it before the 101 response is sent."""
        self.handshake("accepted")

    def connection_ended(self, seconds: float, code: int, initiator: str) -> None:
        """Count the end of a connection that lasted `seconds`.

        `initiator` is one of `INITIATORS`: the side that closed or aborted it. `code` is the close code, 1006 if there
        was no Close frame.
        """
        durations = self._ends[_INITIATORS[initiator]][_CLOSE_CODES[close_code_label(code)]]
        durations[bisect_left(CONNECTION_DURATION_BOUNDS, seconds)] += 1
        self.row.connection_nanoseconds += round(seconds * _NANOSECONDS)

    def handshake(self, reason: str) -> None:
        """Count the outcome of a handshake. `reason` is the last item of an entry of `HANDSHAKES`."""
        self._handshakes[_HANDSHAKES[reason]] += 1

    def violation(self, violation: Violation) -> None:
        """Count a violation of the protocol by a client."""
        self.row.protocol_errors[_VIOLATIONS[violation.reason]] += 1

    def connection_refused(self, reason: str, count: int = 1) -> None:
        """Count connections that the server refused. `reason` is one of `REFUSALS`."""
        self.row.refused_connections[_REFUSALS[reason]] += count

    def timeout(self, limit: str) -> None:
        """Count a connection that the server ended because of a time limit. `limit` is one of `TIMEOUTS`."""
        self.row.timeouts[_TIMEOUTS[limit]] += 1

    def backpressure(self, seconds: float) -> None:
        """Count the time during which the server did not read from a client because the client did not read."""
        self.row.backpressure_nanoseconds += round(seconds * _NANOSECONDS)

    def round_trip(self, seconds: float) -> None:
        """Count the time from a ping of the server to the client's pong."""
        self.row.round_trips[bisect_left(ROUND_TRIP_BOUNDS, seconds)] += 1
        self.row.round_trip_nanoseconds += round(seconds * _NANOSECONDS)

    def loop_lag(self, seconds: float) -> None:
        """Count how late the event loop began a sweep."""
        self.row.loop_lags[bisect_left(LOOP_LAG_BOUNDS, seconds)] += 1
        self.row.loop_lag_nanoseconds += round(seconds * _NANOSECONDS)

    def log_lines_dropped(self, count: int) -> None:
        """Count log lines that were dropped because they could not be written in time."""
        self.row.log_lines_dropped += count

    def internal_error(self, place: str) -> None:
        """Count an internal error that the server survived. `place` is one of `PLACES`."""
        self.row.internal_errors[_PLACES[place]] += 1

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered HTTP request. `route` is one of `ROUTES`, `status` one of `STATUSES`.

        A method that is not one of `METHODS` is counted as `_OTHER`.
        """
        counters = self._requests[_METHODS.get(method, _METHODS["_OTHER"])][_ROUTES[route]][_STATUSES[status]]
        counters.durations[bisect_left(REQUEST_DURATION_BOUNDS, seconds)] += 1
        counters.nanoseconds += round(seconds * _NANOSECONDS)
