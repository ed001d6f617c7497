"""The machine: which cores are whose, what it is, and whether it was quiet."""

import contextlib
import os
import platform
import re
import resource
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cores:
    """Numbers of the cores of the server, of the client, and of the suite itself, which mostly waits."""

    server: tuple[int, ...]
    client: int
    suite: int

    @property
    def shared(self) -> bool:
        """The client runs where the server does."""
        return self.client in self.server


def share_out(allowed: Sequence[int], workers: int) -> Cores:
    """A core for each worker, then one for the client, then one for the suite; the last one for whoever is left."""

    def core(number: int) -> int:
        return allowed[min(number, len(allowed) - 1)]

    server = tuple(dict.fromkeys(core(number) for number in range(workers)))
    return Cores(server, core(workers), core(workers + 1))


def cores_for(workers: int) -> Cores:
    """The cores that this process may use, shared out."""
    return share_out(ALLOWED, workers)


ALLOWED = sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def on_cores(cores: Iterable[int]) -> Iterator[None]:
    """Processes that are started within the block run on these cores: they inherit what this thread may use."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def facts() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "CPU": cpu_model(),
        "cores": str(len(ALLOWED)) + (", so that server and client share one" if len(ALLOWED) == 1 else ""),
        "memory": f"{round(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30)} GiB",
        "virtual": "yes" if "hypervisor" in Path("/proc/cpuinfo").read_text() else "no",
        "kernel": f"{platform.system()} {re.match(r'[0-9.]*[0-9]', platform.release())[0]}",  # type: ignore[index]
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before the run": f"{os.getloadavg()[0]:.2f}",
    }


def cpu_model() -> str:
    """The name of the processor, without the trade marks."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = re.sub(r"\((R|TM)\)|Processor|CPU|@.*", " ", line.partition(":")[2])
            return " ".join(name.split())
    return platform.machine()


def short_name() -> str:
    """For a file's name: the processor and the number of cores."""
    return re.sub(r"[^a-z0-9]+", "-", f"{cpu_model()} {len(ALLOWED)} cores".lower()).strip("-")


@dataclass(frozen=True)
class CpuTime:
    """Seconds of CPU time of all cores together, since the machine started."""

    total: float
    busy: float
    stolen: float  # in which a virtual machine wanted to run, and its host let another one
    ours: float  # of this process and of those below it that have ended


def cpu_time() -> CpuTime:
    """From the first line of /proc/stat (proc(5)): user, nice, system, idle, iowait, irq, softirq, steal."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    seconds = [count / os.sysconf("SC_CLK_TCK") for count in ticks]
    idle, stolen = seconds[3] + seconds[4], seconds[7]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours = sum(usage.ru_utime + usage.ru_stime for usage in used)
    return CpuTime(sum(seconds), sum(seconds) - idle - stolen, stolen, ours)


def disturbance(before: CpuTime, after: CpuTime) -> dict[str, float]:
    """Which share of the machine went to others meanwhile: to processes that are not ours, and to other machines."""
    total = max(after.total - before.total, 0.01)
    others = (after.busy - before.busy) - (after.ours - before.ours)
    return {"used by others": max(0.0, others / total), "stolen by the host": (after.stolen - before.stolen) / total}


def available_memory() -> int:
    """Bytes that could be had without swapping."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
