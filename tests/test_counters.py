"""The row of counters, as Python and as C see it, and what adds up from it."""

import ctypes

import pytest

from tests.echoing import CODECS
from wsecho.codec import Codec
from wsecho.counters import CONNECTION_DURATION_BOUNDS, MESSAGE_SIZE_BOUNDS, Counters
from wsecho.stats import Stats, connection_ended, connection_opened


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def test_the_compiled_tally_writes_the_fields_that_python_reads(chosen: Codec) -> None:
    row = Counters()
    tally = chosen.Tally(row)
    tally.message_received(100)
    tally.messages_sent(7)
    assert (row.message_sizes[1], row.message_bytes, row.messages_sent) == (1, 100, 7)
    assert sum(bytes(row)) == 1 + 100 + 7


def test_a_row_of_another_size_is_refused_by_the_compiled_tally() -> None:
    with pytest.raises(ValueError, match=f"a row of counters is {ctypes.sizeof(Counters)} bytes"):
        CODECS["compiled"].Tally((ctypes.c_int64 * 3)())  # type: ignore[arg-type]


def test_size_bounds_are_inclusive(chosen: Codec) -> None:
    for bucket, bound in enumerate(MESSAGE_SIZE_BOUNDS):
        row = Counters()
        tally = chosen.Tally(row)
        tally.message_received(bound)
        tally.message_received(bound + 1)
        assert (row.message_sizes[bucket], row.message_sizes[bucket + 1]) == (1, 1)


def test_duration_bounds_are_inclusive_and_nothing_is_lost_beyond_them() -> None:
    row = Counters()
    for bound in CONNECTION_DURATION_BOUNDS:
        connection_ended(row, bound)
    connection_ended(row, 1e6)
    assert list(row.connection_durations) == [1] * (len(CONNECTION_DURATION_BOUNDS) + 1)


def test_totals_add_up_all_rows() -> None:
    stats = Stats(workers=3)
    for number, row in enumerate(stats.rows, start=1):
        for _ in range(number):
            connection_opened(row)
        connection_ended(row, 0.25)
        CODECS["compiled"].Tally(row).message_received(1000)
    totals = stats.totals()
    assert (totals.connections, totals.active_connections) == (6, 3)
    assert (totals.messages_received, totals.message_bytes) == (3, 3000)
    assert totals.connection_seconds == pytest.approx(0.75)
