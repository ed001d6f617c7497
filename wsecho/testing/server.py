"""A server in a process of its own, on 127.0.0.1 and a port that the system chose."""

import os
import shlex
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsecho.testing.guard import Guard
from wsecho.testing.log import Log
from wsecho.testing.peer import PATIENCE_SECONDS, Peer, page_at, samples

# How long a server that is no longer needed may take to end.
_LEAVING_SECONDS = 1.0
# Variables that configure a server. They would make the outcome of a test depend on where it runs.
_CONFIGURING = ("WSECHO_", "OTEL_")
_SELF_SIGNED = "--tls-self-signed"


class Server(Peer):
    """A running server. It starts on construction, and each start waits until the server accepts connections."""

    def __init__(self, command: Sequence[str], options: Sequence[str], guard: Guard) -> None:
        """Start `command` with `options` in addition to an address.

        Raises RuntimeError with the server's error line if it does not start.
        """
        self._command = (*command, "--host=127.0.0.1", "--port=0", *options, "--log-format=json")
        self._guard = guard
        self._is_watched = False
        self._is_self_signed = _SELF_SIGNED in options
        self._earlier: list[dict[str, Any]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="wsecho-", ignore_cleanup_errors=True)
        try:
            self._start()
        except BaseException:
            self._folder.cleanup()
            raise

    @property
    def http_url(self) -> str:
        """The URL for HTTP, without a slash at its end. It stays the same after `restart`."""
        url: str = self._listening["url"]
        return url

    @property
    def ca_file(self) -> Path | None:
        """The server's certificate in PEM if the server has made it itself. It makes another one at each start."""
        return self._path("certificate.pem") if self._is_self_signed else None

    @property
    def pid(self) -> int:
        """The process that was started: the server, its supervisor, or the command that starts it."""
        return self._process.pid

    def metrics(self) -> dict[str, float]:
        """Return every sample of `/metrics`, which is at the admin port if the server has one."""
        if admin_port := self._listening.get("admin_port"):
            return samples(page_at(f"http://127.0.0.1:{admin_port}/metrics"))
        return super().metrics()

    def logs(self) -> list[dict[str, Any]]:
        """Return the log lines so far, of all starts."""
        return self._earlier + self._log.lines()

    def errors(self) -> str:
        """Return what the server has written to standard error since its last start."""
        return self._path("stderr").read_text(errors="replace")

    def stop(self) -> int:
        """Stop the server as a platform does, with SIGTERM, wait for its end, and return its exit code."""
        self._ask_to_stop()
        return self._wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End the server at once, without a word to its clients: the kernel closes their connections."""
        self._signal(signal.SIGKILL)
        self._wait(PATIENCE_SECONDS)

    def restart(self) -> None:
        """Stop the server if it runs, and start it again on the same port."""
        port = self.port
        self.stop()
        self._earlier += self._log.lines()
        self._start(f"--port={port}")

    def suspend(self) -> None:
        """Suspend the server: its connections stay open, and it does nothing until `resume`."""
        if self._signal(signal.SIGSTOP) and hasattr(os, "waitid"):
            # A signal may take a moment. WNOWAIT leaves the state of the process for `poll` to see.
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a suspended server go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End the server, whatever it does, and remove its files."""
        self._ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._wait(_LEAVING_SECONDS)
        self.kill()
        self._folder.cleanup()

    def _start(self, *more: str) -> None:
        with self._path("stderr").open("wb") as errors:
            try:
                self._process = subprocess.Popen(
                    [*self._command, *more],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    encoding="utf-8",
                    errors="replace",
                    # A process group of its own: signals reach the server also if a tool runner has started it, and
                    # Ctrl+C does not, which ends the tests.
                    start_new_session=True,
                )
            except OSError as error:
                raise RuntimeError(f"wsecho did not start: {error}") from None
        self._guard.watch(self.pid)
        self._is_watched = True
        assert self._process.stdout is not None
        self._log = Log(self._process.stdout)
        listening = self._log.wait_for("listening", PATIENCE_SECONDS)
        if listening is None:
            self.kill()
            raise RuntimeError(f"wsecho did not start: {self._reason()} ({shlex.join(self._command)})")
        self._listening = listening
        if self._is_self_signed:
            parts = urlsplit(self.http_url)
            address = (parts.hostname or "", self.port)
            self._path("certificate.pem").write_text(ssl.get_server_certificate(address, timeout=PATIENCE_SECONDS))

    def _reason(self) -> str:
        """Return in one line why there was no log line that the server listens."""
        printed = self.errors().split("\n") + [line["event"] for line in self._log.lines()]
        return next(
            filter(None, reversed(printed)),
            f"in {PATIENCE_SECONDS:.0f} s it has not logged 'listening', which --log-level may hide",
        )

    def _path(self, name: str) -> Path:
        return Path(self._folder.name, name)

    def _signal(self, number: int) -> bool:
        """Send a signal to all processes of the server. Return whether it runs."""
        if self._process.poll() is not None:
            return False
        # The group has the number of its first process. Nobody else waits for that, so the number is not used again.
        os.killpg(self.pid, number)
        return True

    def _ask_to_stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self.resume()

    def _wait(self, seconds: float) -> int:
        exit_code = self._process.wait(seconds)
        for number in (signal.SIGTERM, signal.SIGKILL):
            # A tool runner that does not pass signals on leaves the server behind, which still writes to the log.
            if self._log.ends_within(_LEAVING_SECONDS):
                break
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
        if self._is_watched:
            self._is_watched = False
            self._guard.forget(self.pid)
        return exit_code


def _environment() -> dict[str, str]:
    configuring = ("HOST", "PORT")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in configuring and not name.startswith(_CONFIGURING)
    }
