"""Whether a scenario reads from its client, and what ends the connection of a client that leaves meanwhile."""

import asyncio
from collections.abc import Callable

from wsecho.scenarios.run.endings import has_left

# A client that leaves while nothing is read from it is noticed at most twice so many seconds later.
_INTERVAL = 1.0


class Reading:
    """Pauses the reading of a transport for as long as there is a reason."""

    def __init__(self, transport: asyncio.Transport, may_resume: Callable[[], bool]) -> None:
        """`may_resume` tells whether nothing else than the reasons given here is in the way of reading."""
        self._transport = transport
        self._may_resume = may_resume
        self._reasons: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._has_left = False

    @property
    def is_paused(self) -> bool:
        """Whether there is a reason not to read."""
        return bool(self._reasons)

    def pause(self, reason: str) -> None:
        """Stop reading for a reason."""
        self._reasons.add(reason)
        self.enforce()
        if self._timer is None:
            self._has_left = False
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._check)

    def resume(self, reason: str) -> None:
        """Read again, unless there are other reasons."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons:
                self.stop_watching()
                if self._may_resume() and not self._transport.is_closing():
                    self._transport.resume_reading()

    def enforce(self) -> None:
        """Pause again, because something else has let the transport read."""
        if self._reasons and not self._transport.is_closing():
            self._transport.pause_reading()

    def stop_watching(self) -> None:
        """Do not notice any more that the client has left: it is read from, or the connection has ended."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        """Abort the connection if the client has left for one interval at least."""
        self._timer = None
        if self._transport.is_closing():
            return
        has_left_before, self._has_left = self._has_left, has_left(self._transport)
        if has_left_before and self._has_left:
            self._transport.abort()
        else:
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._check)
