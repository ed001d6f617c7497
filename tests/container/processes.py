"""Runs what an image starts: its entrypoint, as its user, in its environment, as process 1 of its own namespaces."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.shared.server import PATIENCE

LAUNCHER = Path(__file__).with_name("as_process_1.sh")


class Process:
    """A process whose output goes to the file `log`; use it in a `with` block, which ends it in any case."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, *, env: Mapping[str, str], folder: Path | None = None
    ) -> None:
        self._log = log
        self.env = env
        with log.open("wb") as output:
            self._started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=folder
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._started.kill()
        self._started.wait()

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def output(self) -> str:
        return self._log.read_text()

    def events(self) -> list[dict[str, Any]]:
        """Return the log so far. A line that is no JSON object is an error: log collectors rely on it."""
        whole_lines, _, _ = self.output.rpartition("\n")
        try:
            return [dict(json.loads(line)) for line in whole_lines.splitlines()]
        except (TypeError, ValueError):
            raise AssertionError(f"not one JSON object a line:\n{self.output}") from None

    def wait_for_event(self, name: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the first log line whose event is `name`."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self._started.poll() is not None
            for event in self.events():
                if event.get("event") == name:
                    return event
            assert not ended, f"ended with {self._started.returncode} before {name!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"no {name!r} within {timeout} s:\n{self.output}"
            time.sleep(0.01)

    def terminate(self) -> None:
        """Send SIGTERM to this one process, and to nothing that it may have started."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float) -> int:
        """Return the exit code."""
        return self._started.wait(timeout)


class Container(Process):
    """A process from an image's files and configuration."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        log: Path,
        *,
        command: Sequence[str] | None = None,
        arguments: Sequence[str] = (),
        **env: str,
    ) -> None:
        """Start `command`, or else what the image says, with `arguments`; `env` adds to the image's environment."""
        if command is None:
            command = (*config["Entrypoint"], *(arguments or config["Cmd"]))
        self._user, self._group = config["User"].split(":")
        unshare = ("unshare", "--mount", "--pid", "--ipc", "--fork")
        super().__init__(
            [*unshare, "sh", LAUNCHER, folder, self._user, self._group, *command],
            log,
            env=dict(variable.split("=", 1) for variable in config["Env"]) | env,
        )

    def __exit__(self, *_: object) -> None:
        # With process 1 its whole namespace ends, and then `unshare`, which waits for it.
        if self._started.poll() is None and (children := self._children()):
            os.kill(int(children), signal.SIGKILL)
            self._started.wait()
        super().__exit__()

    @property
    def pid(self) -> int:
        """The number that the container's process 1 has outside."""
        return int(self._children())

    def runs(self, program: str) -> bool:
        """Tell whether process 1 is already a program whose name begins so."""
        try:
            return Path(f"/proc/{self.pid}/exe").resolve().name.startswith(program)
        except (FileNotFoundError, ValueError):
            return False  # there is no process 1 yet

    def _children(self) -> str:
        outer = self._started.pid
        return Path(f"/proc/{outer}/task/{outer}/children").read_text()

    def status(self) -> dict[str, list[str]]:
        """Return what the kernel says of process 1."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}

    def run_inside(self, command: Sequence[str]) -> int:
        """Run another command in the container, as `docker exec` does, and return its exit code."""
        nsenter = ("nsenter", f"--target={self.pid}", "--mount", "--pid", "--ipc", "--root", "--wd")
        user = (f"--setuid={self._user}", f"--setgid={self._group}")
        done = subprocess.run([*nsenter, *user, *command], stdin=subprocess.DEVNULL, capture_output=True, env=self.env)
        return done.returncode
