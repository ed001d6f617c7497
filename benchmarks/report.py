"""Writes all results of a run as Markdown: the machine, the servers, a table for each workload, the targets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.markdown import header, row
from benchmarks.quantities import kibibytes, mebibytes, microseconds, per_second, seconds, share, times
from benchmarks.results import FIGURES, FLOOR, WSECHO, Results, Series
from benchmarks.targets import verdicts
from benchmarks.workloads import Workload

UNQUIET_SPREAD = 1.25
UNQUIET_SHARE = 0.05


@dataclass(frozen=True)
class Column:
    """A column for an additional figure of a kind of workload."""

    title: str
    key: str
    text: Callable[[float], str]


FIGURE_TITLES: dict[str, tuple[str, Callable[[float], str]]] = {
    "echo": ("server CPU per message", microseconds),
    "handshakes": ("server CPU per handshake", microseconds),
    "idle": ("resident (RSS) per connection", kibibytes),
    "growth": ("growth at the peak", mebibytes),
    "start": ("to the first echo", seconds),
    "open": ("p99.9", microseconds),
    "turns": ("one message in 1000 waits, scraped", microseconds),
}
COLUMNS = {
    "echo": (
        Column("messages/s", "per_second", per_second),
        Column("server's core busy", "server_busy", share),
        Column("client's core busy", "client_busy", share),
    ),
    "handshakes": (
        Column("handshakes/s", "per_second", per_second),
        Column("server's core busy", "server_busy", share),
    ),
    "idle": (Column("PSS per connection", "pss_kib", kibibytes),),
    "growth": (),
    "start": (),
    "open": (
        Column("messages/s", "rate", per_second),
        Column("p50", "p50_us", microseconds),
        Column("p90", "p90_us", microseconds),
        Column("p99", "p99_us", microseconds),
        Column("highest", "max_us", microseconds),
        Column("latest send", "late_us", microseconds),
        Column("CPU per message", "cpu_us", microseconds),
    ),
    "turns": (
        Column("not scraped", "quiet_late_us", microseconds),
        Column("longest iteration, scraped", "longest_us", microseconds),
        Column("not scraped", "quiet_longest_us", microseconds),
        Column("CPU of a scrape", "cpu_us", microseconds),
    ),
}
# The servers whose figures the others are divided by: wsecho, and for CPU time also the floor, which is a lower bound.
OTHERS = {kind: (FLOOR, WSECHO) if key == "cpu_us" else (WSECHO,) for kind, key in FIGURES.items()} | {"turns": ()}

MULTIPLES = (
    "A multiple (x floor, x wsecho) is calculated within each round, and the table shows the median of these multiples,"
    " not the quotient of its medians: if the machine changes its speed, both servers of a round change."
)


def report(results: Results) -> str:
    """Return the whole report."""
    lines = [f"# Benchmark of {results.date}", ""]
    if results.quick:
        lines += [
            "This was a quick run: fewer servers, workloads and rounds, shorter windows. Its figures are only rough.",
            "",
        ]
    lines += [f"`{results.command}`, wsecho at commit {results.commit}", ""]
    lines += [f"- {name}: {fact}" for name, fact in results.machine.items()]
    lines += [f"- {name} during the run: {value:.1%}" for name, value in results.disturbance.items()]
    lines += [f"- time taken: {results.minutes:.0f} minutes", *disturbed(results)]
    lines += ["", "## Servers", ""]
    lines += [f"- {facts['title']}: {facts['version']}" for facts in results.servers.values()]
    lines += [f"- {name}: not installed: {reason}" for name, reason in results.missing.items()]
    lines += ["", MULTIPLES]
    for workload in results.workloads:
        lines += ["", f"## {workload.title}", "", conditions(workload), "", *workload_table(results, workload)]
    if results.guards:
        lines += ["", "## Guards", "", "Figures of wsecho that other programs on the machine do not change.", ""]
        lines += [f"- {name}: {figure}" for name, figure in results.guards.items()]
    if judged := verdicts(results):
        lines += ["", "## Targets", "", *(f"- {verdict}" for verdict in judged)]
    return "\n".join(lines) + "\n"


def conditions(workload: Workload) -> str:
    """Describe a workload in words."""
    facts = [f"{workload.connections:,} connections", f"{workload.rounds} round{'s' if workload.rounds > 1 else ''}"]
    if workload.kind in ("echo", "open", "growth"):
        facts += [f"{workload.size:,} bytes of {workload.payload}", f"{workload.in_flight} in flight"]
    if workload.kind == "turns":
        return f"{facts[1]}, wsecho alone, no messages; see README.md; `--only {workload.name}`."
    if workload.kind not in ("idle", "start"):
        facts += [f"windows of {workload.seconds:g} s"]
    if workload.kind == "start":
        facts = facts[1:]
    return f"{', '.join(facts)}; `--only {workload.name}`."


def workload_table(results: Results, workload: Workload) -> list[str]:
    """Return the table of a workload, one row per server, and a warning if its figures are unreliable."""
    title, text = FIGURE_TITLES[workload.kind]
    columns = COLUMNS[workload.kind]
    others = OTHERS[workload.kind]
    if workload.deflate and workload.kind == "echo":
        columns = (*columns, Column("bytes back per message", "wire_bytes", per_second))
    titles = ["server", title, "lowest - highest", *(f"x {other}" for other in others)]
    titles += [column.title for column in columns]
    negotiates = workload.deflate
    lines = header(titles + ["negotiated"] * negotiates)
    series = [one for one in results.series if one.workload == workload.name]
    for one in series:
        name = results.servers[one.server]["title"]
        if not one.samples:
            lines.append(row([name, one.trouble, *[""] * (len(titles) - 2 + negotiates)]))
            continue
        figure = FIGURES[workload.kind]
        low, high = one.range(figure)
        cells = [name, text(one.median(figure)), f"{text(low)} - {text(high)}"]
        cells += [ratio_cell(results, one, other) for other in others]
        cells += [column.text(one.median(column.key)) for column in columns]
        cells += [agreed(one.samples[-1])] if negotiates else []
        lines.append(row(cells))
    return lines + unquiet(series, workload)


def ratio_cell(results: Results, series: Series, other: str) -> str:
    ratio = results.ratio(series.workload, series.server, other)
    return "" if ratio is None else times(ratio)


def agreed(sample: dict[str, Any]) -> str:
    """Return the server's response to the offer of permessage-deflate, and whether it did compress its echoes."""
    answers = [sample["extensions"] or "nothing"]
    if sample["extensions"] and sample["declined"]:
        answers.append(f"declined on {sample['declined']:,} connections")
    if not sample.get("echoes_compressed", True):
        answers.append("echoes are not compressed")
    return "; ".join(answers)


def disturbed(results: Results) -> list[str]:
    """Return a warning if other processes or virtual machines used more than 5% of the machine."""
    share_of_others = sum(results.disturbance.values())
    if share_of_others <= UNQUIET_SHARE:
        return []
    return [
        "",
        f"The machine was not quiet: others used {share_of_others:.0%} of it. Figures and ratios are unreliable.",
    ]


def unquiet(series: list[Series], workload: Workload) -> list[str]:
    """Return a warning if the floor's cost varied by more than a quarter, although its work is always the same."""
    floor = next((one for one in series if one.server == FLOOR and one.samples), None)
    if floor is None or workload.kind not in ("echo", "handshakes"):
        return []
    low, high = floor.range(FIGURES[workload.kind])
    if high <= UNQUIET_SPREAD * low:
        return []
    return ["", f"The floor itself varied by {high / low - 1:.0%}: the machine was not quiet."]
