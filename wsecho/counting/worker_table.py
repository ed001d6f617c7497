"""The worker table: a page of shared memory in which the supervisor records which process is which worker.

A worker that was killed can neither report its end nor count the ends of its connections. So the supervisor, which is
the only writer of the table, records how many connections were lost with the worker. A single worker, which has no
supervisor, writes its own row.
"""

import ctypes
import mmap


class WorkerState(ctypes.Structure):
    """The row of one worker."""

    _fields_ = [
        # The process id, 0 while the worker has no process.
        ("pid", ctypes.c_int64),
        # 1 from the moment when the process accepts connections until it ends, otherwise 0.
        ("up", ctypes.c_int64),
        # The number of starts; all but the first are restarts.
        ("starts", ctypes.c_int64),
        # Connections that were open when a process of the worker died, so that their ends were not counted.
        ("lost_connections", ctypes.c_int64),
    ]


class WorkerTable:
    """An anonymous page of memory that the worker processes inherit, with one row for each worker."""

    def __init__(self, workers: int) -> None:
        size = workers * ctypes.sizeof(WorkerState)
        self._page = mmap.mmap(-1, size + ctypes.sizeof(ctypes.c_int64))
        self._rows = (WorkerState * workers).from_buffer(self._page)
        self._push_pid = ctypes.c_int64.from_buffer(self._page, size)

    @property
    def push_pid(self) -> int:
        """The id of the push process, 0 while there is none."""
        return self._push_pid.value

    def set_push_pid(self, pid: int) -> None:
        """Record that process `pid` pushes the metrics; 0 records that it has ended."""
        self._push_pid.value = pid

    def started(self, worker: int, pid: int) -> None:
        """Record that process `pid` is now `worker`."""
        self._rows[worker].pid = pid
        self._rows[worker].starts += 1

    def accepting(self, worker: int) -> None:
        """Record that `worker` accepts connections."""
        self._rows[worker].up = 1

    def ended(self, worker: int, lost_connections: int) -> None:
        """Record that the process of `worker` has ended.

        `lost_connections` counts the connections lost with all processes of the worker until now.
        """
        row = self._rows[worker]
        row.pid = row.up = 0
        row.lost_connections = lost_connections

    def states(self) -> list[WorkerState]:
        """Return a copy of every row."""
        return [WorkerState.from_buffer_copy(row) for row in self._rows]
