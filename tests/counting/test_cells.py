"""The cells of a row, with both codecs."""

import ctypes
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.shared.echoing import CODECS
from wsecho.codec.selection import Codec
from wsecho.counting.cells import NANOSECONDS, cell, cells_in

BOUNDS = (0.005, 0.5, 2.0)


class Example(ctypes.Structure):
    _fields_ = [
        ("first", ctypes.c_int64),
        ("durations", ctypes.c_int64 * 4),
        ("nanoseconds", ctypes.c_int64),
    ]


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def test_a_cell_is_a_part_of_its_field(chosen: Codec) -> None:
    row = Example(1, (2, 3, 4, 5), -6)
    cells = chosen.Cells(row)
    for number in range(cells_in(Example)):
        cells.add(number, 10**17 + number)
    assert cell(Example, "durations") == 1
    assert (row.first, list(row.durations), row.nanoseconds) == (
        10**17 + 1,
        [10**17 + 3, 10**17 + 5, 10**17 + 7, 10**17 + 9],
        10**17 - 1,
    )


def test_the_row_stays_where_it_is(chosen: Codec) -> None:
    page = bytearray(3 * ctypes.sizeof(Example))
    row = Example.from_buffer(page, ctypes.sizeof(Example))
    chosen.Cells(row).add(5, 7)
    assert page.count(0) == len(page) - 1
    assert row.nanoseconds == 7


@given(st.lists(st.one_of(st.sampled_from(BOUNDS), st.floats(0, 1e6))))
@example([0.0, 0.5e-9, 1.5e-9, 2.5e-9, 1e6])
def test_both_codecs_count_durations_alike(durations: list[float]) -> None:
    rows = {name: Example() for name in CODECS}
    for name, row in rows.items():
        for seconds in durations:
            CODECS[name].Cells(row).add_duration(seconds, BOUNDS, 1, 5)
    assert bytes(rows["python"]) == bytes(rows["compiled"])
    row = rows["compiled"]
    below = [sum(seconds <= bound for seconds in durations) for bound in BOUNDS]
    assert [sum(row.durations[:count]) for count in (1, 2, 3, 4)] == [*below, len(durations)]
    # Each duration is rounded to a nanosecond, and its product with a billion to a float.
    exact = sum(Fraction(seconds) * NANOSECONDS for seconds in durations)
    assert abs(row.nanoseconds - exact) <= len(durations) + exact / 2**50


def test_no_cell_behind_the_row_is_written(chosen: Codec) -> None:
    page = bytearray(2 * ctypes.sizeof(Example))
    cells = chosen.Cells(Example.from_buffer(page))
    with pytest.raises(IndexError):
        cells.add(6, 1)
    with pytest.raises(IndexError):
        cells.add_duration(1.0, BOUNDS, 6, 0)
    assert not any(page)
