"""The row of counters, as Python and as C see it, and what adds up from it."""

import sys
from types import FrameType
from typing import Any

import pytest

from tests.shared.echoing import CODECS
from wsecho.codec.selection import Codec
from wsecho.counting import connection_counters as ledger_module
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
from wsecho.counting.shared_page import SharedPage, Totals
from wsecho.websocket.violations import VIOLATIONS


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def test_duration_bounds_are_inclusive_and_nothing_is_lost_beyond_them() -> None:
    row = Row()
    for bound in (*CONNECTION_DURATION_BOUNDS, 1e6):
        ConnectionCounters(row).connection_ended(bound, 1000, "client")
    assert row.connection_durations == [1] * (len(CONNECTION_DURATION_BOUNDS) + 1)


def test_every_label_of_the_ledger_has_its_place() -> None:
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
def test_close_codes_are_folded(code: int, label: str) -> None:
    assert close_code_label(code) == label
    row = Row()
    ConnectionCounters(row).connection_ended(1.0, code, "server")
    assert row.closes.index(1) == len(CLOSE_CODES) + CLOSE_CODES.index(label)


def test_totals_add_up_all_rows() -> None:
    shared_page = SharedPage(workers=3)
    for number, row in enumerate(shared_page.rows, start=1):
        counters = ConnectionCounters(row)
        for _ in range(number):
            counters.connection_opened()
        counters.connection_ended(0.25, 1000, "client")
        CODECS["compiled"].MessageCounters(row.echo).message_received(1000)
    totals = shared_page.totals()
    assert (totals.counters.connections, totals.active_connections, totals.connections_ended) == (6, 3, 3)
    assert (totals.messages_received, totals.counters.echo.message_bytes) == (3, 3000)
    assert totals.counters.connection_nanoseconds == 750_000_000
    assert totals.counters.closes[0] == 3


def test_what_a_dead_worker_left_open_is_lost_and_its_row_goes_on() -> None:
    shared_page = SharedPage(workers=2)
    ledgers = [ConnectionCounters(row) for row in shared_page.rows]
    shared_page.worker_table.started(0, pid=100)
    shared_page.worker_table.accepting(0)
    for counters in ledgers:
        for _ in range(5):
            counters.connection_opened()
        counters.connection_ended(1, 1000, "client")
    assert shared_page.worker_ended(0) == 4
    totals = shared_page.totals()
    assert (totals.counters.connections, totals.active_connections, totals.lost_connections) == (10, 4, 4)
    state = shared_page.worker_table.states()[0]
    assert (state.pid, state.up, state.starts) == (0, 0, 1)

    shared_page.worker_table.started(0, pid=101)
    ledgers[0].connection_opened()
    assert shared_page.totals().active_connections == 5
    assert shared_page.worker_ended(0) == 1
    totals = shared_page.totals()
    assert (totals.counters.connections, totals.active_connections, totals.lost_connections) == (11, 4, 5)
    assert totals.connections_ended == 2
    assert shared_page.worker_table.states()[0].starts == 2


def test_another_worker_may_look_between_any_two_lines_of_the_ledger() -> None:
    shared_page = SharedPage(workers=2)
    counters = ConnectionCounters(shared_page.rows[0])
    looks: list[Totals] = []

    def look(frame: FrameType, event: str, argument: object) -> Any:
        looks.append(shared_page.totals())
        return look

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        return look if frame.f_code.co_filename == ledger_module.__file__ else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        counters.connection_opened()
        counters.connection_ended(1, 1000, "client")
    finally:
        sys.settrace(before)
    assert len(looks) > 5
    for totals in looks:
        accepted = totals.counters.handshakes[0]
        assert totals.active_connections in (0, 1)
        assert accepted == totals.counters.connections == totals.active_connections + sum(totals.counters.closes)


def test_totals_make_sense_while_other_workers_count_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_page = SharedPage(workers=2)
    connections = ConnectionCounters(shared_page.rows[1])
    messages = CODECS["compiled"].MessageCounters(shared_page.rows[1].echo)

    class Meanwhile(Row):
        """A row that is copied while its worker opens, serves and ends a connection."""

        @classmethod
        def from_buffer_copy(cls, row: Row, offset: int = 0) -> Row:  # type: ignore[override]
            copy = Row.from_buffer_copy(row)
            connections.connection_opened()
            messages.received(11, 5)
            messages.message_received(5)
            messages.sent(7, 5, 1)
            connections.connection_ended(1, 1000, "client")
            return copy

    monkeypatch.setattr("wsecho.counting.shared_page.Row", Meanwhile)
    totals = shared_page.totals()
    counted = totals.counters
    assert totals.active_connections >= 0
    assert totals.messages_received >= counted.echo.messages_sent
    assert counted.echo.payload_bytes_received >= counted.echo.payload_bytes_sent
    assert counted.connections >= totals.connections_ended == sum(counted.closes)
