"""The machine: how its cores are assigned, its description, and whether other processes disturbed the run."""

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
    """The numbers of the cores of the server, of the client, and of the benchmark process, which mostly waits."""

    server: tuple[int, ...]
    client: int
    suite: int

    @property
    def shared(self) -> bool:
        """Whether the client runs on a core of the server."""
        return self.client in self.server


def share_out(allowed: Sequence[int], workers: int) -> Cores:
    """Assign a core to each worker, then one to the client, then one to the benchmark process.

    If there are too few cores, those that come last share the last core.
    """

    def core(number: int) -> int:
        return allowed[min(number, len(allowed) - 1)]

    server = tuple(dict.fromkeys(core(number) for number in range(workers)))
    return Cores(server, core(workers), core(workers + 1))


def cores_for(workers: int) -> Cores:
    """Assign the cores that this process may use."""
    return share_out(ALLOWED, workers)


ALLOWED = sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def on_cores(cores: Iterable[int]) -> Iterator[None]:
    """Let processes that are started in the block run on these cores: they inherit this thread's CPU affinity."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def facts() -> dict[str, str]:
    """Return the facts about the machine that the figures depend on."""
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
    """Return the name of the processor without trademark signs and filler words."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = re.sub(r"\((R|TM)\)|Processor|CPU|@.*", " ", line.partition(":")[2])
            return " ".join(name.split())
    return platform.machine()


def short_name() -> str:
    """Return the processor and the number of cores as a part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", f"{cpu_model()} {len(ALLOWED)} cores".lower()).strip("-")


@dataclass(frozen=True)
class CpuTime:
    """Seconds of CPU time since the machine started, summed over all cores."""

    total: float
    busy: float
    stolen: float  # the virtual machine was ready to run, but its host ran something else
    ours: float  # of this process and of its descendants that have ended


def cpu_time() -> CpuTime:
    """Read the CPU time from the first line of /proc/stat (proc(5)).

    Its fields are user, nice, system, idle, iowait, irq, softirq, steal.
    """
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    seconds = [count / os.sysconf("SC_CLK_TCK") for count in ticks]
    idle, stolen = seconds[3] + seconds[4], seconds[7]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours = sum(usage.ru_utime + usage.ru_stime for usage in used)
    return CpuTime(sum(seconds), sum(seconds) - idle - stolen, stolen, ours)


def disturbance(before: CpuTime, after: CpuTime) -> dict[str, float]:
    """Return the shares of the CPU time between two readings that other processes and other virtual machines used."""
    total = max(after.total - before.total, 0.01)
    others = (after.busy - before.busy) - (after.ours - before.ours)
    return {"used by others": max(0.0, others / total), "stolen by the host": (after.stolen - before.stolen) / total}


def available_memory() -> int:
    """Return the bytes of memory that are available without swapping."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
