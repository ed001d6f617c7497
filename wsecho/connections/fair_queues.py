"""Queues that spread expensive work over iterations of the event loop, so that many such clients delay others no more
than one does.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from wsecho.codec.selection import Codec

# Seconds of one iteration of the event loop in which request heads are read: a part of what an ordinary one takes.
_HEADS_SECONDS = 1e-3
# Below this sum, it does not matter in which iteration the time was spent, and no callback is scheduled to find out.
_NEGLIGIBLE_SECONDS = 0.2e-3


class _Queue(ABC):
    """Runs callbacks in later iterations of the event loop, in the order in which they were added.

    Each iteration runs one callback, and more as long as `_has_time` returns True.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_scheduled = False
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, resume: Callable[[], None]) -> None:
        """Call `resume` in a later iteration, after the callbacks that have waited longer."""
        self._waiting.append(resume)
        self._schedule()

    def _schedule(self) -> None:
        if not self._is_scheduled:
            # In this order: if call_soon fails for lack of memory, the next connection that waits tries again.
            self._loop.call_soon(self._run)
            self._is_scheduled = True

    def _run(self) -> None:
        self._is_scheduled = False
        self._start_iteration()
        has_time = True
        while self._waiting and has_time:
            if len(self._waiting) > 1:
                # Before the callback is called, because it may raise an exception.
                self._schedule()
            self._waiting.popleft()()
            has_time = self._has_time()

    @abstractmethod
    def _start_iteration(self) -> None:
        """Reset the time that was spent: a new iteration of the event loop has begun."""

    @abstractmethod
    def _has_time(self) -> bool:
        """Return whether another callback may run in this iteration."""


class EchoQueue(_Queue):
    """WebSockets whose last read took too much time, because it inflated to many bytes or contained very many frames.

    `budget` counts how long all connections of the worker have inflated in the current iteration.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, codec: Codec) -> None:
        super().__init__(loop)
        self.budget = codec.InflateBudget(self._schedule, monotonic_ns)

    def _start_iteration(self) -> None:
        self.budget.end()

    def _has_time(self) -> bool:
        # One connection may use up the whole budget of an iteration.
        return False


class RequestQueue(_Queue):
    """Requests that wait to be read, because others have used up the time for request heads in this iteration."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._spent = 0.0

    def must_wait(self) -> bool:
        """Return whether the time of this iteration is used up, or other requests are waiting already."""
        return self._spent >= _HEADS_SECONDS or bool(self._waiting)

    def spend(self, seconds: float) -> None:
        """Count time that was spent on request heads in this iteration."""
        before = self._spent
        self._spent += seconds
        if before < _NEGLIGIBLE_SECONDS <= self._spent:
            self._schedule()

    def _start_iteration(self) -> None:
        self._spent = 0.0

    def _has_time(self) -> bool:
        return self._spent < _HEADS_SECONDS
