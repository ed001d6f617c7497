"""The page of shared memory in which all workers count, one row for each worker, and consistent sums of its rows."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from array import array
from functools import reduce
from operator import add
from typing import NamedTuple

from wsecho.counting.process_usage import Usage, usage
from wsecho.counting.row import Row
from wsecho.counting.worker_table import WorkerState, WorkerTable

# Each row starts at a new cache line, so that two workers never write to the same line.
_CACHE_LINE = 64
_ROW_SIZE = -(-ctypes.sizeof(Row) // _CACHE_LINE) * _CACHE_LINE

# Counters of ends: whatever is counted here was counted in another counter when it began.
_ENDS = ("connection_ends", "connection_nanoseconds")
_ENDS_OF_ECHOES = ("messages_sent", "payload_bytes_sent", "wire_bytes_sent")


class Totals(NamedTuple):
    """The sums over all workers at one moment.

    `workers` has the state of each worker. `started` is when counting began, in seconds of Unix time. Every connection
    that was opened is active, has ended, or was lost with its worker (`lost_connections`).
    """

    counters: Row
    workers: tuple[WorkerState, ...]
    usage: Usage | None
    codec: str
    started: float

    @property
    def lost_connections(self) -> int:
        """The number of connections that were open when their worker died, so that their ends were not counted."""
        return sum(worker.lost_connections for worker in self.workers)

    @property
    def restarts(self) -> int:
        """The number of times that a worker that had died was replaced."""
        return sum(max(worker.starts - 1, 0) for worker in self.workers)

    @property
    def connections_ended(self) -> int:
        """The number of connections whose ends were counted."""
        return sum(self.counters.connection_durations)

    @property
    def active_connections(self) -> int:
        """The number of connections that are open now."""
        return self.counters.connections - self.connections_ended - self.lost_connections

    @property
    def messages_received(self) -> int:
        """The number of messages whose last byte has arrived."""
        return sum(self.counters.echo.message_sizes)


class SharedPage:
    """An anonymous page of memory that the worker processes inherit. Only its worker writes to a row.

    The single worker makes it or, with several workers, their supervisor. `codec` is the name of the codec that they
    use. `started` is when all counters were 0, in nanoseconds of Unix time.
    """

    def __init__(self, workers: int, codec: str = "") -> None:
        self._codec = codec
        self._root = os.getpid()
        self.started = time.time_ns()
        self._page = mmap.mmap(-1, workers * _ROW_SIZE)
        self.rows = [Row.from_buffer(self._page, worker * _ROW_SIZE) for worker in range(workers)]
        self.worker_table = WorkerTable(workers)

    def worker_ended(self, worker: int) -> int:
        """Count the connections that a process of `worker` had open at its end as lost, and return their number.

        The row keeps its numbers, and the next process of the worker continues with them.
        """
        row = self.rows[worker]
        lost = row.connections - sum(row.connection_durations)
        before: int = self.worker_table.states()[worker].lost_connections
        self.worker_table.ended(worker, lost)
        return lost - before

    def totals(self) -> Totals:
        """Copy the rows, and return their sums."""
        # The worker table is read before the rows, like all counters of ends. The connections of a worker that dies in
        # between are still active in these sums, and lost in the next ones.
        workers = tuple(self.worker_table.states())
        copies = [array("q", bytes(_copied(row))) for row in self.rows]
        counters = Row.from_buffer(reduce(_added, copies))
        used = usage(self._root, filter(None, [self.worker_table.push_pid, *(worker.pid for worker in workers)]))
        return Totals(counters, workers, used, self._codec, self.started / 1_000_000_000)


def _added(left: array[int], right: array[int]) -> array[int]:
    return array("q", map(add, left, right))


def _copied(row: Row) -> Row:
    """Copy a row while its worker goes on counting in it.

    Counters of ends are read before counters of beginnings. So the copy never has more messages sent than received, or
    more connections ended than opened.
    """
    earlier = Row.from_buffer_copy(row)
    copy = Row.from_buffer_copy(row)
    for name in _ENDS:
        setattr(copy, name, getattr(earlier, name))
    for name in _ENDS_OF_ECHOES:
        setattr(copy.echo, name, getattr(earlier.echo, name))
    return copy
