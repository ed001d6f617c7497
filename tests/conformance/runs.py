"""Runs of `wsecho conformance` in a process of its own, and clients for them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.scenarios.scenes import head
from tests.shared.frames import CLOSE, client_frame
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, ROOT

COMMAND = (sys.executable, "-m", "wsecho", "conformance")
LOCAL = ("--host", "127.0.0.1", "--port", "0")
ECHOING_CLIENT = f"{sys.executable} {ROOT / 'tests/conformance/echoing_client.py'} {{url}}"
_READY = re.compile(r"wsecho conformance: (?P<cases>\d+) cases at (?P<url>wss?://[\w.]+:(?P<port>\d+))\n")


class Run:
    """A server that is ready."""

    def __init__(self, process: subprocess.Popen[str], line: str) -> None:
        match = _READY.fullmatch(line)
        assert match, line
        self.process = process
        self.cases = int(match["cases"])
        self.url = match["url"]
        self.port = int(match["port"])

    def wait(self) -> tuple[int, str]:
        """Wait for the end, and return the exit code and what was printed after the first line."""
        output, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM and wait for the end."""
        self.process.terminate()
        return self.wait()

    @contextmanager
    def raw(self, target: str) -> Iterator[RawConnection]:
        """Perform a handshake by hand, and leave the answer unread."""
        with RawConnection(self.port) as connection:
            connection.send(HANDSHAKE.replace(b"GET / ", f"GET {target} ".encode()))
            yield connection

    def text(self, target: str) -> str:
        """Return the only message of a WebSocket that the server then closes with 1000."""
        with self.raw(target) as connection:
            answer = head(connection)
            assert answer.startswith("HTTP/1.1 101 "), answer
            first, size = connection.receive(2)
            assert first == 0x81
            size = int.from_bytes(connection.receive(2), "big") if size == 126 else size
            payload = connection.receive(size)
            assert connection.receive(4) == b"\x88\x02\x03\xe8"
            connection.send(client_frame(CLOSE, b"\x03\xe8"))
            assert connection.receive_all() == b""
        return payload.decode()

    def verdict(self, target: str) -> str:
        """Return what /getCaseStatus says: the query is that of the case."""
        status = json.loads(self.text(f"/getCaseStatus?{target}"))
        assert status.keys() == {"behavior"}
        behavior: str = status["behavior"]
        return behavior


@contextmanager
def started(*options: str, **settings: Any) -> Iterator[Run]:
    """Start a run, wait until it is ready, and kill it at the end."""
    process = subprocess.Popen([*COMMAND, *LOCAL, *options], cwd=ROOT, text=True, stdout=subprocess.PIPE, **settings)
    with process:
        try:
            assert process.stdout is not None
            yield Run(process, process.stdout.readline())
        finally:
            process.kill()


def finished(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command until it ends by itself."""
    return subprocess.run([*COMMAND, *options], cwd=ROOT, text=True, capture_output=True, timeout=PATIENCE, check=False)


def index(folder: Path) -> dict[str, Any]:
    """Return Autobahn's index of a folder."""
    document: dict[str, Any] = json.loads((folder / "index.json").read_text())
    return document
