"""What a run found, as it is kept in a file; and the sums over its rounds."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.workloads import Workload

FLOOR, WSECHO = "floor", "wsecho"

# The figure that a kind of workload is about; less is better in all of them.
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
    """One server under one workload: a sample a round, or why there is none."""

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
        """The lowest and the highest."""
        values = [sample[key] for sample in self.samples]
        return min(values), max(values)


@dataclass
class Results:
    """A whole run. `servers` has each one's title and version, `missing` why one could not be installed."""

    date: str
    commit: str
    command: str
    machine: dict[str, str]
    servers: dict[str, dict[str, str]]
    missing: dict[str, str]
    workloads: list[Workload]
    series: list[Series]
    disturbance: dict[str, float] = field(default_factory=dict)  # shares of the machine that others had
    minutes: float = 0.0
    quick: bool = False

    def find(self, workload: str, server: str) -> Series | None:
        """The series, if it has samples."""
        for series in self.series:
            if (series.workload, series.server) == (workload, server):
                return series if series.samples else None
        return None

    def workload(self, name: str) -> Workload | None:
        return next((workload for workload in self.workloads if workload.name == name), None)

    def median(self, workload: str, server: str, key: str = "") -> float | None:
        """The median over the rounds; of the workload's own figure, if no other is asked for."""
        series = self.find(workload, server)
        return None if series is None else series.median(key or self.figure(workload))

    def ratio(self, workload: str, server: str, other: str) -> float | None:
        """The median, over the rounds, of how many times as much of the workload's figure a server has."""
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
        """As JSON, one series a line, so that two runs can be compared line by line."""
        document = asdict(self)
        series = ",\n".join(f"    {json.dumps(rounded(one))}" for one in document.pop("series"))
        head = json.dumps(document, indent=2).removesuffix("\n}")
        path.write_text(f'{head},\n  "series": [\n{series}\n  ]\n}}\n')


def read(path: Path) -> Results:
    """Read what `write` wrote."""
    document = json.loads(path.read_text())
    document["workloads"] = [Workload(**row | {"servers": tuple(row["servers"])}) for row in document["workloads"]]
    document["series"] = [Series(**row) for row in document["series"]]
    return Results(**document)


def rounded(value: Any) -> Any:
    """The same with as many digits as a measurement can mean."""
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value
