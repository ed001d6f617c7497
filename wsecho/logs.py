"""Structured logs on standard output: one JSON object a line, or readable text on a terminal."""

import contextlib
import logging
import sys
from typing import Any, TextIO

import structlog


def configure(level: str, style: str) -> structlog.typing.FilteringBoundLogger:
    """Return the server's logger. `level` is a name of the logging module, `style` json, text or auto."""
    as_text = style == "text" or (style == "auto" and sys.stdout is not None and sys.stdout.isatty())
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *arguments: _Output(sys.stdout),
    )
    # It warns of writes after the end of a connection, which are ours to judge.
    logging.getLogger("aiofastnet").setLevel(logging.ERROR)
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


class _Output:
    """Writes lines, and loses them where they cannot be written: no log is worth an echo."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        # OSError: a full disk, a reader that has gone. ValueError: the stream was closed.
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self._stream or sys.stderr, flush=True)

    debug = info = warning = error = exception = critical = msg
