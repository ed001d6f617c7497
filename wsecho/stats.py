"""The page of shared memory that all workers count in, one row a worker, and one consistent look at it."""

import ctypes
import mmap
from array import array
from dataclasses import dataclass

from wsecho.counters import Counters

# Rows start on cache lines of their own, so that two workers never write to the same one.
_CACHE_LINE = 64
_ROW_SIZE = -(-ctypes.sizeof(Counters) // _CACHE_LINE) * _CACHE_LINE


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all workers, taken at one moment."""

    counters: Counters

    @property
    def connections_ended(self) -> int:
        """Connections that are over, however they ended."""
        return sum(self.counters.connection_durations)

    @property
    def active_connections(self) -> int:
        """Connections open now."""
        connections: int = self.counters.connections
        return connections - self.connections_ended

    @property
    def messages_received(self) -> int:
        """Messages whose last byte has arrived."""
        return sum(self.counters.echo.message_sizes)


class Stats:
    """An anonymous page that worker processes inherit. A row is written by its worker only."""

    def __init__(self, workers: int) -> None:
        self._page = mmap.mmap(-1, workers * _ROW_SIZE)
        self.rows = [Counters.from_buffer(self._page, worker * _ROW_SIZE) for worker in range(workers)]

    def totals(self) -> Totals:
        """Copy the rows, then add them up."""
        copies = [array("q", bytes(row)) for row in self.rows]
        return Totals(Counters.from_buffer(array("q", map(sum, zip(*copies, strict=True)))))
