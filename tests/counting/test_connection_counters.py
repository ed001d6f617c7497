"""The counters of connections, handshakes, refusals, requests and errors. Modules: `connection_counters`, `row`."""

import pytest

from wsecho.counting.connection_counters import ConnectionCounters, close_code_label
from wsecho.counting.row import (
    CLOSE_CODES,
    CONNECTION_DURATION_BOUNDS,
    HANDSHAKES,
    REFUSALS,
    ROUTES,
    STATUSES,
    Row,
)
from wsecho.websocket.violations import VIOLATIONS


def test_duration_bounds_are_inclusive_and_nothing_is_lost_beyond_them() -> None:
    row = Row()
    for bound in (*CONNECTION_DURATION_BOUNDS, 1e6):
        ConnectionCounters(row).connection_ended(bound, 1000, "client")
    assert row.connection_durations == [1] * (len(CONNECTION_DURATION_BOUNDS) + 1)


def test_every_label_has_a_counter_of_its_own() -> None:
    row = Row()
    counters = ConnectionCounters(row)
    for _, _, reason in HANDSHAKES:
        counters.handshake(reason)
    for reason in REFUSALS:
        counters.connection_refused(reason)
    for violation in VIOLATIONS:
        counters.violation(violation)
    for method in ("GET", "HEAD", "BREW"):
        for route in ROUTES:
            for status in STATUSES:
                counters.request(method, route, status, 0.001)
    assert set(row.handshakes) == set(row.refused_connections) == {1}
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
