"""Runs the rounds of a workload. Each round measures every server once; the order changes to favour no server."""

import sys
from collections.abc import Callable, Sequence

from benchmarks.measurements import Sample
from benchmarks.peers import Peer
from benchmarks.results import FIGURES, Series
from benchmarks.servers import BenchmarkError
from benchmarks.workloads import Workload


def order(servers: Sequence[Peer], number: int) -> list[Peer]:
    """Return the servers in the order of round `number`.

    Each round begins with another server, and every second round has the reverse order. Neighbours stay neighbours, so
    the pairs whose ratios matter most are always measured within seconds of each other.
    """
    start = number % len(servers) if servers else 0
    rotated = [*servers[start:], *servers[:start]]
    return rotated[::-1] if number % 2 else rotated


def run_rounds(workload: Workload, servers: Sequence[Peer], measure: Callable[[Peer], Sample]) -> list[Series]:
    """Measure every server in every round.

    A server that fails once is not measured again, and its earlier samples are dropped: a server that sends one wrong
    echo gets no figure, and its ratios need samples from all rounds.
    """
    found = {peer.name: Series(workload.name, peer.name) for peer in servers}
    for number in range(workload.rounds):
        for peer in order(servers, number):
            series = found[peer.name]
            if series.failed:
                continue
            try:
                sample = measure(peer)
            except (BenchmarkError, OSError) as error:
                series.failed = str(error)
                series.samples.clear()
                print(f"{workload.name} {peer.name}: FAILED: {error}", file=sys.stderr)
            else:
                series.samples.append(sample)
                figure = FIGURES[workload.kind]
                print(f"{workload.name} {peer.name}: {figure} {sample[figure]:.4g}", file=sys.stderr)
    return list(found.values())
