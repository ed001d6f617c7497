"""All connections of a worker, and the time that their peers have left. One sweep a second serves them all."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Protocol

from wsecho.connections.internal_errors import survive

# A batch keeps the loop from everyone else for some milliseconds.
_GOODBYES_AT_ONCE = 100
_PAUSE_BETWEEN_GOODBYES = 0.01
_MOST_SECONDS_OF_GOODBYES = 2.0
# Turns of the loop in which those that were cut off report their end; one or two is what it takes.
_TURNS_TO_END = 100
# Bytes a second, on average over its limit, that a peer must take to count as reading. Kestrel demands as much.
LEAST_RATE = 240


class Connection(Protocol):
    """What the registry needs of a connection, in whichever phase of its life."""

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""

    def taken(self) -> int:
        """Return the bytes that the peer has taken so far; only differences count."""

    def expire(self) -> None:
        """The peer's time is over."""

    def drain(self) -> None:
        """The server stops: say goodbye."""

    def abort(self) -> None:
        """The server is gone: cut the connection."""


@dataclass(slots=True)
class _Watch:
    limit: float
    deadline: float
    taken: int
    # Whether something waits for the peer, which gets its time anew once it has taken all of it.
    is_behind: bool
    stands: bool


class Connections:
    """The registry. Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._watched: dict[Connection, _Watch] = {}
        # Set while no connection is open, and for good once a drain must end.
        self._drained = asyncio.Event()
        self._drained.set()
        self._hurried = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Hold a connection until `remove`."""
        self._open.add(connection)
        if not self._hurried.is_set():
            self._drained.clear()

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended or passed its transport on."""
        self._open.discard(connection)
        self._watched.pop(connection, None)
        if not self._open:
            self._drained.set()

    def watch(self, connection: Connection, limit: float, now: float, *, stands: bool = False) -> None:
        """Let `connection` expire `limit` seconds from now, or from the last time its peer made progress.

        Progress is `LEAST_RATE` bytes taken for each second of the limit, or all that waited. Nothing moves a deadline
        that `stands`.
        """
        self._watched[connection] = _Watch(
            limit, now + limit, connection.taken(), is_behind=connection.unsent() > 0, stands=stands
        )

    def is_watched(self, connection: Connection) -> bool:
        """Tell whether the peer's time is running."""
        return connection in self._watched

    def unwatch(self, connection: Connection) -> None:
        """The peer did what it was watched for."""
        self._watched.pop(connection, None)

    def expired(self, now: float) -> list[Connection]:
        """Return those whose time is over, and watch them no longer."""
        over = []
        for connection, watch in self._watched.items():
            try:
                if not watch.stands and _note_progress(connection, watch):
                    watch.deadline = now + watch.limit
                elif now >= watch.deadline:
                    over.append(connection)
            except Exception:
                # One that cannot even be asked; the others still can.
                over.append(connection)
        for connection in over:
            del self._watched[connection]
        return over

    def end_drain(self) -> None:
        """Let a drain that is under way end now."""
        self._hurried.set()
        self._drained.set()

    async def delay_drain(self, seconds: float) -> None:
        """Wait so long, unless there is a hurry."""
        await _wait(self._hurried, seconds)

    async def drain(self, seconds: float) -> int:
        """Say goodbye to all, wait at most `seconds`, cut off the rest and return how many that were."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await self._say_goodbyes(min(_MOST_SECONDS_OF_GOODBYES, seconds / 2))
        await _wait(self._drained, deadline - loop.time())
        cut_off = len(self._open)
        for connection in list(self._open):
            survive(loop, "drain", connection.abort)
        # An aborted transport reports its end on the next turn of the loop. One whose end failed never does.
        for _ in range(_TURNS_TO_END):
            if not self._open:
                break
            await asyncio.sleep(0)
        return cut_off

    async def _say_goodbyes(self, seconds: float) -> None:
        """Tell everyone, a batch at a time: the others are served meanwhile, and do not all come back at once."""
        everyone = list(self._open)
        pause = min(_PAUSE_BETWEEN_GOODBYES, seconds * _GOODBYES_AT_ONCE / max(1, len(everyone)))
        for start in range(0, len(everyone), _GOODBYES_AT_ONCE):
            if start:
                await self.delay_drain(pause)
            for connection in everyone[start : start + _GOODBYES_AT_ONCE]:
                # Some have gone by themselves before their turn.
                if connection in self._open:
                    _say_goodbye(connection)


def _say_goodbye(connection: Connection) -> None:
    """Whatever happens to this one, the others are to be told."""
    loop = asyncio.get_running_loop()
    if not survive(loop, "drain", connection.drain):
        survive(loop, "drain", connection.abort)


def _note_progress(connection: Connection, watch: _Watch) -> bool:
    """Tell whether the peer has made progress, which counts from now on."""
    taken = connection.taken()
    has_caught_up = watch.is_behind and not connection.unsent()
    if has_caught_up or taken - watch.taken >= watch.limit * LEAST_RATE:
        watch.taken = taken
        watch.is_behind = watch.is_behind and not has_caught_up
        return True
    return False


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
