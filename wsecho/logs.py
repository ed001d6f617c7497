"""Structured logs on standard output: one JSON object a line, or readable text on a terminal."""

import logging
import sys
from typing import Any

import structlog


def configure(level: str, style: str) -> structlog.typing.FilteringBoundLogger:
    """Return the server's logger. `level` is a name of the logging module, `style` json, text or auto."""
    as_text = style == "text" or (style == "auto" and sys.stdout.isatty())
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
