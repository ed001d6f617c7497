"""The page of shared memory that all workers count in, one row a worker, and one consistent look at it."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from array import array
from dataclasses import dataclass
from functools import reduce
from operator import add

from wsecho.counting.process_usage import Usage, usage
from wsecho.counting.row import Row
from wsecho.counting.worker_table import WorkerState, WorkerTable

# Rows start on cache lines of their own, so that two workers never write to the same one.
_CACHE_LINE = 64
_ROW_SIZE = -(-ctypes.sizeof(Row) // _CACHE_LINE) * _CACHE_LINE

# What ends something that was counted as it began.
_ENDS = ("connection_ends", "connection_nanoseconds")
_ENDS_OF_ECHOES = ("messages_sent", "payload_bytes_sent", "wire_bytes_sent")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all workers, taken at one moment; `workers` has the state of each, `started` is the wall clock's time.

    Every connection that was opened is active, has ended, or is one of `lost_connections`: those of workers that died.
    """

    counters: Row
    workers: tuple[WorkerState, ...]
    usage: Usage | None
    codec: str
    started: float

    @property
    def lost_connections(self) -> int:
        """Connections that ended with a worker and that nobody saw end."""
        return sum(worker.lost_connections for worker in self.workers)

    @property
    def restarts(self) -> int:
        """How often a worker that died was replaced."""
        return sum(max(worker.starts - 1, 0) for worker in self.workers)

    @property
    def connections_ended(self) -> int:
        """Connections that are over, however they ended."""
        return sum(self.counters.connection_durations)

    @property
    def active_connections(self) -> int:
        """Connections open now."""
        return self.counters.connections - self.connections_ended - self.lost_connections

    @property
    def messages_received(self) -> int:
        """Messages whose last byte has arrived."""
        return sum(self.counters.echo.message_sizes)


class SharedPage:
    """An anonymous page that worker processes inherit. A row is written by its worker only.

    It is made by the process that is the only worker, or the parent of all. `codec` is the name of what they echo with,
    `started` is when all counters were 0, in nanoseconds of Unix time.
    """

    def __init__(self, workers: int, codec: str = "") -> None:
        self._codec = codec
        self._root = os.getpid()
        self.started = time.time_ns()
        self._page = mmap.mmap(-1, workers * _ROW_SIZE)
        self.rows = [Row.from_buffer(self._page, worker * _ROW_SIZE) for worker in range(workers)]
        self.worker_table = WorkerTable(workers)

    def worker_ended(self, worker: int) -> int:
        """Close the books of a process that is gone: what it left open is lost. Return how many that is.

        The row stays, and the worker's next process goes on in it.
        """
        row = self.rows[worker]
        lost = row.connections - sum(row.connection_durations)
        before: int = self.worker_table.states()[worker].lost_connections
        self.worker_table.ended(worker, lost)
        return lost - before

    def totals(self) -> Totals:
        """Copy the rows, then add them up."""
        # Read first, like all that ends: a worker that dies meanwhile has its connections for one more look.
        workers = tuple(self.worker_table.states())
        copies = [array("q", bytes(_copied(row))) for row in self.rows]
        counters = Row.from_buffer(reduce(_added, copies))
        used = usage(self._root, filter(None, [self.worker_table.push_pid, *(worker.pid for worker in workers)]))
        return Totals(counters, workers, used, self._codec, self.started / 1_000_000_000)


def _added(left: array[int], right: array[int]) -> array[int]:
    return array("q", map(add, left, right))


def _copied(row: Row) -> Row:
    """Copy a row while its worker counts on.

    What ends is read before what begins: no message was sent that was not received, and no connection ended that was
    not opened.
    """
    earlier = Row.from_buffer_copy(row)
    copy = Row.from_buffer_copy(row)
    for name in _ENDS:
        setattr(copy, name, getattr(earlier, name))
    for name in _ENDS_OF_ECHOES:
        setattr(copy.echo, name, getattr(earlier.echo, name))
    return copy
