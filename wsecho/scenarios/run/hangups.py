"""Notices that a client has left while the server does not read from it."""

import asyncio

from wsecho.scenarios.run.endings import has_left

# A client that has left is noticed at most so many seconds later.
_INTERVAL = 1.0


class Hangups:
    """Watches one connection for as long as nothing is read from it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        """When the client has left for one interval at least, `transport` is aborted."""
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None
        self._was_gone = False

    def start(self) -> None:
        """Begin to watch, unless that has begun."""
        if self._timer is None:
            self._was_gone = False
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._check)

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._transport.is_closing():
            return
        is_gone = has_left(self._transport)
        if is_gone and self._was_gone:
            self._transport.abort()
            return
        self._was_gone = is_gone
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._check)
