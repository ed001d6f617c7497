"""The servers that are measured: how each is started, found listening, and ended.

One `running()` block is one server: pinned to a core, its output in a log file (a pipe nobody reads would stop it),
ended by its own process id.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from programs import BUILD

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

START_SECONDS = 15.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.01

COMMANDS: dict[str, list[str]] = {
    "floor": [str(BUILD / "floor")],
    "wsecho": [sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", "0"],
    "websockets": [sys.executable, str(HERE / "peers" / "websockets_echo.py")],
    "picows": [sys.executable, str(HERE / "peers" / "picows_echo.py")],
}


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
def running(name: str, core: int | None = None) -> Iterator[RunningServer]:
    """Start the server called `name` on `core` (None: on any), and end it when the block is left."""
    BUILD.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            COMMANDS[name],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
    try:
        yield RunningServer(process.pid, wait_for_port(name, process, log))
    finally:
        stop(process)


def wait_for_port(name: str, process: subprocess.Popen[bytes], log: Path) -> int:
    """The port in the server's log, as soon as the server has written it there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        lines = log.read_text(errors="replace").splitlines()
        for line in lines:
            if (port := port_in(line)) is not None:
                return port
        if ended:
            reason = lines[-1] if lines else f"exit code {process.returncode}"
            raise BenchmarkError(f"{name} did not start: {reason}")
        time.sleep(POLL_SECONDS)
    raise BenchmarkError(f"{name} did not say its port within {START_SECONDS:.0f} s (see {log.relative_to(ROOT)})")


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
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def descendants(pid: int) -> list[int]:
    """All processes below `pid`."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *descendants(child)]
    return found
