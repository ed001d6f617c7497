"""A real Prometheus that scrapes one server."""

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


class RunningPrometheus:
    """Scrapes and evaluates `rules` once in each `interval`. `wait_for_value` queries it with PromQL."""

    def __init__(
        self, program: str, folder: Path, target_port: int, *, interval: str = "1s", rules: Sequence[Path] = ()
    ) -> None:
        config = folder / "prometheus.yml"
        scrape = {"job_name": "wsecho", "static_configs": [{"targets": [f"127.0.0.1:{target_port}"]}]}
        settings = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(file) for file in rules],
            "scrape_configs": [scrape],
        }
        # JSON is valid YAML.
        config.write_text(json.dumps(settings))
        self._port = free_port()
        self._log = (folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
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

    def _samples(self, expression: str) -> list[Sample]:
        result = self._get("query", query=expression)["result"]
        samples = [(sample["metric"], float(sample["value"][1])) for sample in result]
        return [(labels, value) for labels, value in samples if not math.isnan(value)]

    def _judged_rules(self) -> list[dict[str, Any]]:
        rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for rule in rules) else rules

    def _get(self, what: str, **parameters: str) -> Any:
        address = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=5) as response:
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
