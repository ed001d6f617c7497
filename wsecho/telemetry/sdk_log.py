"""Writes the log messages of the OpenTelemetry SDK and its transports as lines of the server's log."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import structlog

# The event of all these lines.
EVENT = "opentelemetry"
# Seconds between two lines: a collector that is down must not cause a line for each attempt to export.
_INTERVAL = 60.0
_LOGGERS = ("opentelemetry", "requests", "urllib3", "google", "grpc")


class SdkLog(logging.Handler):
    """Handles the loggers of the libraries. Writes at most one line a minute, with the count of those left out."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        # The thread that sets up the SDK, while it does.
        self._unlimited_thread: int | None = None
        self._next = 0.0
        self._suppressed = 0
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = [self]
            logger.propagate = False

    @contextmanager
    def unlimited(self) -> Iterator[None]:
        """Write every line of this thread meanwhile: during the set-up, each line is about a different error.

        An exporter that is already set up may fail meanwhile, in a thread of its own. Its lines are limited as always.
        """
        before, self._unlimited_thread = self._unlimited_thread, threading.get_ident()
        try:
            yield
        finally:
            self._unlimited_thread = before

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or count it as suppressed. Any thread may call this.

        The line has no traceback, which would lead into code of the libraries.
        """
        is_limited = threading.get_ident() != self._unlimited_thread
        if is_limited and monotonic() < self._next:
            self._suppressed += 1
            return
        details: dict[str, object] = {"logger": record.name, "detail": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            details["cause"] = repr(record.exc_info[1])
        if is_limited:
            self._next = monotonic() + _INTERVAL
            if self._suppressed:
                details["suppressed"] = self._suppressed
            self._suppressed = 0
        self._log.warning(EVENT, **details)
