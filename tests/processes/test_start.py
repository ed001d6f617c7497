"""What containers, shells and service managers give a process at its start: closed streams, signals, blocked signals.

Modules: `start`, `health_probe`.
"""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.shared.clients import echoes
from tests.shared.free_port import free_port
from tests.shared.processes import children, wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer, started

LAUNCHER = [sys.executable, "wsecho.py"]
PACKAGE = [sys.executable, "-m", "wsecho"]
# The console script as an installer writes it.
SCRIPT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["wsecho"]
CONSOLE = [
    sys.executable,
    "-c",
    "import sys; from {} import {}; sys.exit({}())".format(*SCRIPT.split(":"), SCRIPT[-4:]),
]
COMMANDS = [LAUNCHER, PACKAGE, CONSOLE]
STREAMS = [closed for count in (1, 2, 3) for closed in combinations((0, 1, 2), count)]


def without(*descriptors: int) -> Callable[[], None]:
    """Return a function that closes these standard streams in a process before it starts."""

    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


@contextmanager
def serving(command: list[str], *options: str, closed: tuple[int, ...] = ()) -> Iterator[tuple[Any, int]]:
    """Start a server that may be unable to log where it listens. Yield it and its port once it accepts connections."""
    port = free_port()
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=without(*closed),
    )
    with process:
        try:
            wait_until(lambda: process.poll() is not None or answers(port))
            yield process, port
        finally:
            process.kill()


def answers(port: int) -> bool:
    try:
        RawConnection(port).socket.close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("closed", STREAMS, ids=str)
@pytest.mark.parametrize("workers", [1, 2])
def test_closed_standard_streams_are_the_null_device(closed: tuple[int, ...], workers: int) -> None:
    with serving(PACKAGE, "--workers", str(workers), closed=closed) as (process, port):
        for _ in range(10):
            echoes(port)
        everyone = [process.pid, *children(process.pid)]
        assert len(everyone) == (1 if workers == 1 else 3)
        for pid in everyone:
            assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in closed} == {os.devnull}
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    # Without a standard output, the log goes to standard error. Nothing else is written there.
    lines = [json.loads(line) for line in (out if 1 not in closed else errors).splitlines()]
    assert not {"ERROR", "CRITICAL"} & {line["severity"] for line in lines}
    assert {1, 2} <= {*closed} or sum(line["event"] == "stopped" for line in lines) == workers
    assert 1 in closed or errors == b""


@pytest.mark.parametrize("command", COMMANDS, ids=["launcher", "package", "console"])
def test_however_it_is_started_without_streams_it_serves_and_stops(command: list[str]) -> None:
    with serving(command, "--workers", "2", closed=(0, 1, 2)) as (process, port):
        echoes(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("closed", STREAMS, ids=str)
def test_the_health_probe_needs_no_streams(server: RunningServer, closed: tuple[int, ...]) -> None:
    probe = [sys.executable, "-m", "wsecho.processes.health_probe"]
    for port, expected in ((server.port, 0), (free_port(), 1)):
        environment = os.environ | {"WSECHO_PORT": str(port)}
        done = subprocess.run(
            probe, cwd=ROOT, env=environment, preexec_fn=without(*closed), capture_output=True, timeout=PATIENCE
        )
        assert done.returncode == expected
        assert b"Traceback" not in done.stderr


def as_process_1() -> list[str]:
    """Return the command that starts another command as process 1 of a new namespace, or skip the test."""
    prefix = ["unshare", "--pid", "--fork", "--kill-child"]
    try:
        possible = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("needs the right to make a namespace of processes, and unshare of util-linux")
    return prefix


def assert_silent_or_stopped(out: str) -> None:
    """A server that was stopped during its start has logged nothing. If the signal came too late, the server had
    started and then stopped in order.
    """
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert not events or events[-1] == "stopped"


@pytest.mark.parametrize("command", COMMANDS, ids=["launcher", "package", "console"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("imports", [4, 20, 100, 200])
def test_a_stop_in_the_middle_of_the_start_is_heard_by_process_1(
    command: list[str], number: signal.Signals, imports: int
) -> None:
    """The signal comes after this many imports that follow the installation of the signal handler."""
    python, *rest = command
    line = [*as_process_1(), python, "-X", "importtime", *rest, "--host", "127.0.0.1", "--port", "0"]
    with started(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        told = itertools.dropwhile(lambda line: not re.search(r"\bwsecho\.processes\.start$", line), process.stderr)
        assert sum(1 for _ in itertools.islice(told, 1 + imports)) == 1 + imports
        (server,) = children(process.pid)
        os.kill(server, number)
        out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert_silent_or_stopped(out)
    assert "Traceback" not in errors


def test_a_stop_that_was_held_back_until_it_could_be_heard_is_heard() -> None:
    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.kill(os.getpid(), signal.SIGTERM)

    with started([*PACKAGE, "--port", "0"], preexec_fn=block, stdout=subprocess.PIPE) as process:
        assert process.communicate(timeout=PATIENCE) == ("", None)
        assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_with_signals_held_back_none_is_lost_from_exec_on(number: signal.Signals) -> None:
    """As in the container image: Python has just started and cannot handle signals yet."""
    line = [*as_process_1(), "env", "--block-signal=TERM,INT", *PACKAGE, "--host", "127.0.0.1", "--port", "0"]
    with started(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:

        def python_runs() -> bool:
            return any(Path(f"/proc/{pid}/exe").readlink().name.startswith("python") for pid in children(process.pid))

        wait_until(python_runs)
        os.kill(*children(process.pid), number)
        out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert_silent_or_stopped(out)
