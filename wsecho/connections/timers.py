"""When to look at which connection again: one sweep serves all, no timer stands for a single one."""

from typing import Protocol


class Timed(Protocol):
    """What the schedule needs of a connection: a place to note for which sweep it waits."""

    sweep: int | None

    def check(self, now: float) -> None:
        """See what is due."""

    def abort(self) -> None:
        """Cut the connection."""


class Timers:
    """Connections by the sweep that they wait for. Times are monotonic; they and the sweeps' `interval` are seconds."""

    def __init__(self, now: float, interval: float) -> None:
        self._interval = interval
        self._waiting: dict[int, set[Timed]] = {}
        self._swept = int(now / interval)

    def put(self, connection: Timed, when: float) -> None:
        """Let `connection` be due at the first sweep after `when`. It waits for one time only."""
        self.discard(connection)
        connection.sweep = max(int(when / self._interval), self._swept) + 1
        self._waiting.setdefault(connection.sweep, set()).add(connection)

    def discard(self, connection: Timed) -> None:
        """Forget a connection."""
        if connection.sweep is not None:
            waiting = self._waiting[connection.sweep]
            waiting.discard(connection)
            if not waiting:
                del self._waiting[connection.sweep]
            connection.sweep = None

    def due(self, now: float) -> list[Timed]:
        """Return those whose time has come, and forget them."""
        last = int(now / self._interval)
        sweeps = range(self._swept + 1, last + 1)
        # All are found before any is forgotten: an error in between would lose them.
        found = [connection for sweep in sweeps for connection in self._waiting.get(sweep, ())]
        for sweep in sweeps:
            self._waiting.pop(sweep, None)
        self._swept = last
        for connection in found:
            connection.sweep = None
        return found
