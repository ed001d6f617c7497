"""Connections whose reads cost much go on one in each turn of the event loop: a crowd costs as one does."""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """The queue of those that wait to be read from."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` when its turn has come, not before the next turn of the loop."""
        self._waiting.append(go_on)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        go_on = self._waiting[0]
        try:
            go_on()
        finally:
            self._waiting.popleft()
            if self._waiting:
                self._loop.call_soon(self._next)
