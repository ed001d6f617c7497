"""Runs the C client for a measurement: one process in one mode, which prints one line of JSON."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import on_cores
from benchmarks.servers import BenchmarkError, RunningServer
from benchmarks.workloads import Workload

SPARE_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Client:
    """The compiled client, the core that it runs on, and the seconds that it warms a server up before it measures."""

    program: Path
    core: int
    warm_up: float

    def run(self, mode: str, server: RunningServer, workload: Workload, *more: str) -> dict[str, Any]:
        """Run the client and return the figures that it prints.

        Raises BenchmarkError with the client's error message if an echo was wrong, late or missing.
        """
        command = [*self._command(mode, server, workload), *more]
        command += ["--seconds", str(workload.seconds), "--warm-up", str(self.warm_up)]
        command += [word for pid in server.pids() for word in ("--pid", str(pid))]
        with self._start(command) as process:
            try:
                output, error_output = process.communicate(timeout=workload.seconds + SPARE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise BenchmarkError(f"the client was not done {SPARE_SECONDS:.0f} s after the window") from None
        check(process.returncode, error_output)
        measured = json.loads(output)
        assert isinstance(measured, dict)
        return measured

    @contextlib.contextmanager
    def holding(self, server: RunningServer, workload: Workload, connections: int) -> Iterator[dict[str, Any]]:
        """Hold idle connections open during the block. The block gets what the client reports about them."""
        command = self._command("idle", server, workload, connections)
        if workload.used_once:
            command.append("--used-once")
        with self._start(command) as process:
            try:
                assert process.stdout
                line = process.stdout.readline()
                if line:
                    yield json.loads(line)
                _, error_output = process.communicate(timeout=STOP_SECONDS)
                check(process.returncode if line else 1, error_output)
            finally:
                process.kill()

    def _command(
        self, mode: str, server: RunningServer, workload: Workload, connections: int | None = None
    ) -> list[str]:
        options = {
            "--host": "127.0.0.1",
            "--port": server.port,
            "--connections": connections or workload.connections,
        }
        if mode != "handshakes":
            options |= {"--size": workload.size, "--payload": workload.payload}
        if mode in ("echo", "open"):
            options |= {"--in-flight": workload.in_flight}
        command = [str(self.program), mode, *(str(word) for option in options.items() for word in option)]
        return command + ["--tls"] * workload.tls + ["--deflate"] * workload.deflate

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        with on_cores({self.core}):
            return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def check(exit_code: int, error_output: str) -> None:
    """Raise BenchmarkError with the client's error message if its exit code is not 0."""
    if exit_code:
        raise BenchmarkError(error_output.strip().removeprefix("load: ") or f"the client ended with {exit_code}")
