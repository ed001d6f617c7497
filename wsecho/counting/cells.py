"""The cells of a row of counters: all its 64-bit integers, in order.

A cell costs less than the field of the row that it belongs to, because ctypes makes several objects to access a field.
`wsecho/codec/native/cells.pyx` is the same class for the compiled codec.
"""

import ctypes
from bisect import bisect_left

CELL_SIZE = ctypes.sizeof(ctypes.c_int64)
NANOSECONDS = 1_000_000_000


def cell(row: type[ctypes.Structure], field: str) -> int:
    """Return the number of the cell in which `field` of a row begins."""
    offset: int = getattr(row, field).offset
    return offset // CELL_SIZE


def cells_in(row: type[ctypes.Structure]) -> int:
    """Return how many cells a row has."""
    return ctypes.sizeof(row) // CELL_SIZE


class Cells:
    """Counts in the cells of a row, which are given by their numbers. Each count is one store, as in a field."""

    __slots__ = ("_cells",)

    def __init__(self, row: ctypes.Structure) -> None:
        self._cells = memoryview(row).cast("B").cast("q")

    def add(self, cell: int, count: int) -> None:
        """Add `count` to a cell."""
        self._cells[cell] += count

    def add_duration(self, seconds: float, bounds: tuple[float, ...], buckets: int, nanoseconds: int) -> None:
        """Count a duration in a histogram, and add it to the cell `nanoseconds`, the sum of the histogram's values.

        `bounds` are the inclusive upper bounds of the buckets, in seconds; the cell of the first bucket is `buckets`.
        """
        self._cells[buckets + bisect_left(bounds, seconds)] += 1
        self._cells[nanoseconds] += round(seconds * NANOSECONDS)
