"""What becomes of an error that nobody but the event loop catches."""

import asyncio
from typing import Any

import structlog

from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.tls.transport import is_caused_by_peer


class LoopErrors:
    """Counts errors of ours, and logs them; one that a peer has caused is no error of ours."""

    def __init__(self, counters: ConnectionCounters, log: structlog.typing.FilteringBoundLogger) -> None:
        self._counters = counters
        self._log = log

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error, as `loop.set_exception_handler` has it."""
        error = context.get("exception")
        place = context.get("place")
        if not place and (isinstance(error, OSError) or is_caused_by_peer(error)):
            # A peer that went at the wrong moment: its doing, not our error.
            self._log.debug("connection lost", cause=str(error))
            return
        # First: to say it may take memory that is not there.
        self._counters.internal_error(place or ("connection" if "transport" in context else "callback"))
        if place and isinstance(error, MemoryError):
            self._log.error("out of memory", place=place)
        elif isinstance(error, MemoryError):
            self._log.error("out of memory for a connection", cause=context["message"])
        else:
            self._log.error("unexpected error", cause=context["message"], exc_info=error)
