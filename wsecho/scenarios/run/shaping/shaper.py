"""Delays the bytes that the server sends, limits their rate, and cuts them into chunks. Their order stays."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from wsecho.scenarios.language.budget import transfer_time
from wsecho.scenarios.language.word import Options

# Bytes that may wait; with more, the server reads nothing and the steps wait. What each piece counts beside its bytes.
_MOST_WAITING = 256 << 10
_PIECE_OVERHEAD = 256
# With a rate, and without chunks, so many pieces are sent in a second.
_PIECES_PER_SECOND = 50


class ShapedConnection(Protocol):
    """What a shaper needs of its connection."""

    def may_hand_over(self) -> bool:
        """Return whether the transport takes more."""

    def hand_over(self, data: bytes | bytearray) -> None:
        """Send bytes now."""

    def shaped(self) -> None:
        """Some bytes, or the last ones, have been handed over."""


class Shaper:
    """The bytes of one connection on their way to its transport."""

    def __init__(self, options: Options, draw: Callable[[str, int], float], connection: ShapedConnection) -> None:
        """`draw` returns a random number from 0 to 1, by a name and the number of a message."""
        self._options = options
        self._latency: float = options["latency"]
        self._jitter: float = options["jitter"]
        self._rate: int | None = options["rate"]
        self._chunk: int | None = options["chunk"]
        self._draw = draw
        self._connection = connection
        self.is_active = bool(self._latency or self._jitter or self._rate or self._chunk)
        # Bytes that wait, in order, and when each piece may leave. Times are those of the event loop.
        self._waiting: deque[tuple[float, memoryview]] = deque()
        self._next_piece_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.unsent = 0

    @property
    def has_room(self) -> bool:
        """Whether the steps may send more, and the server may read more."""
        return self.unsent + len(self._waiting) * _PIECE_OVERHEAD <= _MOST_WAITING

    def put(self, data: bytes | bytearray, number: int) -> None:
        """Send bytes as the options say. `number` is the number of their message."""
        if not self.is_active:
            self._connection.hand_over(data)
            return
        now = asyncio.get_running_loop().time()
        delay = self._latency + (self._jitter * self._draw("jitter", number) if self._jitter else 0.0)
        due = max(now + delay, self._waiting[-1][0] if self._waiting else 0.0)
        self._waiting.append((due, memoryview(data)))
        self.unsent += len(data)
        self.proceed()

    def delay(self) -> float:
        """Return the seconds until everything that waits has left, if the client reads it."""
        if not self._waiting:
            return 0.0
        latest = max(self._waiting[-1][0] - asyncio.get_running_loop().time(), 0.0)
        return latest + transfer_time(self.unsent, self._options)

    def proceed(self) -> None:
        """Hand over what is due. Must be called when the transport takes more again."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting and self._connection.may_hand_over():
            due = max(self._waiting[0][0], self._next_piece_at)
            if due > loop.time():
                self._timer = loop.call_at(due, self.proceed)
                break
            self._hand_over_piece()
        self._connection.shaped()

    def _hand_over_piece(self) -> None:
        when, data = self._waiting.popleft()
        size = self._piece_size(len(data))
        if size < len(data):
            self._waiting.appendleft((when, data[size:]))
        self.unsent -= size
        self._next_piece_at = asyncio.get_running_loop().time() + transfer_time(size, self._options)
        self._connection.hand_over(bytes(data[:size]))

    def _piece_size(self, size: int) -> int:
        if self._chunk:
            return min(size, self._chunk)
        return min(size, max(self._rate // _PIECES_PER_SECOND, 1)) if self._rate else size

    def clear(self) -> None:
        """Send nothing any more: the connection has ended."""
        self._waiting.clear()
        self.unsent = 0
        if self._timer:
            self._timer.cancel()
            self._timer = None
