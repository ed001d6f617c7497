"""The rounds of a workload: every server once in each, in an order that changes, so that no place in it is favoured."""

import sys
from collections.abc import Callable, Sequence

from benchmarks.measurements import Sample
from benchmarks.peers import Peer
from benchmarks.results import FIGURES, Series
from benchmarks.servers import BenchmarkError
from benchmarks.workloads import Workload


def order(servers: Sequence[Peer], number: int) -> list[Peer]:
    """The servers of round `number`: each round begins with another one, and every second one goes backwards.

    Neighbours stay neighbours, so the pairs whose ratio matters most are always measured within seconds.
    """
    start = number % len(servers) if servers else 0
    turned = [*servers[start:], *servers[:start]]
    return turned[::-1] if number % 2 else turned


def run_rounds(workload: Workload, servers: Sequence[Peer], measure: Callable[[Peer], Sample]) -> list[Series]:
    """Measure every server in every round.

    One that fails once is not measured again, and its earlier samples go: a server that sends one wrong echo has no
    figure, and rounds without it compare nothing.
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
