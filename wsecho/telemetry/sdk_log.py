"""What the OpenTelemetry SDK and its transports have to say, as lines of our own log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import structlog

# The event of all these lines.
EVENT = "opentelemetry"
# Seconds. A collector that is down is worth a line now and then, not one for each attempt.
_INTERVAL = 60.0
_LOGGERS = ("opentelemetry", "requests", "urllib3", "google", "grpc")


class SdkLog(logging.Handler):
    """Takes over the libraries' loggers and lets one line a minute through, with a count of those left out."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._limited = True
        self._next = 0.0
        self._suppressed = 0
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = [self]
            logger.propagate = False

    @contextmanager
    def unlimited(self) -> Iterator[None]:
        """Let every line through: while things are set up, each is about another mistake."""
        self._limited = False
        try:
            yield
        finally:
            self._limited = True

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, without a traceback: what it would lead into is not ours. Callers are of any thread."""
        if self._limited and monotonic() < self._next:
            self._suppressed += 1
            return
        details: dict[str, object] = {"logger": record.name, "detail": record.getMessage()}
        if record.exc_info and record.exc_info[1]:
            details["cause"] = repr(record.exc_info[1])
        if self._limited:
            self._next = monotonic() + _INTERVAL
            if self._suppressed:
                details["suppressed"] = self._suppressed
            self._suppressed = 0
        self._log.warning(EVENT, **details)
