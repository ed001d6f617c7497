"""Handles the exceptions that only the event loop catches: logs and counts those that are internal errors."""

import asyncio
from typing import Any

import structlog

from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.tls.errors import is_caused_by_peer


class LoopErrors:
    """Counts internal errors and logs them. An exception that a peer caused is not an internal error."""

    def __init__(self, counters: ConnectionCounters, log: structlog.typing.FilteringBoundLogger) -> None:
        self._counters = counters
        self._log = log

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an exception, with the arguments that `loop.set_exception_handler` describes."""
        error = context.get("exception")
        place = context.get("place")
        if not place and (isinstance(error, OSError) or is_caused_by_peer(error)):
            # The peer closed or reset the connection while the server was using it.
            self._log.debug("connection lost", cause=str(error))
            return
        # Counted before it is logged: logging needs memory, which may be lacking.
        self._counters.internal_error(place or ("connection" if "transport" in context else "callback"))
        if place and isinstance(error, MemoryError):
            self._log.error("out of memory", place=place)
        elif isinstance(error, MemoryError):
            self._log.error("out of memory for a connection", cause=context["message"])
        else:
            self._log.error("unexpected error", cause=context["message"], exc_info=error)
