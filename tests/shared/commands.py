"""Commands that start the server, and functions that run a command which ends by itself."""

import os
import subprocess
import sys
from pathlib import Path

from tests.shared.server import PATIENCE, ROOT


def run(
    *arguments: str, cwd: Path = ROOT, seconds: float = PATIENCE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments and wait for its end, at most so many seconds."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


WSECHO = [sys.executable, "-m", "wsecho"]
LOCAL = ["--host", "127.0.0.1", "--port", "0"]


def refusal(*options: str, command: list[str] | None = None) -> tuple[int, str]:
    """Start a server that must refuse to start. Return its exit code and its error line."""
    command = command or [sys.executable, "-m", "wsecho"]
    done = subprocess.run(
        [*command, "--host", "127.0.0.1", "--port", "0", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr
