"""A real server in a process of its own, on 127.0.0.1 and a port that the system chose."""

import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
# Time limit for everything that should take a moment, on a machine that is busy with ten other things. Reaching it is a
# failure, never a way to wait.
PATIENCE = 60.0
# Servers get equally long limits, unless a test sets them, and no pings, so that a slow machine changes nothing.
UNHURRIED = {"WSECHO_PING_INTERVAL": "0", "WSECHO_HANDSHAKE_TIMEOUT": "1m", "WSECHO_STALL_TIMEOUT": "1m"}
# For requests without TLS: without a context a handler loads all authorities of the system, since Python 3.12.
_NO_AUTHORITIES = ssl._create_unverified_context()


class RunningServer:
    """Starts on construction. `stop` ends it as a platform would and returns its exit code."""

    def __init__(
        self,
        *options: str,
        command: Sequence[str] = (sys.executable, "-m", "wsecho"),
        environment: dict[str, str] | None = None,
        cwd: Path = ROOT,
        preexec_fn: Callable[[], None] | None = None,
        pass_fds: Sequence[int] = (),
        default_address: bool = True,
    ) -> None:
        address = ("--host", "127.0.0.1", "--port", "0") if default_address else ()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the server
        self.process = subprocess.Popen(
            [*command, *address, *options],
            cwd=cwd,
            env=_environment() | UNHURRIED | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            preexec_fn=preexec_fn,
            pass_fds=pass_fds,
            text=True,
        )
        self.logs: list[dict[str, Any]] = []
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=self._read_logs, daemon=True).start()
        try:
            self.listening = self.wait_for_log("listening")
        except AssertionError:
            self.close()
            raise
        self.port: int = self.listening["port"]
        self.is_encrypted = self.listening["url"].startswith("https:")
        self.http_url = f"{'https' if self.is_encrypted else 'http'}://127.0.0.1:{self.port}"
        self.ws_url = f"{'wss' if self.is_encrypted else 'ws'}://127.0.0.1:{self.port}"
        # The TLS context of `get`. By default it does not verify the server.
        self.client_tls = ssl._create_unverified_context() if self.is_encrypted else None

    @property
    def pid(self) -> int:
        return self.process.pid

    def _read_logs(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self._lines.put(line)
        self._lines.put(None)

    def wait_for_log(self, event: str) -> dict[str, Any]:
        """Return the next log line with this event."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except Empty:
                raise AssertionError(f"no log line {event!r} in time; before it: {self.logs}") from None
            if line is None:
                self.process.wait(PATIENCE)
                raise AssertionError(f"the server ended before {event!r}: {self.logs} {self.errors()}")
            self.logs.append(json.loads(line))
            if self.logs[-1]["event"] == event:
                return self.logs[-1]

    def errors(self) -> str:
        """Return what was written to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (names in lower case) and body of a GET request."""
        request = urllib.request.Request(self.http_url + path, headers=headers)
        tls = urllib.request.HTTPSHandler(context=self.client_tls or _NO_AUTHORITIES)
        opener = urllib.request.build_opener(_AnyStatus, tls)
        with opener.open(request, timeout=PATIENCE) as response:
            return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()

    def metrics(self) -> dict[str, float]:
        """Return every sample of /metrics by its name and labels, as in `name{label="value"}`."""
        return self._metrics()

    def metrics_with(self, token: str) -> dict[str, float]:
        """Return the metrics of a server that requires this bearer token for them."""
        return self._metrics(Authorization=f"Bearer {token}")

    def _metrics(self, **headers: str) -> dict[str, float]:
        samples = {}
        for family in text_string_to_metric_families(self.get("/metrics", **headers)[2].decode()):
            for sample in family.samples:
                labels = ",".join(f'{label}="{value}"' for label, value in sample.labels.items())
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return samples

    def wait_for_metrics(self, **expected: float) -> dict[str, float]:
        """Return the metrics once they have the `expected` values. The end of a connection takes an iteration of the
        event loop.
        """
        seen: dict[str, float] = {}
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            seen = self.metrics()
            if all(seen[name] == value for name, value in expected.items()):
                return seen
            threading.Event().wait(0.01)
        raise AssertionError(f"expected {expected}, but saw { ({name: seen[name] for name in expected}) }")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, wait for the end, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()

    def complaints(self) -> list[Any]:
        """Return everything that a run without errors does not print: standard error, log lines of level error and
        above.
        """
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.logs.append(json.loads(line))
        self._lines.put(None)
        bad = [line for line in self.logs if line["severity"] in ("ERROR", "CRITICAL")]
        return bad + ([self.errors()] if self.errors() else [])

    def close(self) -> None:
        """Kill the process and close files."""
        self.process.kill()
        self.process.wait()
        self._errors.close()


@contextmanager
def started(command: Sequence[str], **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a command in the project's folder. Kill it at the end."""
    process = subprocess.Popen(command, cwd=ROOT, text=True, **settings)
    with process:
        try:
            yield process
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    """Return the environment without the variables that would configure a server."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("HOST", "PORT") and not (name.startswith("WSECHO_") and not name.startswith("WSECHO_TEST_"))
    }


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Makes 404 and similar statuses answers instead of exceptions."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response

    https_response = http_response
