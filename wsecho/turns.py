"""Turns of the event loop: connections whose reads cost much go on one in each, so that a crowd costs as one does."""

import asyncio
from collections import deque
from collections.abc import Callable

from wsecho.receive_buffer import COMPRESSED_ROOM, ReceiveBuffer

# After somebody has inflated much so many times in a turn, which takes some 15 milliseconds, those still to come in it
# get room for so many bytes, which are inflated in less than one.
_MUCH_IN_ALL = 8
_LITTLE_ROOM = 512


class Turns:
    """Numbers the turns that somebody asks about, and keeps the queue of those that wait to be read from."""

    def __init__(self, loop: asyncio.AbstractEventLoop, buffer: ReceiveBuffer) -> None:
        self._loop = loop
        self._number = 0
        self._is_counted = False
        self._buffer = buffer
        self._inflated = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def number(self) -> int:
        """Return the number of this turn: it is the same until the loop has come round."""
        if not self._is_counted:
            self._is_counted = True
            self._loop.call_soon(self._begin)
        return self._number

    def much_inflated(self) -> int:
        """Note that somebody has inflated much, and return the number of this turn."""
        self._inflated += 1
        if self._inflated == _MUCH_IN_ALL:
            self._buffer.compressed_room = min(self._buffer.size, _LITTLE_ROOM)
        return self.number()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn, when those that have waited longer have had theirs."""
        self._waiting.append(go_on)
        self.number()

    def _begin(self) -> None:
        self._number += 1
        if self._inflated >= _MUCH_IN_ALL:
            self._buffer.compressed_room = min(self._buffer.size, COMPRESSED_ROOM)
        self._inflated = 0
        self._is_counted = False
        if self._waiting:
            go_on = self._waiting.popleft()
            if self._waiting:
                self.number()
            go_on()
