"""Reloads by SIGHUP, and the log lines that they cause."""

import signal
from typing import Any

from tests.shared.server import RunningServer


def reload(server: RunningServer, event: str = "reloaded") -> dict[str, Any]:
    server.process.send_signal(signal.SIGHUP)
    return server.wait_for_log(event)


def forgive(server: RunningServer, event: str) -> None:
    """Remove from the log the complaints that a test caused. All complaints must be of this event."""
    assert all(isinstance(line, dict) and line["event"] == event for line in server.complaints())
    server.logs = [line for line in server.logs if line["event"] != event]
