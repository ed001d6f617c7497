"""The servers of a test session."""

from collections.abc import Sequence

from wsecho.testing.guard import Guard
from wsecho.testing.server import Server


class Servers:
    """Starts servers, and ends them all at the end of the session. Nothing runs before the first one is asked for."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._guard: Guard | None = None
        self._shared: dict[tuple[str, ...], Server] = {}

    def shared(self, options: tuple[str, ...]) -> Server:
        """Return the server with exactly these options. It is started at its first use."""
        if options not in self._shared:
            self._shared[options] = self.start(options)
        return self._shared[options]

    def start(self, options: Sequence[str]) -> Server:
        """Return a new server. Its owner closes it."""
        self._guard = self._guard or Guard()
        return Server(self._command, options, self._guard)

    def close(self) -> None:
        """End all shared servers."""
        for server in self._shared.values():
            server.close()
        if self._guard:
            self._guard.close()
