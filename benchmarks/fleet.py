"""Works out what a million connections need from the figures of a run, as tables for docs/scaling.md."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.markdown import header, row
from benchmarks.quantities import kibibytes, microseconds, per_second, quantity, seconds, share
from benchmarks.results import WSECHO, Results, Series

CONNECTIONS = 1_000_000
# Of a pod in deploy/kubernetes/: where it refuses clients, and where the autoscaler adds another pod.
CAPACITY = 10_000
TARGET = 8_000
PODS = CONNECTIONS // TARGET
MESSAGES_PER_SECOND = 100_000  # one message in ten seconds from each client


@dataclass(frozen=True)
class Figure:
    """A figure of one worker: the workload that it was measured under, and its text."""

    workload: str
    what: str
    text: Callable[[Series], str]


@dataclass(frozen=True)
class Need:
    """Something that the fleet needs `count` times, with the text of one, of all and of the share of one pod."""

    workload: str
    what: str
    count: int
    one: Callable[[float], str]
    all: Callable[[float], str]
    of_a_pod: Callable[[float], str]
    key: str


def memory(kib: float) -> str:
    return kibibytes(kib) if kib < 1024**2 else quantity(kib / 1024**2, "GiB")


def cores(microseconds_per_second: float) -> str:
    return quantity(microseconds_per_second / 1e6, "cores")


def share_of_a_core(microseconds_per_second: float) -> str:
    return f"{microseconds_per_second / 1e6:.1%} of a core"


def seconds_of_a_core(total: float) -> str:
    return f"{quantity(total / 1e6, 's')} of a core"


def rate(series: Series) -> str:
    """Return the CPU time of one operation, and how many a second there were on how much of a core."""
    cpu, number, busy = (series.median(key) for key in ("cpu_us", "per_second", "server_busy"))
    return f"{microseconds(cpu)} of CPU time; {per_second(number)} a second on {share(busy)} of a core"


def resident(series: Series) -> str:
    return kibibytes(series.median("rss_kib"))


FIGURES = (
    Figure("ping-20", "an echo of 20 B", rate),
    Figure("ping-1k", "an echo of 1 KiB", rate),
    Figure("flight-16", "an echo of 20 B, 16 in flight", rate),
    Figure("deflate-1k", "an echo of 1 KiB of JSON, compressed", rate),
    Figure("wss-1k", "an echo of 1 KiB over TLS", rate),
    Figure("handshakes", "a connection with one echo", rate),
    Figure("handshakes-wss", "a TLS connection with one echo", rate),
    Figure("idle", "memory of an idle connection", resident),
    Figure("idle-deflate-used", "memory of an idle connection that has compressed a message", resident),
    Figure("idle-wss", "memory of an idle TLS connection", resident),
    Figure("scrape", "CPU time of a scrape", lambda series: microseconds(series.median("cpu_us"))),
    Figure("start", "time from the start to the first echo", lambda series: seconds(series.median("seconds"))),
)
# The servers with which workloads are measured where it is not the plain one.
OTHER_SERVERS = {"scrape": "wsecho-watched"}
IN_MEMORY = (kibibytes, memory, memory, "rss_kib")
IN_CORES = (microseconds, cores, share_of_a_core, "cpu_us")
AT_ONCE = (microseconds, seconds_of_a_core, seconds_of_a_core, "cpu_us")
NEEDS = (
    Need("idle", "memory of connections", CONNECTIONS, *IN_MEMORY),
    Need("idle-deflate-used", "instead, if all have compressed a message", CONNECTIONS, *IN_MEMORY),
    Need("idle-wss", "instead, if the pods do TLS", CONNECTIONS, *IN_MEMORY),
    Need("ping-1k", "100,000 echoes of 1 KiB a second", MESSAGES_PER_SECOND, *IN_CORES),
    Need("wss-1k", "instead, if the pods do TLS", MESSAGES_PER_SECOND, *IN_CORES),
    Need("handshakes", "all clients connect at once", CONNECTIONS, *AT_ONCE),
    Need("handshakes-wss", "instead, if the pods do TLS", CONNECTIONS, *AT_ONCE),
)


def measured(results: Results, workload: str) -> Series | None:
    """Return the series of wsecho under a workload, or None if it has no samples."""
    return results.find(workload, OTHER_SERVERS.get(workload, WSECHO))


def figures(results: Results) -> str:
    """Return a table of what one worker does, with the option that measures each figure again."""
    lines = header(["one worker", "measured", "`--only`"])
    for figure in FIGURES:
        if series := measured(results, figure.workload):
            lines.append(row([figure.what, figure.text(series), f"`{figure.workload}`"]))
    return "\n".join(lines)


def fleet(results: Results) -> str:
    """Return a table of what the fleet needs."""
    lines = header([f"{CONNECTIONS:,} connections, {PODS} pods", "worked out", "in all", "each pod"])
    for need in NEEDS:
        if series := measured(results, need.workload):
            lines.append(needed(need, series.median(need.key)))
    return "\n".join(lines)


def needed(need: Need, figure: float) -> str:
    """Return the row of one need. `figure` is what it takes once."""
    total = need.count * figure
    return row([need.what, f"{need.count:,} x {need.one(figure)}", need.all(total), need.of_a_pod(total / PODS)])
