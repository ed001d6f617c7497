"""The log lines of a server process."""

import json
import threading
from time import monotonic
from typing import IO, Any


class Log:
    """Collects the log lines that a process writes. A thread reads them, so that the process never waits for a test."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: list[dict[str, Any]] = []
        self._has_ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True, name="wsecho log")
        self._thread.start()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines so far."""
        with self._changed:
            return list(self._lines)

    def wait_for(self, event: str, seconds: float) -> dict[str, Any] | None:
        """Return the first line with this event, or None if the log ends without it or the time is over."""
        deadline = monotonic() + seconds
        checked = 0
        with self._changed:
            while True:
                for line in self._lines[checked:]:
                    if line.get("event") == event:
                        return line
                checked = len(self._lines)
                if self._has_ended or not self._changed.wait(deadline - monotonic()):
                    return None

    def ends_within(self, seconds: float) -> bool:
        """Return whether every process that writes to the stream has closed it, or does so in this time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for text in stream:
                self._add(text)
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def _add(self, text: str) -> None:
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        with self._changed:
            # A command that starts the server, such as a tool runner, may print lines of its own.
            self._lines.append(line if isinstance(line, dict) else {"event": text.rstrip()})
            self._changed.notify_all()
