"""A server while it runs: how it is started, found listening, and ended by its own process id.

It is pinned to its cores, and its output goes into a log file: a pipe that nobody reads would stop it.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import on_cores
from benchmarks.programs import BUILD

ROOT = Path(__file__).resolve().parent.parent

START_SECONDS = 20.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.001


class BenchmarkError(Exception):
    """What had to work did not; the text is for the reader of the report."""


@dataclass(frozen=True)
class RunningServer:
    """A server that accepts connections on 127.0.0.1."""

    pid: int
    port: int

    def pids(self) -> list[int]:
        """The server's process and every process below it: what it spends is spent by all of them."""
        return [self.pid, *descendants(self.pid)]


@contextlib.contextmanager
def running(name: str, command: Sequence[str], cores: Sequence[int], announcements: int = 1) -> Iterator[RunningServer]:
    """Start `command` on `cores`, wait until so many of its processes say that they listen, and end it at the end."""
    BUILD.mkdir(parents=True, exist_ok=True)
    log = log_of(name)
    with log.open("wb") as output, on_cores(cores):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield RunningServer(process.pid, wait_for_port(process, log, announcements))
    finally:
        stop(process)


def log_of(name: str) -> Path:
    """Where the output of the server of this name is, of its last start."""
    return BUILD / f"{name}.log"


def environment() -> dict[str, str]:
    """Ours, without what would configure a server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WSECHO_", "OTEL_"))}
    return {name: value for name, value in kept.items() if name not in ("HOST", "PORT")}


def wait_for_port(process: subprocess.Popen[bytes], log: Path, announcements: int) -> int:
    """The port in the server's log, as soon as it stands there often enough."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        lines = log.read_text(errors="replace").splitlines()
        ports = [port for line in lines if (port := port_in(line)) is not None]
        if len(ports) >= announcements:
            return ports[0]
        if ended:
            raise BenchmarkError(f"did not start: {lines[-1] if lines else f'exit code {process.returncode}'}")
        time.sleep(POLL_SECONDS)
    raise BenchmarkError(f"did not say its port within {START_SECONDS:.0f} s (see {log.relative_to(ROOT)})")


def port_in(line: str) -> int | None:
    """`port N`, as the floor and the peers say it, or wsecho's log line of the event `listening`."""
    if line.startswith("port "):
        return int(line.removeprefix("port "))
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict) and record.get("event") == "listening":
            return int(record["port"])
    return None


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, and what is left of its group then: not every server ends its workers."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found
