"""The targets for wsecho's figures, and whether the figures of a run are within them."""

from dataclasses import dataclass
from statistics import median
from typing import Protocol

from benchmarks.peers import BY_NAME, OURS, PEERS, PYTHON_PEERS
from benchmarks.results import FLOOR, WSECHO, Results

ALL_PEERS = tuple(peer.name for peer in PEERS if peer.name not in OURS)


@dataclass(frozen=True)
class Verdict:
    """The outcome for one target. `holds` is None if nothing was measured for it."""

    target: str
    measured: str
    holds: bool | None

    def __str__(self) -> str:
        word = {True: "met", False: "MISSED", None: "not measured"}[self.holds]
        return f"{word}: {self.target}{f' ({self.measured})' if self.measured else ''}"


class Target(Protocol):
    """A limit for figures of a run."""

    def verdict(self, results: Results) -> Verdict: ...


@dataclass(frozen=True)
class NearTheFloor:
    """wsecho's figure is at most `bound` times the floor's."""

    workload: str
    bound: float

    def verdict(self, results: Results) -> Verdict:
        ratio = results.ratio(self.workload, WSECHO, FLOOR)
        target = f"{title(results, self.workload)}: at most {self.bound:g}x the floor"
        return Verdict(target, "" if ratio is None else f"{ratio:.2f}x", None if ratio is None else ratio <= self.bound)


@dataclass(frozen=True)
class Cheaper:
    """The figure of each of `peers` is at least `factor` times wsecho's. `who` names these peers in the report."""

    workload: str
    factor: float = 1.0
    peers: tuple[str, ...] = ALL_PEERS
    who: str = "every peer"

    def verdict(self, results: Results) -> Verdict:
        than = "cheaper than" if self.factor == 1 else f"at least {self.factor:g}x cheaper than"
        target = f"{title(results, self.workload)}: {than} {self.who}"
        ratios = {peer: ratio for peer in self.peers if (ratio := results.ratio(self.workload, peer, WSECHO))}
        if not ratios:
            return Verdict(target, "", None)
        nearest = min(ratios, key=lambda peer: ratios[peer])
        holds = ratios[nearest] > 1 if self.factor == 1 else ratios[nearest] >= self.factor
        return Verdict(target, f"{BY_NAME[nearest].title} {ratios[nearest]:.2f}x", holds)


@dataclass(frozen=True)
class AtMost:
    """wsecho's figure is at most `bound`."""

    workload: str
    bound: float
    unit: str

    def verdict(self, results: Results) -> Verdict:
        measured = results.median(self.workload, WSECHO)
        target = f"{title(results, self.workload)}: at most {self.bound:g} {self.unit}"
        if measured is None:
            return Verdict(target, "", None)
        return Verdict(target, f"{measured:.3g} {self.unit}", measured <= self.bound)


@dataclass(frozen=True)
class UnmovedByScrapes:
    """With one scrape per second, one message in a thousand waits at most `bound_us` microseconds longer.

    This is computed from the CPU time of the event loop's iterations, not from the latencies of the open-loop workload.
    The highest thousandth of those depends on the machine: on a virtual one, even the floor's is tens of milliseconds
    in one round and a few milliseconds in the next.
    """

    workload: str
    bound_us: float

    def verdict(self, results: Results) -> Verdict:
        target = f"a scrape each second: at most {self.bound_us / 1000:g} ms more for one message in 1000"
        found = results.find(self.workload, "wsecho-watched")
        if found is None:
            return Verdict(target, "", None)
        more = median(sample["late_us"] - sample["quiet_late_us"] for sample in found.samples)
        longest = found.median("longest_us")
        measured = f"{more / 1000:.2f} ms; the event loop's longest iteration {longest / 1000:.2f} ms"
        return Verdict(target, measured, more <= self.bound_us)


def title(results: Results, name: str) -> str:
    """The title of a workload, or its name if it was not measured."""
    workload = results.workload(name)
    return workload.title if workload else name


PING_PONG = ("ping-20", "ping-1k", "ping-16k")
IN_FLIGHT = ("flight-16", "flight-100")
TARGETS: tuple[Target, ...] = (
    *(NearTheFloor(workload, 1.15) for workload in PING_PONG),
    *(Cheaper(workload) for workload in PING_PONG),
    *(NearTheFloor(workload, 1.25) for workload in IN_FLIGHT),
    *(Cheaper(workload, 10.0, ("picows",), "picows") for workload in IN_FLIGHT),
    *(Cheaper(workload) for workload in ("ping-1m", "ping-16m")),
    AtMost("growth", 2.0, "MiB"),
    *(Cheaper(workload, 3.0, who="every peer that compresses") for workload in ("deflate-1k", "deflate-64k")),
    *(Cheaper(workload, 1.0, PYTHON_PEERS, "every Python peer") for workload in ("wss-1k", "wss-64k")),
    AtMost("handshakes", 100.0, "µs"),
    AtMost("idle", 8.0, "KiB"),
    AtMost("idle-wss", 40.0, "KiB"),
    AtMost("start", 0.5, "s"),
    UnmovedByScrapes("scrape", 1000.0),
)


def verdicts(results: Results) -> list[Verdict]:
    """One verdict for each target whose workload was measured."""
    return [verdict for target in TARGETS if (verdict := target.verdict(results)).holds is not None]
