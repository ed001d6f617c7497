"""Turns of the event loop: what costs much goes on a little in each, so that a crowd costs as one does."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from wsecho.codec import Codec

# What requests' heads may take of one turn, in seconds: some of what an ordinary one takes.
_HEADS_SECONDS = 1e-3


class Turns:
    """Keeps `turn`, what inflating took of the present one, and the queue of those that wait to be read from."""

    def __init__(self, loop: asyncio.AbstractEventLoop, codec: Codec) -> None:
        self._loop = loop
        self._next_is_awaited = False
        self._waiting: deque[Callable[[], None]] = deque()
        self.turn = codec.Turn(self._await_next, monotonic_ns)

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn, when those that have waited longer have had theirs."""
        self._waiting.append(go_on)
        self._await_next()

    def _await_next(self) -> None:
        if not self._next_is_awaited:
            # In this order: if there was no memory for it, whoever comes next has to be able to try.
            self._loop.call_soon(self._begin)
            self._next_is_awaited = True

    def _begin(self) -> None:
        self._next_is_awaited = False
        self.turn.end()
        if self._waiting:
            go_on = self._waiting.popleft()
            if self._waiting:
                self._await_next()
            go_on()


class Heads:
    """Lets requests be read and answered for a while in each turn, and the others in later ones, as they came."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._next_is_awaited = False
        self._spent = 0.0
        self._waiting: deque[Callable[[], None]] = deque()

    def must_wait(self) -> bool:
        """Tell whether this turn's time is up, or others have waited longer."""
        return bool(self._waiting) or self._spent >= _HEADS_SECONDS

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn."""
        self._waiting.append(go_on)
        self._await_next()

    def spend(self, seconds: float) -> None:
        """Count what was done in this turn."""
        self._spent += seconds
        self._await_next()

    def _await_next(self) -> None:
        if not self._next_is_awaited:
            # In this order: if there was no memory for it, whoever comes next has to be able to try.
            self._loop.call_soon(self._begin)
            self._next_is_awaited = True

    def _begin(self) -> None:
        self._next_is_awaited = False
        self._spent = 0.0
        if self._waiting:
            # Also for those behind one that fails.
            self._await_next()
            self._waiting.popleft()()
        while self._waiting and self._spent < _HEADS_SECONDS:
            self._waiting.popleft()()
