"""Reads the resident memory of processes from /proc."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KIB = 1024


@dataclass(frozen=True)
class Resident:
    """Bytes of several processes together. `pss` divides a shared page by the number of processes that share it."""

    rss: int
    pss: int


def resident(pids: Sequence[int]) -> Resident:
    """Return the resident memory now."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return Resident(sum(field("Rss", rollup) for rollup in rollups), sum(field("Pss", rollup) for rollup in rollups))


def peak(pids: Sequence[int]) -> int:
    """Return the most bytes that were resident since `reset_peak`. The kernel records it, so no peak is missed."""
    return sum(field("VmHWM", Path(f"/proc/{pid}/status").read_text()) for pid in pids)


def reset_peak(pids: Sequence[int]) -> None:
    """Reset the peak to the present size: the server may have needed more memory at its start."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def field(name: str, text: str) -> int:
    """Return the bytes in the line `name: N kB`; 0 if there is no such line, as for a process that has ended."""
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * KIB if found else 0
