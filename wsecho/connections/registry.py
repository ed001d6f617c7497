"""All open connections of a worker, the deadlines by which their peers must act, and the closing of all connections
during graceful shutdown.
"""

import asyncio
import contextlib
from typing import Protocol

from wsecho.connections.internal_errors import run_guarded

# Connections that are drained in one iteration of the event loop. A batch delays all others for some milliseconds.
_DRAIN_BATCH = 100
_PAUSE_BETWEEN_BATCHES = 0.01
_MAX_SECONDS_OF_BATCHES = 2.0
# Iterations of the event loop in which aborted connections may report their end. One or two are enough.
_ITERATIONS_TO_END = 100
# Bytes a second, averaged over its time limit, that a peer must take to count as reading. Kestrel demands as much.
MIN_RATE = 240


class Connection(Protocol):
    """What the registry needs of a connection, during HTTP and as a WebSocket."""

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""

    def taken(self) -> int:
        """Return the bytes that the peer has taken so far; only differences count."""

    def expire(self) -> None:
        """End the connection: the peer missed its deadline."""

    def drain(self) -> None:
        """Begin to close the connection: a WebSocket sends a Close frame (1001), because the server stops."""

    def abort(self) -> None:
        """Close the connection at once, without a Close frame."""


class _Watch:
    __slots__ = ("deadline", "is_behind", "is_fixed", "limit", "taken")

    def __init__(self, limit: float, deadline: float, taken: int, is_behind: bool, is_fixed: bool) -> None:
        self.limit = limit
        self.deadline = deadline
        self.taken = taken
        # Whether bytes wait for the peer. When the peer has taken all of them, its time limit starts anew.
        self.is_behind = is_behind
        self.is_fixed = is_fixed


class Connections:
    """The registry. Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        # Open connections, from `add` to `remove`.
        self.open: set[Connection] = set()
        self._watched: dict[Connection, _Watch] = {}
        # During a graceful shutdown, `_drained` is set while no connection is open. Both are set by `end_drain`.
        self._is_draining = False
        self._drained = asyncio.Event()
        self._drain_ended = asyncio.Event()

    def __len__(self) -> int:
        return len(self.open)

    def add(self, connection: Connection) -> None:
        """Keep an open connection until `remove`."""
        self.open.add(connection)
        if self._is_draining:
            self._note_drained()

    def remove(self, connection: Connection) -> None:
        """Remove a connection that has ended, or that has handed its transport to another one."""
        self.open.discard(connection)
        self._watched.pop(connection, None)
        if self._is_draining:
            self._note_drained()

    def watch(self, connection: Connection, limit: float, now: float, *, is_fixed: bool = False) -> None:
        """Let `connection` expire `limit` seconds from now, or from the last time its peer made progress.

        Progress means that the peer took `MIN_RATE` bytes for each second of the limit, or all bytes that waited.
        Nothing moves a deadline that `is_fixed`.
        """
        self._watched[connection] = _Watch(limit, now + limit, connection.taken(), connection.unsent() > 0, is_fixed)

    def is_watched(self, connection: Connection) -> bool:
        """Return whether the connection has a deadline."""
        return connection in self._watched

    def unwatch(self, connection: Connection) -> None:
        """Remove the connection's deadline: the peer did what it was for."""
        self._watched.pop(connection, None)

    def expired(self, now: float) -> list[Connection]:
        """Return the connections whose deadline has passed, and remove their deadlines."""
        over = []
        for connection, watch in self._watched.items():
            try:
                if not watch.is_fixed and _note_progress(connection, watch):
                    watch.deadline = now + watch.limit
                elif now >= watch.deadline:
                    over.append(connection)
            except Exception:
                # The state of this connection cannot be read. It ends, and the others are still checked.
                over.append(connection)
        for connection in over:
            del self._watched[connection]
        return over

    def end_drain(self) -> None:
        """End the graceful shutdown now: every wait of it returns at once."""
        self._drain_ended.set()
        self._note_drained()

    async def delay_drain(self, seconds: float) -> None:
        """Wait for `seconds`, or until `end_drain` is called."""
        await _wait(self._drain_ended, seconds)

    async def drain(self, seconds: float) -> int:
        """Send a Close frame (1001) to every WebSocket client, close idle HTTP connections, refuse incomplete requests.

        Wait at most `seconds` for the connections to end, abort the rest, and return how many that were.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._is_draining = True
        self._note_drained()
        await self._drain_in_batches(min(_MAX_SECONDS_OF_BATCHES, seconds / 2))
        await _wait(self._drained, deadline - loop.time())
        aborted = len(self.open)
        for connection in list(self.open):
            run_guarded(loop, "drain", connection.abort)
        # An aborted transport reports its end in the next iteration of the event loop. One whose abort failed never
        # does.
        for _ in range(_ITERATIONS_TO_END):
            if not self.open:
                break
            await asyncio.sleep(0)
        return aborted

    def _note_drained(self) -> None:
        if not self.open or self._drain_ended.is_set():
            self._drained.set()
        else:
            self._drained.clear()

    async def _drain_in_batches(self, seconds: float) -> None:
        """Drain all connections, a batch at a time, within `seconds`.

        Other connections are served between the batches, and the clients do not all reconnect at the same moment.
        """
        connections = list(self.open)
        pause = min(_PAUSE_BETWEEN_BATCHES, seconds * _DRAIN_BATCH / max(1, len(connections)))
        for start in range(0, len(connections), _DRAIN_BATCH):
            if start:
                await self.delay_drain(pause)
            for connection in connections[start : start + _DRAIN_BATCH]:
                # Some connections have ended in the meantime.
                if connection in self.open:
                    _drain_one(connection)


def _drain_one(connection: Connection) -> None:
    """Drain a connection. If that fails, abort it, so that the others are still drained."""
    loop = asyncio.get_running_loop()
    if not run_guarded(loop, "drain", connection.drain):
        run_guarded(loop, "drain", connection.abort)


def _note_progress(connection: Connection, watch: _Watch) -> bool:
    """Return whether the peer has made progress. If it has, progress is measured from now on."""
    taken = connection.taken()
    has_caught_up = watch.is_behind and not connection.unsent()
    if has_caught_up or taken - watch.taken >= watch.limit * MIN_RATE:
        watch.taken = taken
        watch.is_behind = watch.is_behind and not has_caught_up
        return True
    return False


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
