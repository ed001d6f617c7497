"""A real Prometheus, and the configuration with which it scrapes one server."""

import json
import math
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.shared.free_port import free_port
from tests.shared.server import PATIENCE

# Labels and value.
Sample = tuple[dict[str, str], float]


def scraping(folder: Path, target_port: int, *, interval: str = "1s", rules: Sequence[Path] = ()) -> Path:
    """Write a configuration that scrapes one server and evaluates `rules`, both once in each `interval`."""
    scrape = {"job_name": "wsecho", "static_configs": [{"targets": [f"127.0.0.1:{target_port}"]}]}
    settings = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [scrape],
    }
    config = folder / "prometheus.yml"
    # JSON is valid YAML.
    config.write_text(json.dumps(settings))
    return config


class RunningPrometheus:
    """Runs with a configuration file, in whose folder it keeps its data. `wait_for_value` queries it with PromQL."""

    def __init__(self, program: str, config: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = config.with_suffix(".log").open("w")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={config.with_name('data')}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()

    def wait_for_value(self, expression: str) -> float:
        """Return the first value of an expression once it has one."""
        return self.wait_for_samples(expression)[0][1]

    def wait_for_samples(self, expression: str) -> list[Sample]:
        """Return the samples of an expression once it has any. A value of NaN does not count."""
        return _until(lambda: self._samples(expression), f"no value for {expression}")

    def wait_for_rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health and its last error, once all of them have been evaluated."""
        return _until(self._judged_rules, "rules were not judged")

    def label_values(self, label: str, selector: str) -> list[str]:
        """Return the values of a label in the series that a selector selects."""
        return self._get(f"label/{label}/values", **{"match[]": selector})

    def _samples(self, expression: str) -> list[Sample]:
        result = self._get("query", query=expression)["result"]
        samples = [(sample["metric"], float(sample["value"][1])) for sample in result]
        return [(labels, value) for labels, value in samples if not math.isnan(value)]

    def _judged_rules(self) -> list[dict[str, Any]]:
        rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for rule in rules) else rules

    def _get(self, what: str, **parameters: str) -> Any:
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=PATIENCE) as response:
            return json.load(response)["data"]


def _until(ask: Callable[[], list[Any]], failure: str) -> list[Any]:
    """Return what `ask` returns once that is not empty."""
    for _ in range(int(PATIENCE / 0.1)):
        # Until Prometheus has started, it refuses connections or answers that it is not ready.
        with suppress(OSError):
            if answer := ask():
                return answer
        threading.Event().wait(0.1)
    raise AssertionError(failure)
