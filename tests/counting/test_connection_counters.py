"""The counters of connections, handshakes, refusals, requests and errors. Modules: `connection_counters`, `row`."""

from array import array

import pytest

from tests.shared.echoing import CODECS
from wsecho.codec.selection import Codec
from wsecho.counting.connection_counters import ConnectionCounters, close_code_label
from wsecho.counting.row import (
    CLOSE_CODES,
    CONNECTION_DURATION_BOUNDS,
    HANDSHAKES,
    METHODS,
    PLACES,
    REFUSALS,
    ROUTES,
    SCENARIO_STEPS,
    STATUSES,
    TIMEOUTS,
    Row,
)
from wsecho.websocket.violations import REASONS, TOO_FAST, VIOLATIONS


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def test_everything_is_counted_in_its_own_field_and_nowhere_else(chosen: Codec) -> None:
    row = Row()
    counters = ConnectionCounters(row, chosen.Cells)
    counters.connection_opened()
    counters.handshake("key")
    counters.connection_ended(0.02, 1001, "server")
    counters.violation(TOO_FAST)
    counters.connection_refused("address", 3)
    counters.timeout("idle")
    counters.backpressure(0.25)
    counters.round_trip(0.002)
    counters.loop_lag(9.0)
    counters.log_lines_dropped(5)
    counters.internal_error("drain")
    counters.request("HEAD", "/ready", 503, 0.03)
    assert row.connections == 1
    assert row.handshakes[[reason for _, _, reason in HANDSHAKES].index("key")] == 1
    ends = row.connection_ends[1][CLOSE_CODES.index("1001")]
    assert (list(ends[:3]), row.connection_nanoseconds) == ([0, 1, 0], 20_000_000)
    assert row.protocol_errors[REASONS.index("too_fast")] == 1
    assert row.refused_connections[REFUSALS.index("address")] == 3
    assert row.timeouts[TIMEOUTS.index("idle")] == 1
    assert row.backpressure_nanoseconds == 250_000_000
    assert (row.round_trips[2], row.round_trip_nanoseconds) == (1, 2_000_000)
    assert (row.loop_lags[-1], row.loop_lag_nanoseconds) == (1, 9_000_000_000)
    assert row.log_lines_dropped == 5
    assert row.internal_errors[PLACES.index("drain")] == 1
    request = row.requests[METHODS.index("HEAD")][ROUTES.index("/ready")][STATUSES.index(503)]
    assert (request.durations[3], request.nanoseconds) == (1, 30_000_000)
    counts = 1 + 1 + 1 + 1 + 3 + 1 + 1 + 1 + 5 + 1 + 1
    nanoseconds = 20_000_000 + 250_000_000 + 2_000_000 + 9_000_000_000 + 30_000_000
    assert sum(array("q", bytes(row))) == counts + nanoseconds


def test_duration_bounds_are_inclusive_and_nothing_is_lost_beyond_them() -> None:
    row = Row()
    for bound in (*CONNECTION_DURATION_BOUNDS, 1e6):
        ConnectionCounters(row).connection_ended(bound, 1000, "client")
    assert row.connection_durations == [1] * (len(CONNECTION_DURATION_BOUNDS) + 1)


def test_every_label_has_a_counter_of_its_own() -> None:
    row = Row()
    counters = ConnectionCounters(row)
    for outcome, status_class, reason in HANDSHAKES:
        if reason != "by_scenario":
            counters.handshake(reason)
        elif outcome == "refused":
            counters.scenario_refused(0 if status_class == "none" else int(status_class[0]) * 100 + 99)
    counters.scenario_abandoned()
    for step in SCENARIO_STEPS:
        counters.scenario_step(step)
    for reason in REFUSALS:
        counters.connection_refused(reason)
    for violation in VIOLATIONS:
        counters.violation(violation)
    for method in ("GET", "HEAD", "BREW"):
        for route in ROUTES:
            for status in STATUSES:
                counters.request(method, route, status, 0.001)
    assert set(row.handshakes) == set(row.refused_connections) == set(row.scenario_steps) == {1}
    assert sum(row.protocol_errors) == len(VIOLATIONS)
    assert min(row.protocol_errors) == 1
    assert all(counted.durations[0] == 1 for by in row.requests for of in by for counted in of)


@pytest.mark.parametrize(
    ("code", "label"),
    [
        *((1000, "1000"), (1006, "1006"), (1014, "1014"), (1015, "other"), (2999, "other")),
        (3000, "3xxx"),
        (4999, "4xxx"),
    ],
)
def test_close_codes_are_counted_by_label(code: int, label: str) -> None:
    assert close_code_label(code) == label
    row = Row()
    ConnectionCounters(row).connection_ended(1.0, code, "server")
    assert row.closes.index(1) == len(CLOSE_CODES) + CLOSE_CODES.index(label)


def test_a_status_without_a_series_of_its_own_is_counted_without_status() -> None:
    row = Row()
    ConnectionCounters(row).request("GET", "/{websocket}", 418, 0.001)
    of_route = row.requests[METHODS.index("GET")][ROUTES.index("/{websocket}")]
    assert of_route[STATUSES.index(0)].durations[0] == 1
