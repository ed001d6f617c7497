"""Lets the steps of one connection wait for a change of its state."""

import asyncio
from collections.abc import Callable


class Changes:
    """The connection calls `notify` after each event that can change something."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until a condition is true."""
        while not is_true():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def notify(self) -> None:
        """Let all that wait check their conditions."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
