"""Starts a server, waits until it listens, and stops it by its process id.

The server is pinned to its cores. Its output goes to a log file: it would block on a pipe that nobody reads.
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

# A limit for servers that do not start at all. Under Valgrind a start takes ten seconds.
START_SECONDS = 300.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.001


class BenchmarkError(Exception):
    """A measurement or an installation failed; the text is for the reader of the report."""


@dataclass(frozen=True)
class RunningServer:
    """A server that accepts connections on 127.0.0.1."""

    pid: int
    port: int

    def pids(self) -> list[int]:
        """Return the ids of the server's process and all its descendants, because all of them use its resources."""
        return [self.pid, *descendants(self.pid)]


@contextlib.contextmanager
def running(name: str, command: Sequence[str], cores: Sequence[int], announcements: int = 1) -> Iterator[RunningServer]:
    """Start `command` on `cores`, wait until `announcements` lines of its log have a port, and stop it after the block.

    Raises BenchmarkError if it does not start.
    """
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
    """Return the file with the output of this server's last start."""
    return BUILD / f"{name}.log"


def environment() -> dict[str, str]:
    """Return this process's environment without the variables that would configure a server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WSECHO_", "OTEL_"))}
    return {name: value for name, value in kept.items() if name not in ("HOST", "PORT")}


def wait_for_port(process: subprocess.Popen[bytes], log: Path, announcements: int) -> int:
    """Return the port in the server's log as soon as `announcements` lines contain one."""
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
    """Return the port in a line `port N` of the floor or a peer, or in wsecho's log line `listening`; None without."""
    if line.startswith("port "):
        return int(line.removeprefix("port "))
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict) and record.get("event") == "listening":
            return int(record["port"])
    return None


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the process, then kill what is left of its process group: not every server stops its workers."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Return the ids of all descendants of process `pid`."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the process has ended meanwhile
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found
