"""Turns of the event loop: connections whose reads cost much go on one in each, so that a crowd costs as one does."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from wsecho.codec import Codec


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
            self._next_is_awaited = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._next_is_awaited = False
        self.turn.end()
        if self._waiting:
            go_on = self._waiting.popleft()
            if self._waiting:
                self._await_next()
            go_on()
