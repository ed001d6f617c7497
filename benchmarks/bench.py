"""What an echoed message costs: server CPU time per message, of wsecho, of other servers, and of a bare C echo.

    python benchmarks/bench.py [--rounds N] [--seconds S] [--servers A,B] [--workloads A,B] [--json FILE]

In every round each server is started alone on one core, loaded from another core by `load`, and ended; the next
round takes the servers in the opposite order. Ratios are taken within a round, and their median is reported, so that
a machine that changes its speed meanwhile changes both sides. README.md beside this file has the method's limits.

Exit code 0: everything was measured, whatever the figures say. 1: something broke, and the report says what.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from programs import BUILD, SOURCES, CompilationError, compile_program
from servers import COMMANDS, BenchmarkError, running

CONNECTIONS = 100
WARM_UP_SECONDS = 0.5
LONGEST_SECONDS = 10.0
MOST_ROUNDS = 50
LOAD_SPARE_SECONDS = 60.0
QUIET_SPREAD = 1.25

FLOOR = "floor"
LIBRARIES = ("uvloop", "aiofastnet", "websockets", "picows")


@dataclass(frozen=True)
class Workload:
    title: str
    size: int
    in_flight: int


WORKLOADS = {
    "ping-20": Workload("ping-pong, 20 B", 20, 1),
    "ping-1k": Workload("ping-pong, 1 KiB", 1024, 1),
    "ping-16k": Workload("ping-pong, 16 KiB", 16 * 1024, 1),
    "flight-16": Workload("16 in flight, 20 B", 20, 16),
}


@dataclass(frozen=True)
class Bar:
    """A bound on the ratio of two servers' CPU time per message."""

    workload: str
    server: str
    other: str
    bound: float
    at_most: bool

    def holds(self, ratio: float) -> bool:
        return ratio <= self.bound if self.at_most else ratio >= self.bound

    def __str__(self) -> str:
        bound = f"{'at most' if self.at_most else 'at least'} {self.bound:g}"
        return f"{WORKLOADS[self.workload].title}: {self.server} / {self.other}, {bound}"


PING_PONG = ("ping-20", "ping-1k", "ping-16k")
BARS = (
    *(Bar(workload, "wsecho", FLOOR, 1.25, at_most=True) for workload in PING_PONG),
    *(Bar(workload, "websockets", "wsecho", 3.0, at_most=False) for workload in PING_PONG),
    Bar("flight-16", "wsecho", FLOOR, 1.4, at_most=True),
)


@dataclass(frozen=True)
class Sample:
    """One server under one workload in one round."""

    cpu_us: float  # server CPU time, user and system, per message
    per_second: float  # messages echoed
    busy: float  # share of the window in which the server was on its core
    p50_us: float  # from sending a message to having read its echo
    p99_us: float


# Samples by workload and server, one a round. A server that broke has none.
Results = dict[str, dict[str, list[Sample]]]


@dataclass(frozen=True)
class Cores:
    server: int
    client: int


def choose_cores() -> Cores:
    """The first two cores that this process may use; one for both where there are no two."""
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(server=allowed[0], client=allowed[-1] if len(allowed) < 2 else allowed[1])


def measure(server: str, workload: Workload, seconds: float, cores: Cores) -> Sample:
    """Start the server, load it for one window, end it."""
    with running(server, cores.server) as target:
        command = [BUILD / "load", "echo", "--port", target.port, "--connections", CONNECTIONS]
        command += ["--size", workload.size, "--in-flight", workload.in_flight]
        command += ["--seconds", seconds, "--warm-up", WARM_UP_SECONDS]
        command += [word for pid in target.pids() for word in ("--pid", pid)]
        outcome = subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            timeout=seconds + LOAD_SPARE_SECONDS,
            preexec_fn=lambda: os.sched_setaffinity(0, {cores.client}),
        )
    if outcome.returncode:
        raise BenchmarkError(f"{server}: {outcome.stderr.strip() or f'load ended with {outcome.returncode}'}")
    window = json.loads(outcome.stdout)
    return Sample(
        cpu_us=window["server_cpu_seconds"] / window["messages"] * 1e6,
        per_second=window["messages_per_second"],
        busy=window["server_cpu_seconds"] / window["seconds"],
        p50_us=window["latency_us"]["p50"],
        p99_us=window["latency_us"]["p99"],
    )


def schedule(arguments: argparse.Namespace) -> Iterable[tuple[str, str]]:
    """Workload and server of each measurement, in order; every second round takes the servers backwards."""
    for workload in arguments.workloads:
        for number in range(arguments.rounds):
            for server in arguments.servers[:: -1 if number % 2 else 1]:
                yield workload, server


def measure_all(arguments: argparse.Namespace, cores: Cores) -> tuple[Results, dict[str, str]]:
    """Every server under every workload in every round; and for each server that broke, why.

    A server that broke once is not measured again, and its earlier samples go: rounds without it compare nothing.
    """
    results: Results = {workload: {server: [] for server in arguments.servers} for workload in arguments.workloads}
    broken: dict[str, str] = {}
    for workload, server in schedule(arguments):
        if server in broken:
            continue
        try:
            sample = measure(server, WORKLOADS[workload], arguments.seconds, cores)
        except (BenchmarkError, subprocess.TimeoutExpired) as error:
            broken[server] = str(error)
            print(f"{workload} {server}: {error}", file=sys.stderr)
        else:
            results[workload][server].append(sample)
            print(f"{workload} {server}: {sample.cpu_us:.2f} µs", file=sys.stderr)
    for by_server in results.values():
        by_server.update({server: [] for server in broken})
    return results, broken


def ratio(by_server: dict[str, list[Sample]], server: str, other: str) -> float | None:
    """The median, over the rounds, of how many times as much CPU time a message costs."""
    mine, its = by_server.get(server), by_server.get(other)
    if not mine or not its:
        return None
    return median(a.cpu_us / b.cpu_us for a, b in zip(mine, its, strict=True))


def machine_facts() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0))
    facts = {
        "CPU": cpu_model(),
        "cores": str(cores) if cores > 1 else "1: server and client share it, the figures mean little",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before the run": f"{os.getloadavg()[0]:.2f}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "C compiler": first_line([os.environ.get("CC", "cc"), "--version"]),
    }
    for library in LIBRARIES:
        try:
            facts[library] = version(library)
        except PackageNotFoundError:
            facts[library] = "not installed"
    return facts


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def first_line(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]


def table(by_server: dict[str, list[Sample]], broken: dict[str, str]) -> Iterable[str]:
    """Lines of Markdown: one row a server."""
    yield "| server | CPU µs/message | min-max | x floor | messages/s | core busy | p50 µs | p99 µs |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for server, samples in by_server.items():
        if not samples:
            yield f"| {server} | not measured: {broken[server].splitlines()[0]} | | | | | | |"
            continue
        costs = [sample.cpu_us for sample in samples]
        times_floor = ratio(by_server, server, FLOOR)
        cells = (
            server,
            f"{median(costs):.2f}",
            f"{min(costs):.2f}-{max(costs):.2f}",
            "" if times_floor is None else f"{times_floor:.2f}",
            f"{median(sample.per_second for sample in samples):,.0f}",
            f"{median(sample.busy for sample in samples):.0%}",
            f"{median(sample.p50_us for sample in samples):.0f}",
            f"{median(sample.p99_us for sample in samples):.0f}",
        )
        yield f"| {' | '.join(cells)} |"


def unquiet(by_server: dict[str, list[Sample]]) -> Iterable[str]:
    """A warning where the floor, which always does the same, did not always cost the same."""
    costs = [sample.cpu_us for sample in by_server.get(FLOOR, [])]
    if costs and max(costs) > QUIET_SPREAD * min(costs):
        yield ""
        yield f"The floor itself varied by {max(costs) / min(costs) - 1:.0%}: the machine was not quiet."


def verdict(bar: Bar, results: Results) -> str:
    """One line that says whether the bar holds."""
    measured = ratio(results.get(bar.workload, {}), bar.server, bar.other)
    if measured is None:
        return f"not measured: {bar}"
    return f"{'pass' if bar.holds(measured) else 'FAIL'} {measured:.2f}: {bar}"


def report(results: Results, broken: dict[str, str], facts: dict[str, str]) -> None:
    print("# Server CPU time per echoed message\n")
    for name, fact in facts.items():
        print(f"- {name}: {fact}")
    for workload, by_server in results.items():
        print(f"\n## {WORKLOADS[workload].title}, {CONNECTIONS} connections, text\n")
        for line in (*table(by_server, broken), *unquiet(by_server)):
            print(line)
    print("\n## Bars\n")
    for bar in BARS:
        print(f"- {verdict(bar, results)}")


def write_json(path: Path, seconds: float, results: Results, broken: dict[str, str], facts: dict[str, str]) -> None:
    """Every sample, for whoever wants to compute something else from them."""
    samples = {
        workload: {server: list(map(asdict, rounds)) for server, rounds in by_server.items()}
        for workload, by_server in results.items()
    }
    document = {
        "machine": facts,
        "connections": CONNECTIONS,
        "window_seconds": seconds,
        "samples": samples,
        "broken": broken,
        "bars": [verdict(bar, results) for bar in BARS],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def choice(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Parser of a comma-separated choice among `known`."""

    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := sorted(set(chosen) - set(known)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(known)}")
        return list(dict.fromkeys(chosen))

    return parse


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each workload (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of the measured window (default: 2)")
    parser.add_argument("--servers", type=choice(COMMANDS), default=list(COMMANDS), help=", ".join(COMMANDS))
    parser.add_argument("--workloads", type=choice(WORKLOADS), default=list(WORKLOADS), help=", ".join(WORKLOADS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    arguments = parser.parse_args()
    if not 1 <= arguments.rounds <= MOST_ROUNDS:
        parser.error(f"--rounds has to be 1 to {MOST_ROUNDS}")
    if not 0 < arguments.seconds <= LONGEST_SECONDS:
        parser.error(f"--seconds has to be above 0 and at most {LONGEST_SECONDS:g}")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    try:
        for program in SOURCES:
            compile_program(program)
    except CompilationError as error:
        print(error, file=sys.stderr)
        return 1
    facts = machine_facts()
    results, broken = measure_all(arguments, choose_cores())
    report(results, broken, facts)
    if arguments.json:
        write_json(arguments.json, arguments.seconds, results, broken, facts)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
