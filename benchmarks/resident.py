"""Resident memory of processes, from the kernel's own sums."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KIB = 1024


@dataclass(frozen=True)
class Resident:
    """Bytes of several processes together. `pss` shares what they share among all who do."""

    rss: int
    pss: int


def resident(pids: Sequence[int]) -> Resident:
    """What is resident now."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return Resident(sum(field("Rss", rollup) for rollup in rollups), sum(field("Pss", rollup) for rollup in rollups))


def peak(pids: Sequence[int]) -> int:
    """The most bytes that ever were resident since `forget_peak`; misses nothing, unlike samples."""
    return sum(field("VmHWM", Path(f"/proc/{pid}/status").read_text()) for pid in pids)


def forget_peak(pids: Sequence[int]) -> None:
    """Let the peak begin again from what is resident now: the server's start may have needed more."""
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def field(name: str, text: str) -> int:
    """Bytes in the line `name: N kB`; none where there is no such line, as for a process that has ended."""
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * KIB if found else 0
