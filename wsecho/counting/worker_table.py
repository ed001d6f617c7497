"""Who works: a page of shared memory in which the supervisor keeps what the workers cannot say of themselves.

A worker that was killed can neither report it nor end its connections in the books. So the supervisor, which alone
writes here, notes how many it took along. A process without supervisor keeps its own row.
"""

import ctypes
import mmap


class WorkerState(ctypes.Structure):
    """One worker's row."""

    _fields_ = [
        # The process, 0 while there is none.
        ("pid", ctypes.c_int64),
        # 1 from when it accepts connections until it ends.
        ("up", ctypes.c_int64),
        # How often it was started; all but the first are restarts.
        ("starts", ctypes.c_int64),
        # Connections that ended with a process and that nobody saw end.
        ("lost_connections", ctypes.c_int64),
    ]


class WorkerTable:
    """An anonymous page that worker processes inherit, one row a worker."""

    def __init__(self, workers: int) -> None:
        size = workers * ctypes.sizeof(WorkerState)
        self._page = mmap.mmap(-1, size + ctypes.sizeof(ctypes.c_int64))
        self._rows = (WorkerState * workers).from_buffer(self._page)
        self._push_pid = ctypes.c_int64.from_buffer(self._page, size)

    @property
    def push_pid(self) -> int:
        """The process that pushes the metrics, 0 while there is none but workers."""
        return self._push_pid.value

    def pushes(self, pid: int) -> None:
        """Note that process `pid` pushes the metrics, or with 0 that it is gone."""
        self._push_pid.value = pid

    def started(self, worker: int, pid: int) -> None:
        """Note that process `pid` is `worker` now."""
        self._rows[worker].pid = pid
        self._rows[worker].starts += 1

    def accepts(self, worker: int) -> None:
        """Note that `worker` takes connections."""
        self._rows[worker].up = 1

    def ended(self, worker: int, lost_connections: int) -> None:
        """Note that the process is gone, and how many connections it has taken along in all its lives."""
        row = self._rows[worker]
        row.pid = row.up = 0
        row.lost_connections = lost_connections

    def states(self) -> list[WorkerState]:
        """Return a copy of every row."""
        return [WorkerState.from_buffer_copy(row) for row in self._rows]
