"""Structured logs on standard output: one JSON object per line, or readable text on a terminal.

A line is filtered by severity, limited by kind, made printable, rendered, and handed to the process's writer thread.
docs/logs.md lists the fields.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic
from typing import Any

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from wsecho.http.request import Request
from wsecho.logs.cloud_logging import CloudRun
from wsecho.logs.fields import shown, shown_address, shown_traceback
from wsecho.logs.rate_limits import LogLimits
from wsecho.logs.writer import LogWriter

# How long the end of a process waits until the reader of standard output has taken the remaining lines.
FLUSH_SECONDS = 1.0

_ADDRESS_FIELDS = {"peer", "client"}
# Fields with the reason of an event, which a person wants to read first.
_REASON_FIELDS = ("reason", "error", "cause")
_SUPPRESSED = "log lines suppressed"
_LOST = "log lines lost"


class Output:
    """The logger, the rate limits and the writer of this process, which all its log lines go through."""

    def __init__(self, level: int, *, as_text: bool, descriptor: int, cloud_run: CloudRun | None) -> None:
        self.cloud_run = cloud_run
        self.is_watched = as_text and os.isatty(descriptor) and level <= logging.INFO
        self.limits = LogLimits()
        rendering: list[Processor] = [
            structlog.processors.format_exc_info,
            _make_printable,
            *_renderers(as_text, descriptor, cloud_run),
        ]
        unlimited = _logger(structlog.ReturnLogger(), logging.NOTSET, rendering)
        self.writer = LogWriter(descriptor, lambda lines: _line(unlimited.warning(_LOST, lines=lines)))
        self._processors: list[Processor] = [self._limit, *rendering]
        self.log = _logger(_Lines(self.writer), level, self._processors)

    def _limit(self, logger: Any, method: str, fields: EventDict) -> EventDict:
        event = fields["event"]
        # Debug lines are not limited: a user who enables them wants to see every connection.
        if method == "debug" or event == _SUPPRESSED or self.limits.admits(method, event, monotonic()):
            return fields
        raise structlog.DropEvent

    def add_processor(self, processor: Processor) -> None:
        """Call `processor` with the fields of every line, after they were made printable and before rendering."""
        # All loggers share this list, also those with bound fields.
        self._processors.insert(self._processors.index(_make_printable) + 1, processor)

    def log_suppressed(self, now: float) -> None:
        """Log how many lines of each kind were suppressed."""
        for method, event, count in self.limits.take_suppressed(now):
            getattr(self.log, method)(_SUPPRESSED, of=event, lines=count)


class _Lines:
    """The logger that structlog wraps: it hands rendered lines to the writer."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def msg(self, line: str) -> None:
        self._writer.put(_line(line))

    debug = info = warning = error = critical = msg


_output: Output | None = None


def configure(level: str, style: str) -> FilteringBoundLogger:
    """Set up this process's log and return its logger.

    `level` is the name of a level of the logging module, `style` is json, text or auto.
    """
    global _output
    # If standard output was closed before the start, its file descriptor may be a socket by now.
    stream = sys.stdout or sys.stderr
    descriptor = stream.fileno() if stream else os.open(os.devnull, os.O_WRONLY)
    as_text = style == "text" or (style == "auto" and os.isatty(descriptor))
    _output = Output(
        getattr(logging, level.upper()),
        as_text=as_text,
        descriptor=descriptor,
        cloud_run=CloudRun.detect(os.environ),
    )
    # aiofastnet warns about writes after the end of a connection. The server handles them itself.
    logging.getLogger("aiofastnet").setLevel(logging.ERROR)
    return _output.log


def for_request(log: FilteringBoundLogger, request: Request) -> FilteringBoundLogger:
    """Return a logger for `request`: its lines name the client behind a proxy and, on Cloud Run, the trace."""
    cloud_run = _output.cloud_run if _output else None
    if cloud_run is None and request.client is request.peer:
        return log
    fields: dict[str, Any] = {} if request.client is request.peer else {"client": request.client}
    if cloud_run:
        fields.update(cloud_run.trace_fields(request))
    return log.bind(**fields) if fields else log


def print_hints(*lines: str) -> None:
    """Write `lines` unchanged if the log is text on a terminal, where a person reads it; otherwise write nothing."""
    if _output and _output.is_watched:
        for line in lines:
            _output.writer.put(_line(line))


def add_processor(processor: Processor) -> None:
    """Call `processor` with the fields of every line that this process writes. It must return them, and not raise."""
    if _output:
        _output.add_processor(processor)


def count_dropped(count: Callable[[int], None]) -> None:
    """Call `count` with the number of lines each time that lines are lost. Called in any thread; must not raise."""
    if _output:
        _output.writer.dropped = count


def count_failures(count: Callable[[], None]) -> None:
    """Call `count` each time that the writer thread survives an error, such as a lack of memory. It must not raise."""
    if _output:
        _output.writer.failed = count


def log_suppressed() -> None:
    """Log how many lines of each kind were suppressed; to be called about once a second."""
    if _output:
        _output.log_suppressed(monotonic())


def flush() -> None:
    """Log how many lines were suppressed, and wait until all lines are written, for one second at most."""
    if _output:
        _output.log_suppressed(inf)
        _output.writer.flush(FLUSH_SECONDS)


def stop_thread() -> None:
    """Wait until all lines are written and the writer thread has ended, for one second at most; called before a fork.

    The next line starts the thread again.
    """
    if _output:
        _output.writer.stop_thread(FLUSH_SECONDS)


def _logger(wrapped: Any, level: int, processors: list[Processor]) -> FilteringBoundLogger:
    # Bound here, because each call of a lazy structlog logger binds it again, even if its level is not logged.
    wrapper = structlog.make_filtering_bound_logger(level)
    logger: FilteringBoundLogger = structlog.wrap_logger(wrapped, processors, wrapper).bind()
    return logger


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


def _make_printable(logger: Any, method: str, fields: EventDict) -> EventDict:
    """Make every field printable and short."""
    for name in _ADDRESS_FIELDS & fields.keys():
        fields[name] = shown_address(fields[name])
    return {name: shown_traceback(value) if name == "exception" else shown(value) for name, value in fields.items()}


def _renderers(as_text: bool, descriptor: int, cloud_run: CloudRun | None) -> list[Processor]:
    if as_text:
        return [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _append_reason,
            structlog.dev.ConsoleRenderer(
                colors=_has_colors(descriptor, os.environ),
                sort_keys=False,
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ]
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _arrange_for_cloud_logging if cloud_run else _arrange,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _has_colors(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Return whether text may be coloured: on a terminal that can do it, unless NO_COLOR is set (no-color.org)."""
    return (
        os.isatty(descriptor) and not environment.get("NO_COLOR") and environment.get("TERM") not in ("dumb", "unknown")
    )


def _append_reason(logger: Any, method: str, fields: EventDict) -> EventDict:
    """Append the reason to the event: `handshake refused: the Connection header lacks 'upgrade'`."""
    remaining = dict(fields)
    event = ": ".join(str(remaining.pop(name)) for name in ("event", *_REASON_FIELDS) if name in remaining)
    return {"event": event, **remaining}


def _arrange(logger: Any, method: str, fields: EventDict) -> EventDict:
    """Put the fields that every line has first, and then the reason."""
    first = {name: fields.pop(name) for name in ("time", "event", "message", *_REASON_FIELDS) if name in fields}
    return {"severity": method.upper(), **first, **fields}


def _arrange_for_cloud_logging(logger: Any, method: str, fields: EventDict) -> EventDict:
    """Add the field `message`, which Cloud Logging shows as the summary of a line."""
    return _arrange(logger, method, {"message": _append_reason(logger, method, fields)["event"], **fields})
