"""The counters of all workers in one shared page, and their sum at one moment.

Modules: `shared_page`, `worker_table`, `row`.
"""

import sys
from types import FrameType
from typing import Any

import pytest

from tests.shared.echoing import CODECS
from wsecho.counting import connection_counters
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.counting.row import (
    Row,
)
from wsecho.counting.shared_page import SharedPage, Totals


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
    counters_of_workers = [ConnectionCounters(row) for row in shared_page.rows]
    shared_page.worker_table.started(0, pid=100)
    shared_page.worker_table.accepting(0)
    for counters in counters_of_workers:
        for _ in range(5):
            counters.connection_opened()
        counters.connection_ended(1, 1000, "client")
    assert shared_page.worker_ended(0) == 4
    totals = shared_page.totals()
    assert (totals.counters.connections, totals.active_connections, totals.lost_connections) == (10, 4, 4)
    state = shared_page.worker_table.states()[0]
    assert (state.pid, state.up, state.starts) == (0, 0, 1)

    shared_page.worker_table.started(0, pid=101)
    counters_of_workers[0].connection_opened()
    assert shared_page.totals().active_connections == 5
    assert shared_page.worker_ended(0) == 1
    totals = shared_page.totals()
    assert (totals.counters.connections, totals.active_connections, totals.lost_connections) == (11, 4, 5)
    assert totals.connections_ended == 2
    assert shared_page.worker_table.states()[0].starts == 2


def test_totals_are_consistent_between_any_two_lines_that_count() -> None:
    shared_page = SharedPage(workers=2)
    counters = ConnectionCounters(shared_page.rows[0])
    looks: list[Totals] = []

    def look(frame: FrameType, event: str, argument: object) -> Any:
        looks.append(shared_page.totals())
        return look

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        return look if frame.f_code.co_filename == connection_counters.__file__ else None

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
