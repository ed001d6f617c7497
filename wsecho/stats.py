"""The page of shared memory that all workers count in, one row a worker, and one consistent look at it."""

import ctypes
import mmap
from bisect import bisect_left
from dataclasses import dataclass

from wsecho.counters import CONNECTION_DURATION_BOUNDS, Counters

# Rows start on cache lines of their own, so that two workers never write to the same one.
_CACHE_LINE = 64
_ROW_SIZE = -(-ctypes.sizeof(Counters) // _CACHE_LINE) * _CACHE_LINE

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all workers, taken at one moment. Histograms are counts per bucket, the last without upper bound."""

    connections: int
    active_connections: int
    messages_received: int
    messages_sent: int
    message_sizes: tuple[int, ...]
    message_bytes: int
    connection_durations: tuple[int, ...]
    connection_seconds: float


class Stats:
    """An anonymous page that worker processes inherit. A row is written by its worker only."""

    def __init__(self, workers: int) -> None:
        self._page = mmap.mmap(-1, workers * _ROW_SIZE)
        self.rows = [Counters.from_buffer(self._page, worker * _ROW_SIZE) for worker in range(workers)]

    def totals(self) -> Totals:
        """Copy the rows, then add them up."""
        rows = [Counters.from_buffer_copy(row) for row in self.rows]
        durations = _sum_buckets([row.connection_durations for row in rows])
        sizes = _sum_buckets([row.message_sizes for row in rows])
        connections = sum(row.connections for row in rows)
        return Totals(
            connections=connections,
            active_connections=connections - sum(durations),
            messages_received=sum(sizes),
            messages_sent=sum(row.messages_sent for row in rows),
            message_sizes=sizes,
            message_bytes=sum(row.message_bytes for row in rows),
            connection_durations=durations,
            connection_seconds=sum(row.connection_nanoseconds for row in rows) / _NANOSECONDS,
        )


def connection_opened(row: Counters) -> None:
    """Count a connection whose 101 has been sent."""
    row.connections += 1


def connection_ended(row: Counters, seconds: float) -> None:
    """Count the end of a connection that lasted `seconds`, however it ended. Bounds are inclusive."""
    row.connection_durations[bisect_left(CONNECTION_DURATION_BOUNDS, seconds)] += 1
    row.connection_nanoseconds += round(seconds * _NANOSECONDS)


def _sum_buckets(rows: list[ctypes.Array[ctypes.c_int64]]) -> tuple[int, ...]:
    return tuple(sum(buckets) for buckets in zip(*rows, strict=True))
