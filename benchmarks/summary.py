"""Summarizes results as Markdown for the README: one table, and the facts that are needed to read it."""

import textwrap

from benchmarks.markdown import header, row
from benchmarks.peers import BY_NAME
from benchmarks.quantities import microseconds, per_second, times
from benchmarks.report import FIGURE_TITLES, disturbed
from benchmarks.results import FLOOR, WSECHO, Results
from benchmarks.targets import verdicts

ROWS = {
    "ping-20": "ping-pong, 20 B",
    "flight-16": "16 in flight, 20 B",
    "ping-1m": "1 MiB messages",
    "deflate-1k": "deflate, 1 KiB JSON",
    "wss-1k": "wss, 1 KiB",
    "handshakes": "handshake",
    "handshakes-wss": "wss handshake",
    "idle": "idle connection",
    "idle-wss": "idle wss connection",
    "growth": "100 x 16 MiB at once",
    "start": "start to first echo",
}


# With fewer rounds the summary has no percentiles: one pause of a virtual machine can fill the highest thousandth.
ROUNDS_OF_PERCENTILES = 3
WIDTH = 119


def summary(results: Results, name: str) -> str:
    """Return the table for the README, and text about it. `name` is the name of the full report, without suffix."""
    servers = [name for name in results.servers if not BY_NAME[name].like]
    lines = multiples(results)
    lines += header(["workload", *(results.servers[server]["title"] for server in servers)])
    for workload, title in ROWS.items():
        if results.workload(workload):
            lines.append(row([title, *(cell(results, workload, server) for server in servers)]))
    return "\n".join([*map(wrapped, lines), "", *map(wrapped, legend(results, name))])


def wrapped(line: str) -> str:
    """Wrap a line of prose; return a row of a table unchanged."""
    return line if line.startswith("|") else textwrap.fill(line, WIDTH, break_on_hyphens=False)


def multiples(results: Results) -> list[str]:
    """Explain the multiples.

    The example is the one that differs most from the quotient of the figures in the table, which a reader could
    otherwise take for an error.
    """
    examples = []
    for workload in ROWS:
        ratio = results.ratio(workload, WSECHO, FLOOR)
        if ratio and counts_cpu(results, workload):
            ours, floor = (results.median(workload, server) or 0.0 for server in (WSECHO, FLOOR))
            examples.append((abs(ours / floor / ratio - 1), workload, ours, floor, ratio))
    if not examples:
        return []
    _, workload, ours, floor, ratio = max(examples)
    basis = "Figures are medians over the rounds; multiples are medians of those within each round."
    if times(ours / floor) == times(ratio):
        return [basis, ""]
    figures = [figure_text(results, workload, value) for value in (ours, floor)]
    return [
        f"{basis} For {figures[0]} and {figures[1]} it is {times(ratio)}, not {times(ours / floor)}.",
        "",
    ]


def cell(results: Results, workload: str, server: str) -> str:
    """Return the text of a cell: a server's figure, or `failed`, or `-`.

    For CPU time, wsecho's figure is followed by its multiple of the floor's, and a peer's cell is its multiple of
    wsecho's. A peer's cell is bold if it is better than wsecho.
    """
    value = results.median(workload, server)
    if value is None:
        return failure_mark(results, workload, server)
    text, ratio = figure_text(results, workload, value), results.ratio(workload, server, WSECHO)
    if server == FLOOR or ratio is None:
        return text
    if server == WSECHO:
        to_floor = results.ratio(workload, WSECHO, FLOOR)
        return f"{text} ({times(to_floor)})" if to_floor and counts_cpu(results, workload) else text
    text = times(ratio) if counts_cpu(results, workload) else text
    return f"**{text}**" if round(ratio, 2) < 1 else text


def failure_mark(results: Results, workload: str, server: str) -> str:
    failed = any((one.workload, one.server) == (workload, server) for one in results.failures())
    return "failed" if failed else "-"


def counts_cpu(results: Results, workload: str) -> bool:
    return results.figure(workload) == "cpu_us"


def figure_text(results: Results, workload: str, value: float) -> str:
    found = results.workload(workload)
    assert found
    return FIGURE_TITLES[found.kind][1](value)


def legend(results: Results, name: str) -> list[str]:
    """Return the date, the machine and the versions, warnings, and the targets that wsecho missed."""
    machine = results.machine
    where = f"{machine['CPU']}, {machine['cores']} cores{', virtual' if machine['virtual'] == 'yes' else ''}"
    lines = [
        f"{results.date}, {where}, {machine['kernel']}, Python {machine['Python'].split()[-1]}; "
        f"[everything measured, with versions and spread](benchmarks/results/{name}.md).",
        *single_round(results),
        *filter(None, disturbed(results)),
        *(f"Not installed: {server} ({reason})." for server, reason in results.missing.items()),
        *latency_line(results),
    ]
    missed = [f"{verdict.target} ({verdict.measured})" for verdict in verdicts(results) if verdict.holds is False]
    return [*lines, f"Targets that wsecho missed: {'; '.join(missed) if missed else 'none'}."]


def single_round(results: Results) -> list[str]:
    """Return a warning if every workload had only one round."""
    repeated = any(len(series.samples) > 1 for series in results.series)
    return [] if repeated else ["There was only one round: a difference of a tenth means nothing."]


def latency_line(results: Results) -> list[str]:
    """Return a sentence about wsecho's latency in the open loop."""
    series = results.find("open-1k", WSECHO)
    if series is None or len(series.samples) < ROUNDS_OF_PERCENTILES:
        return []
    return [
        f"At half of its throughput, {per_second(series.median('rate'))} messages of 1 KiB a second, the median "
        f"latency is {microseconds(series.median('p50_us'))} and the 99.9th percentile "
        f"{microseconds(series.median('p99_9_us'))}."
    ]
