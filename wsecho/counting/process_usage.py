"""CPU time, memory and file descriptors of all processes of the server, read from /proc. Linux only."""

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Indexes of fields of /proc/PID/stat, counted from the field behind the name (proc_pid_stat(5)). The name can contain
# any character; it ends at the last parenthesis.
_USER, _SYSTEM, _CHILDRENS_USER, _CHILDRENS_SYSTEM = 11, 12, 13, 14


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over processes: CPU time in seconds, memory in bytes. `max_descriptors` is the limit of a single process."""

    cpu_seconds: float
    resident_memory: int
    open_descriptors: int
    max_descriptors: int


def usage(root: int, others: Iterable[int]) -> Usage | None:
    """Return what process `root` and its children `others` use; None if the system has no /proc.

    The CPU time includes that of the children of `root` that have ended, so the sum never decreases.
    """
    cpu, memory, descriptors = 0.0, 0, 0
    for pid in {root, *others}:
        folder = _PROC / str(pid)
        try:
            times = (folder / "stat").read_text().rpartition(")")[2].split()
            memory += int((folder / "statm").read_text().split()[1]) * _PAGE
            descriptors += _descriptors(folder / "fd")
        except OSError:
            # The process has just ended, or the system has no /proc.
            continue
        cpu += (int(times[_USER]) + int(times[_SYSTEM])) / _TICKS
        if pid == root:
            cpu += (int(times[_CHILDRENS_USER]) + int(times[_CHILDRENS_SYSTEM])) / _TICKS
    if not memory:
        return None
    return Usage(cpu, memory, descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _descriptors(folder: Path) -> int:
    """Return the number of open file descriptors. Linux 6.2 and later give it as the size of the folder."""
    return folder.stat().st_size or len(os.listdir(folder))
