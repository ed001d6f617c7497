"""Measures wsecho, other servers and a minimal echo server in C, and writes the results as JSON and Markdown.

    python -m benchmarks.bench [--quick] [--only WORKLOAD,...] [--peers SERVER,...] [--rounds N] [--seconds S]

Every measurement starts the server anew on one core and the C client on another. Ratios are computed within a round.
README.md in this folder describes the method and its limits. The results of a complete run are written to
benchmarks/results/, those of any other run to build/bench/results/.

Exit code 0: everything was measured, whatever the figures are. 1: something failed, and the report says what.
"""

import argparse
import datetime
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import machine, peers, workloads
from benchmarks.connection_costs import guards
from benchmarks.installation import compile_program, install, make_certificate
from benchmarks.measurements import Sample, Trial, measure
from benchmarks.peers import Peer
from benchmarks.programs import BUILD
from benchmarks.report import report
from benchmarks.results import Results, Series
from benchmarks.rounds import run_rounds
from benchmarks.servers import ROOT, BenchmarkError
from benchmarks.workloads import Workload

MOST_ROUNDS = 50
LONGEST_SECONDS = 10.0
SPARE_DESCRIPTORS = 500
# What the server with the highest memory use may need while every connection has a message of 16 MiB in flight.
GROWTH_NEEDS_BYTES = 10 * 2**30


def choice(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return a parser for comma-separated names out of `known`."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := sorted(set(names) - set(known)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return names

    return parse


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="indications in under three minutes")
    parser.add_argument("--only", type=choice(workloads.BY_NAME), metavar="WORKLOAD,...", help="these workloads")
    parser.add_argument("--peers", type=choice(peers.BY_NAME), metavar="SERVER,...", help="these servers")
    parser.add_argument("--rounds", type=int, help="instead of what the workloads say")
    parser.add_argument("--seconds", type=float, help="length of the measured windows, likewise")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where what was found is written")
    arguments = parser.parse_args(words)
    if arguments.rounds is not None and not 1 <= arguments.rounds <= MOST_ROUNDS:
        parser.error(f"--rounds has to be 1 to {MOST_ROUNDS}")
    if arguments.seconds is not None and not 0 < arguments.seconds <= LONGEST_SECONDS:
        parser.error(f"--seconds has to be above 0 and at most {LONGEST_SECONDS:g}")
    return arguments


def chosen_workloads(arguments: argparse.Namespace) -> list[Workload]:
    names = arguments.only or (workloads.QUICK if arguments.quick else list(workloads.BY_NAME))
    rows = workloads.chosen(list(names))
    if arguments.quick:
        rows = [workloads.quickened(row) for row in rows]
    changes = {"rounds": arguments.rounds, "seconds": arguments.seconds}
    return [replace(row, **{key: value for key, value in changes.items() if value is not None}) for row in rows]


def chosen_peers(arguments: argparse.Namespace) -> list[Peer]:
    names = arguments.peers or (peers.QUICK if arguments.quick else list(peers.BY_NAME))
    return [peer for peer in peers.PEERS if peer.name in names]


def is_whole(arguments: argparse.Namespace) -> bool:
    """Tell whether the run is complete: nothing is left out or changed."""
    return not (arguments.quick or arguments.only or arguments.peers or arguments.rounds or arguments.seconds)


class Run:
    """A run: the installed client and servers, and the results so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.client = compile_program("load")
        wanted = chosen_peers(arguments)
        missing = install(wanted)
        self.peers = [peer for peer in wanted if peer.name not in missing]
        self.certificate: tuple[Path, Path] | None = None
        self.no_certificate = ""
        try:
            self.certificate = make_certificate()
        except BenchmarkError as error:
            self.no_certificate = f"no certificate: {error}"
        self.results = Results(
            date=datetime.date.today().isoformat(),
            commit=commit(),
            command=" ".join(["python -m benchmarks.bench", *sys.argv[1:]]),
            machine=machine.facts(),
            servers={peer.name: {"title": peer.title, "version": peer.version()} for peer in self.peers},
            missing=missing,
            workloads=chosen_workloads(arguments),
            series=[],
            quick=arguments.quick,
        )

    def measure_all(self) -> None:
        """Measure the workloads one after the other."""
        before, started = machine.cpu_time(), time.monotonic()
        for workload in self.results.workloads:
            self.results.series += self.measure(workload)
        self.results.disturbance = machine.disturbance(before, machine.cpu_time())
        self.results.minutes = (time.monotonic() - started) / 60

    def measure(self, workload: Workload) -> list[Series]:
        """Return a series for each server: with samples, or with the reason why there are none."""
        able, unable = [], []
        for peer in self.peers:
            if not takes_part(peer, workload):
                continue
            if reason := self.obstacle(peer, workload):
                unable.append(Series(workload.name, peer.name, unsupported=reason))
            else:
                able.append(peer)
        return run_rounds(workload, able, lambda peer: self.sample(peer, workload)) + unable

    def obstacle(self, peer: Peer, workload: Workload) -> str | None:
        """Return why a server is not measured under a workload; None if it is measured."""
        if reason := peer.unsupported(workload):
            return reason
        if workload.tls and self.no_certificate:
            return self.no_certificate
        if workload.half_of and not self.rate(peer, workload):
            return f"{workload.half_of}, which its rate is taken from, was not measured"
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if workload.connections + SPARE_DESCRIPTORS > files:
            return f"a process may open {files:,} files only"
        if workload.kind == "growth" and machine.available_memory() < GROWTH_NEEDS_BYTES:
            return f"less than {GROWTH_NEEDS_BYTES / 2**30:.0f} GiB of memory are available"
        return None

    def rate(self, peer: Peer, workload: Workload) -> float:
        """Return half of the messages per second that the closed loop reached; 0 if it was not measured."""
        return (self.results.median(workload.half_of, peer.like or peer.name, "per_second") or 0.0) / 2

    def sample(self, peer: Peer, workload: Workload) -> Sample:
        rate = self.rate(peer, workload) if workload.half_of else 0.0
        return measure(Trial(peer, workload, self.client, self.certificate, rate))


def takes_part(peer: Peer, workload: Workload) -> bool:
    """Tell whether a server takes part. Without a list of servers, a workload takes all but the variants (`like`)."""
    return peer.name in workload.servers if workload.servers else not peer.like


def commit() -> str:
    """Return the commit that is checked out, and whether there are uncommitted changes."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "wsecho", "benchmarks")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def raise_descriptor_limit() -> None:
    """Raise the file descriptor limit to its maximum, for this process and for the servers and clients it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def destination(arguments: argparse.Namespace) -> Path:
    """Return the folder for the results."""
    return arguments.into or (ROOT / "benchmarks" / "results" if is_whole(arguments) else BUILD / "results")


def write(results: Results, folder: Path) -> Path:
    """Write the results as JSON and as Markdown, and return the path of the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{results.date}-{machine.short_name()}"
    results.write(folder / f"{name}.json")
    (folder / f"{name}.md").write_text(report(results))
    return folder / f"{name}.md"


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    raise_descriptor_limit()
    try:
        run = Run(arguments)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    os.sched_setaffinity(0, {machine.cores_for(1).suite})
    run.measure_all()
    if is_whole(arguments):
        run.results.guards = guards()
    path = write(run.results, destination(arguments))
    print(report(run.results))
    print(f"Written to {path} and the .json beside it.", file=sys.stderr)
    return 1 if run.results.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
