"""Turns of the event loop: what costs much goes on a little in each, so that a crowd costs as one does."""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from time import monotonic_ns

from wsecho.codec.selection import Codec

# Seconds of one turn that are for the heads of requests: a part of what an ordinary turn takes.
_HEADS_SECONDS = 1e-3
# What is not worth finding out in which turn it was.
_NEGLIGIBLE_SECONDS = 0.2e-3


class _Queue(ABC):
    """Those that wait for a later turn go on as they came: one in each turn, and more while it has time for them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._next_is_awaited = False
        self._waiting: deque[Callable[[], None]] = deque()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` in a later turn, when those that have waited longer have had theirs."""
        self._waiting.append(go_on)
        self._await_next()

    def _await_next(self) -> None:
        if not self._next_is_awaited:
            # In this order: if the call fails for want of memory, whoever comes next has to be able to try.
            self._loop.call_soon(self._begin)
            self._next_is_awaited = True

    def _begin(self) -> None:
        self._next_is_awaited = False
        self._forget_last_turn()
        has_time = True
        while self._waiting and has_time:
            if len(self._waiting) > 1:
                # Before this one, which may fail.
                self._await_next()
            self._waiting.popleft()()
            has_time = self._has_time()

    @abstractmethod
    def _forget_last_turn(self) -> None:
        """Another turn has begun."""

    @abstractmethod
    def _has_time(self) -> bool:
        """Tell whether another one may go on in this turn."""


class InflateQueue(_Queue):
    """Those that have inflated too much at once, and `turn`, what inflating took of the present one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, codec: Codec) -> None:
        super().__init__(loop)
        self.budget = codec.InflateBudget(self._await_next, monotonic_ns)

    def _forget_last_turn(self) -> None:
        self.budget.end()

    def _has_time(self) -> bool:
        # Each may take all of it.
        return False


class RequestQueue(_Queue):
    """Requests that wait to be read, because others have taken what there is of a turn for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._spent = 0.0

    def must_wait(self) -> bool:
        """Tell whether this turn's time is up, or others have waited longer."""
        return bool(self._waiting) or not self._has_time()

    def spend(self, seconds: float) -> None:
        """Count what was done in this turn."""
        before = self._spent
        self._spent += seconds
        if before < _NEGLIGIBLE_SECONDS <= self._spent:
            self._await_next()

    def _forget_last_turn(self) -> None:
        self._spent = 0.0

    def _has_time(self) -> bool:
        return self._spent < _HEADS_SECONDS
