"""The results of a run: how they are stored in a file, and medians and ratios over the rounds."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.workloads import Workload

FLOOR, WSECHO = "floor", "wsecho"

# The main figure of each kind of workload. For all of them, lower is better.
FIGURES = {
    "echo": "cpu_us",
    "handshakes": "cpu_us",
    "idle": "rss_kib",
    "growth": "mib",
    "start": "seconds",
    "open": "p99_9_us",
    "turns": "late_us",
}
SIGNIFICANT_DIGITS = 5


@dataclass
class Series:
    """The samples of one server under one workload, one per round, or the reason why there are none."""

    workload: str
    server: str
    samples: list[dict[str, Any]] = field(default_factory=list)
    unsupported: str = ""
    failed: str = ""

    @property
    def trouble(self) -> str:
        return f"failed: {self.failed}" if self.failed else f"not measured: {self.unsupported}"

    def median(self, key: str) -> float:
        return float(median(sample[key] for sample in self.samples))

    def range(self, key: str) -> tuple[float, float]:
        """Return the lowest and the highest value."""
        values = [sample[key] for sample in self.samples]
        return min(values), max(values)


@dataclass
class Results:
    """The results of a run.

    `servers` has the title and the version of each server, `missing` the reason why a server could not be installed.
    `guards` has the figures of wsecho that no noise changes, each as text, or the reason why it could not be measured.
    """

    date: str
    commit: str
    command: str
    machine: dict[str, str]
    servers: dict[str, dict[str, str]]
    missing: dict[str, str]
    workloads: list[Workload]
    series: list[Series]
    disturbance: dict[str, float] = field(default_factory=dict)  # shares of the machine that others used
    guards: dict[str, str] = field(default_factory=dict)
    minutes: float = 0.0
    quick: bool = False

    def find(self, workload: str, server: str) -> Series | None:
        """Return the series if it has samples, otherwise None."""
        for series in self.series:
            if (series.workload, series.server) == (workload, server):
                return series if series.samples else None
        return None

    def workload(self, name: str) -> Workload | None:
        return next((workload for workload in self.workloads if workload.name == name), None)

    def median(self, workload: str, server: str, key: str = "") -> float | None:
        """Return the median over the rounds of the figure `key`, by default the workload's main figure."""
        series = self.find(workload, server)
        return None if series is None else series.median(key or self.figure(workload))

    def ratio(self, workload: str, server: str, other: str) -> float | None:
        """Return the median, over the rounds, of the main figure of `server` divided by that of `other`."""
        mine, its, figure = self.find(workload, server), self.find(workload, other), self.figure(workload)
        if mine is None or its is None:
            return None
        pairs = zip(mine.samples, its.samples, strict=True)
        return median(a[figure] / b[figure] if b[figure] else float("inf") for a, b in pairs)

    def figure(self, workload: str) -> str:
        found = self.workload(workload)
        return FIGURES[found.kind] if found else ""

    def failures(self) -> list[Series]:
        return [series for series in self.series if series.failed]

    def write(self, path: Path) -> None:
        """Write the results as JSON, with one series per line, so that two runs can be compared line by line."""
        document = asdict(self)
        series = ",\n".join(f"    {json.dumps(rounded(one))}" for one in document.pop("series"))
        head = json.dumps(document, indent=2).removesuffix("\n}")
        path.write_text(f'{head},\n  "series": [\n{series}\n  ]\n}}\n')


def read(path: Path) -> Results:
    """Read results that `write` wrote."""
    document = json.loads(path.read_text())
    document["workloads"] = [Workload(**row | {"servers": tuple(row["servers"])}) for row in document["workloads"]]
    document["series"] = [Series(**row) for row in document["series"]]
    return Results(**document)


def rounded(value: Any) -> Any:
    """Round all numbers in `value` to five significant digits; a measurement is not more exact."""
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value
