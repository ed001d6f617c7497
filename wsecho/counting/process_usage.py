"""What the system says about the server's processes, all together; Linux only, elsewhere nothing is said."""

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# proc_pid_stat(5): places of the fields behind the name, which may hold anything and ends with the last parenthesis.
_USER, _SYSTEM, _CHILDRENS_USER, _CHILDRENS_SYSTEM = 11, 12, 13, 14


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over processes: CPU in seconds, memory in bytes; `max_descriptors` is the limit of one process."""

    cpu_seconds: float
    resident_memory: int
    open_descriptors: int
    max_descriptors: int


def usage(root: int, others: Iterable[int]) -> Usage | None:
    """Return what process `root` and `others`, its children, use; None where the system does not say.

    The CPU time of children that have ended is in their parent's, so that it never goes back.
    """
    cpu, memory, descriptors = 0.0, 0, 0
    for pid in {root, *others}:
        folder = _PROC / str(pid)
        try:
            times = (folder / "stat").read_text().rpartition(")")[2].split()
            memory += int((folder / "statm").read_text().split()[1]) * _PAGE
            descriptors += _descriptors(folder / "fd")
        except OSError:
            # It ended just now, or there is no /proc.
            continue
        cpu += (int(times[_USER]) + int(times[_SYSTEM])) / _TICKS
        if pid == root:
            cpu += (int(times[_CHILDRENS_USER]) + int(times[_CHILDRENS_SYSTEM])) / _TICKS
    if not memory:
        return None
    return Usage(cpu, memory, descriptors, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _descriptors(folder: Path) -> int:
    """Return how many descriptors are open: Linux 6.2 and later say it without listing them."""
    return folder.stat().st_size or len(os.listdir(folder))
