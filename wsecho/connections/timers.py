"""Which connections each sweep has to check. One sweep serves all connections, so none needs a timer of its own."""

from typing import Protocol


class Timed(Protocol):
    """What the timers need of a connection. `sweep` is the number of the sweep that it waits for, None without one."""

    sweep: int | None

    def check(self, now: float) -> None:
        """Do what is due. `now` is monotonic time in seconds."""

    def abort(self) -> None:
        """Close the connection at once, without a Close frame."""


class Timers:
    """Connections by the sweep that they wait for. Times are monotonic; times and `interval` are in seconds."""

    def __init__(self, now: float, interval: float) -> None:
        self._interval = interval
        self._waiting: dict[int, set[Timed]] = {}
        self._swept = int(now / interval)

    def put(self, connection: Timed, when: float) -> None:
        """Make `connection` due at the first sweep after `when`. This replaces the time that was set before."""
        if connection.sweep is not None:
            self.discard(connection)
        connection.sweep = max(int(when / self._interval), self._swept) + 1
        self._waiting.setdefault(connection.sweep, set()).add(connection)

    def discard(self, connection: Timed) -> None:
        """Remove a connection, if it is here."""
        if connection.sweep is not None:
            waiting = self._waiting[connection.sweep]
            waiting.discard(connection)
            if not waiting:
                del self._waiting[connection.sweep]
            connection.sweep = None

    def due(self, now: float) -> list[Timed]:
        """Remove and return the connections that are due at `now`."""
        last = int(now / self._interval)
        sweeps = range(self._swept + 1, last + 1)
        # Collect all before any is removed: an error in between would lose them.
        found = [connection for sweep in sweeps for connection in self._waiting.get(sweep, ())]
        for sweep in sweeps:
            self._waiting.pop(sweep, None)
        self._swept = last
        for connection in found:
            connection.sweep = None
        return found
