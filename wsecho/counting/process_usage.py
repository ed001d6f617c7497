"""CPU time, memory and file descriptors of all processes of the server, read from /proc. Linux only."""

import contextlib
import os
import resource
from collections.abc import Iterable
from typing import NamedTuple

_PROC = "/proc"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Indexes of fields of /proc/PID/stat, counted from the field behind the name (proc_pid_stat(5)). The name can contain
# any character; it ends at the last parenthesis.
_USER, _SYSTEM, _CHILDRENS_USER, _CHILDRENS_SYSTEM = 11, 12, 13, 14


class Usage(NamedTuple):
    """Sums over processes: CPU time in seconds, memory in bytes. `max_descriptors` is the limit of a single process."""

    cpu_seconds: float
    resident_memory: int
    open_descriptors: int
    max_descriptors: int


def usage(root: int, others: Iterable[int]) -> Usage | None:
    """Return what process `root` and its children `others` use; None if the system has no /proc."""
    pids = {root, *others}
    memory, descriptors = 0, 0
    for pid in pids:
        # The process may have just ended, or the system has no /proc.
        with contextlib.suppress(OSError):
            memory += int(_read(pid, "statm").split()[1]) * _PAGE
            descriptors += _descriptors(f"{_PROC}/{pid}/fd")
    if not memory:
        return None
    return Usage(_cpu_seconds(root, pids), memory, descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _cpu_seconds(root: int, pids: Iterable[int]) -> float:
    """Return the CPU time of processes and of the children of `root` that have ended. The sum never decreases.

    When `root` waits for a child that has ended, the kernel adds the child's CPU time to that of `root`. A sum that is
    interrupted by this lacks the time or contains it twice, so it is calculated again.
    """
    before, after = -1, _ticks(root, _CHILDRENS_USER, _CHILDRENS_SYSTEM)
    ticks = 0
    while before != after:
        before = after
        ticks = sum(_ticks(pid, _USER, _SYSTEM) for pid in pids)
        after = _ticks(root, _CHILDRENS_USER, _CHILDRENS_SYSTEM)
    return (ticks + after) / _TICKS


def _ticks(pid: int, user: int, system: int) -> int:
    """Return the sum of two CPU times of a process; 0 if the process no longer exists."""
    try:
        times = _read(pid, "stat").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(times[user]) + int(times[system])


def _descriptors(folder: str) -> int:
    """Return the number of open file descriptors. Linux 6.2 and later give it as the size of the folder."""
    return os.stat(folder).st_size or len(os.listdir(folder))


def _read(pid: int, name: str) -> str:
    with open(f"{_PROC}/{pid}/{name}") as file:
        return file.read()
