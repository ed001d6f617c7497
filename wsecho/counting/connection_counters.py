"""Counts what a worker does besides echoing: connections, handshakes, closes, HTTP requests, errors and delays."""

from collections.abc import Callable, Iterable
from typing import Any

from wsecho.counting.cells import NANOSECONDS, Cells, cell, cells_in
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
    SCENARIO_STEPS,
    STATUSES,
    TIMEOUTS,
    RequestRow,
    Row,
)
from wsecho.websocket.violations import REASONS, Violation


def _cells(labels: Iterable[Any], first: int = 0, distance: int = 1) -> dict[Any, int]:
    """Return the cell of each label: `first` for the first label, and for each other one `distance` cells later."""
    return {label: first + index * distance for index, label in enumerate(labels)}


_HANDSHAKES = _cells((reason for _, _, reason in HANDSHAKES), cell(Row, "handshakes"))
_VIOLATIONS = _cells(REASONS, cell(Row, "protocol_errors"))
_REFUSALS = _cells(REFUSALS, cell(Row, "refused_connections"))
_TIMEOUTS = _cells(TIMEOUTS, cell(Row, "timeouts"))
_PLACES = _cells(PLACES, cell(Row, "internal_errors"))
_ACCEPTED = _HANDSHAKES["accepted"]
_SCENARIO_STEPS = _cells(SCENARIO_STEPS, cell(Row, "scenario_steps"))
# The outcomes of handshakes that scenarios decide, by outcome and class of the status code.
_BY_SCENARIO = {
    (outcome, status_class): index
    for index, (outcome, status_class, reason) in enumerate(HANDSHAKES, cell(Row, "handshakes"))
    if reason == "by_scenario"
}

# The cell of a counter with several labels is the sum of the cells of its labels.
_DURATION_BUCKETS = len(CONNECTION_DURATION_BOUNDS) + 1
_CLOSE_CODES = _cells(CLOSE_CODES, distance=_DURATION_BUCKETS)
_INITIATORS = _cells(INITIATORS, cell(Row, "connection_ends"), len(CLOSE_CODES) * _DURATION_BUCKETS)
_STATUSES = _cells(STATUSES, distance=cells_in(RequestRow))
_ROUTES = _cells(ROUTES, distance=len(STATUSES) * cells_in(RequestRow))
_METHODS = _cells(METHODS, cell(Row, "requests"), len(ROUTES) * len(STATUSES) * cells_in(RequestRow))
_OTHER_METHOD = _METHODS["_OTHER"]
_OTHER_STATUS = _STATUSES[0]
_REQUEST_NANOSECONDS = cell(RequestRow, "nanoseconds")
_REQUEST_DURATIONS = cell(RequestRow, "durations")

_CONNECTION_NANOSECONDS = cell(Row, "connection_nanoseconds")
_BACKPRESSURE_NANOSECONDS = cell(Row, "backpressure_nanoseconds")
_ROUND_TRIPS = cell(Row, "round_trips")
_ROUND_TRIP_NANOSECONDS = cell(Row, "round_trip_nanoseconds")
_LOOP_LAGS = cell(Row, "loop_lags")
_LOOP_LAG_NANOSECONDS = cell(Row, "loop_lag_nanoseconds")
_LOG_LINES_DROPPED = cell(Row, "log_lines_dropped")

# The close codes that are counted under their own number, and the labels of ranges by their thousands.
_COUNTED_CODES = {int(label): label for label in CLOSE_CODES if label.isdecimal()}
_RANGES = {3: "3xxx", 4: "4xxx"}


def close_code_label(code: int) -> str:
    """Return the label under which a close code is counted: the code itself, `3xxx`, `4xxx`, or `other`."""
    return _COUNTED_CODES.get(code) or _RANGES.get(code // 1000, "other")


class ConnectionCounters:
    """Counts in the row of one worker. Times are in seconds; upper bounds of buckets are inclusive."""

    __slots__ = ("_add", "_add_duration")

    def __init__(self, row: Row, make_cells: Callable[[Row], Cells] = Cells) -> None:
        """`make_cells` is the codec's class of that name."""
        cells = make_cells(row)
        self._add = cells.add
        self._add_duration = cells.add_duration

    def connection_opened(self) -> None:
        """Count an accepted handshake. Call it before the 101 response is sent."""
        self._add(_ACCEPTED, 1)

    def connection_ended(self, seconds: float, code: int, initiator: str) -> None:
        """Count the end of a connection that lasted `seconds`.

        `initiator` is one of `INITIATORS`: the side that closed or aborted it. `code` is the close code, 1006 if there
        was no Close frame.
        """
        durations = _INITIATORS[initiator] + _CLOSE_CODES[close_code_label(code)]
        self._add_duration(seconds, CONNECTION_DURATION_BOUNDS, durations, _CONNECTION_NANOSECONDS)

    def handshake(self, reason: str) -> None:
        """Count the outcome of a handshake. `reason` is the last item of an entry of `HANDSHAKES`."""
        self._add(_HANDSHAKES[reason], 1)

    def scenario_refused(self, status: int) -> None:
        """Count a handshake that a scenario refused with `status`, 0 for bytes that are no response."""
        status_class = f"{status // 100}xx" if status else "none"
        self._add(_BY_SCENARIO["refused", status_class], 1)

    def scenario_abandoned(self) -> None:
        """Count a handshake that a scenario left unanswered until its client was gone."""
        self._add(_BY_SCENARIO["abandoned", "none"], 1)

    def scenario_step(self, label: str) -> None:
        """Count a step that a scenario begins. `label` is one of `SCENARIO_STEPS`."""
        self._add(_SCENARIO_STEPS[label], 1)

    def violation(self, violation: Violation) -> None:
        """Count a violation of the protocol by a client."""
        self._add(_VIOLATIONS[violation.reason], 1)

    def connection_refused(self, reason: str, count: int = 1) -> None:
        """Count connections that the server refused. `reason` is one of `REFUSALS`."""
        self._add(_REFUSALS[reason], count)

    def timeout(self, limit: str) -> None:
        """Count a connection that the server ended because of a time limit. `limit` is one of `TIMEOUTS`."""
        self._add(_TIMEOUTS[limit], 1)

    def backpressure(self, seconds: float) -> None:
        """Count the time during which the server did not read from a client because the client did not read."""
        self._add(_BACKPRESSURE_NANOSECONDS, round(seconds * NANOSECONDS))

    def round_trip(self, seconds: float) -> None:
        """Count the time from a ping of the server to the client's pong."""
        self._add_duration(seconds, ROUND_TRIP_BOUNDS, _ROUND_TRIPS, _ROUND_TRIP_NANOSECONDS)

    def loop_lag(self, seconds: float) -> None:
        """Count how late the event loop began a sweep."""
        self._add_duration(seconds, LOOP_LAG_BOUNDS, _LOOP_LAGS, _LOOP_LAG_NANOSECONDS)

    def log_lines_dropped(self, count: int) -> None:
        """Count log lines that were dropped because they could not be written in time."""
        self._add(_LOG_LINES_DROPPED, count)

    def internal_error(self, place: str) -> None:
        """Count an internal error that the server survived. `place` is one of `PLACES`."""
        self._add(_PLACES[place], 1)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered HTTP request. `route` is one of `ROUTES`.

        A method that is not one of `METHODS` is counted as `_OTHER`, a status that is not one of `STATUSES` as 0.
        """
        first = _METHODS.get(method, _OTHER_METHOD) + _ROUTES[route] + _STATUSES.get(status, _OTHER_STATUS)
        durations, nanoseconds = first + _REQUEST_DURATIONS, first + _REQUEST_NANOSECONDS
        self._add_duration(seconds, REQUEST_DURATION_BOUNDS, durations, nanoseconds)
