"""A real Prometheus, scraping one server."""

import json
import subprocess
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.free_port import free_port
from tests.server import PATIENCE


class RunningPrometheus:
    """Scrapes once a second; `wait_for_value` asks it with PromQL."""

    def __init__(self, program: str, folder: Path, target_port: int) -> None:
        config = folder / "prometheus.yml"
        config.write_text(
            "scrape_configs:\n"
            "  - job_name: wsecho\n"
            "    scrape_interval: 1s\n"
            f"    static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]\n"
        )
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
        """Return the value of an expression once it has one."""
        for _ in range(int(PATIENCE / 0.1)):
            try:
                result = self._query(expression)
            except OSError:
                result = []  # it has not started yet
            if result:
                return float(result[0]["value"][1])
            threading.Event().wait(0.1)
        raise AssertionError(f"no value for {expression}")

    def _query(self, expression: str) -> list[dict[str, list[str]]]:
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/query?{query}", timeout=5) as response:
            result: list[dict[str, list[str]]] = json.load(response)["data"]["result"]
            return result
