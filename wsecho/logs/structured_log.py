"""Structured logs on standard output: one JSON object a line, or readable text on a terminal.

A line is filtered by its severity, limited by its kind, made printable, rendered, and left to the process's writer.
docs/logs.md has the fields.
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

# How long the end of a process waits for whoever reads its log.
FLUSH_SECONDS = 1.0

_ADDRESSES = {"peer", "client"}
# Fields that say why something is so: what a person wants to read first.
_WHY = ("reason", "error", "cause")
_SUPPRESSED = "log lines suppressed"
_LOST = "log lines lost"


class Output:
    """What this process's lines go through, whichever part of the server they come from."""

    def __init__(self, level: int, *, as_text: bool, descriptor: int, cloud_run: CloudRun | None) -> None:
        self.cloud_run = cloud_run
        self.is_read_at_once = as_text and os.isatty(descriptor) and level <= logging.INFO
        self.limits = LogLimits()
        rendering: list[Processor] = [
            structlog.processors.format_exc_info,
            _show,
            *_renderers(as_text, descriptor, cloud_run),
        ]
        unlimited = _logger(structlog.ReturnLogger(), logging.NOTSET, rendering)
        self.writer = LogWriter(descriptor, lambda lines: _line(unlimited.warning(_LOST, lines=lines)))
        self._processors: list[Processor] = [self._limit, *rendering]
        self.log = _logger(_Lines(self.writer), level, self._processors)

    def _limit(self, logger: Any, method: str, fields: EventDict) -> EventDict:
        event = fields["event"]
        # Who asks for debug lines wants to see every connection.
        if method == "debug" or event == _SUPPRESSED or self.limits.admits(method, event, monotonic()):
            return fields
        raise structlog.DropEvent

    def pass_on(self, processor: Processor) -> None:
        """Let `processor` have every line that is fit to be seen, before it becomes text."""
        # The list that all loggers share, however much was bound to them.
        self._processors.insert(self._processors.index(_show) + 1, processor)

    def log_suppressed(self, now: float) -> None:
        """Say how many lines of which kind were left out."""
        for method, event, count in self.limits.take_suppressed(now):
            getattr(self.log, method)(_SUPPRESSED, of=event, lines=count)


class _Lines:
    """The logger that structlog's own wraps."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def msg(self, line: str) -> None:
        self._writer.put(_line(line))

    debug = info = warning = error = critical = msg


_output: Output | None = None


def configure(level: str, style: str) -> FilteringBoundLogger:
    """Return the process's logger. `level` is a name of the logging module, `style` json, text or auto."""
    global _output
    # Where standard output was closed before the start, its descriptor may by now be a socket's.
    stream = sys.stdout or sys.stderr
    descriptor = stream.fileno() if stream else os.open(os.devnull, os.O_WRONLY)
    as_text = style == "text" or (style == "auto" and os.isatty(descriptor))
    _output = Output(
        getattr(logging, level.upper()),
        as_text=as_text,
        descriptor=descriptor,
        cloud_run=CloudRun.detect(os.environ),
    )
    # It warns of writes after the end of a connection, which are ours to judge.
    logging.getLogger("aiofastnet").setLevel(logging.ERROR)
    return _output.log


def about(log: FilteringBoundLogger, request: Request) -> FilteringBoundLogger:
    """Return a logger for `request`: its lines name the client behind a proxy, and belong to the request's trace, where
    somebody files lines by traces.
    """
    fields: dict[str, Any] = {} if request.client is request.peer else {"client": request.client}
    if _output and _output.cloud_run:
        fields.update(_output.cloud_run.trace_fields(request))
    return log.bind(**fields) if fields else log


def print_hints(*lines: str) -> None:
    """Write `lines` as they are for a person who watches the log on a terminal; nobody else gets them."""
    if _output and _output.is_read_at_once:
        for line in lines:
            _output.writer.put(_line(line))


def pass_on(processor: Processor) -> None:
    """Let `processor` have every line of this process that is written. It must return the fields, and not raise."""
    if _output:
        _output.pass_on(processor)


def count_dropped(count: Callable[[int], None]) -> None:
    """Let `count` be told how many lines were lost, each time some are, in whichever thread. It must not raise."""
    if _output:
        _output.writer.dropped = count


def count_failures(count: Callable[[], None]) -> None:
    """Let `count` be told when writing failed for want of memory, or worse, and goes on. It must not raise."""
    if _output:
        _output.writer.failed = count


def log_suppressed() -> None:
    """Say how many lines of which kind were left out; to be called every second or so."""
    if _output:
        _output.log_suppressed(monotonic())


def flush() -> None:
    """Say what is left to be said, and wait until it is written, for a second at most."""
    if _output:
        _output.log_suppressed(inf)
        _output.writer.flush(FLUSH_SECONDS)


def rest() -> None:
    """Wait, for a second at most, until everything is written and no thread is left: the process is about to fork."""
    if _output:
        _output.writer.rest(FLUSH_SECONDS)


def _logger(wrapped: Any, level: int, processors: list[Processor]) -> FilteringBoundLogger:
    # Bound here and now: a lazy logger is bound again by every call, also by one that logs nothing.
    wrapper = structlog.make_filtering_bound_logger(level)
    logger: FilteringBoundLogger = structlog.wrap_logger(wrapped, processors, wrapper).bind()
    return logger


def _line(text: str) -> bytes:
    return text.encode() + b"\n"


def _show(logger: Any, method: str, fields: EventDict) -> EventDict:
    """Make every field fit to be seen."""
    for name in _ADDRESSES & fields.keys():
        fields[name] = shown_address(fields[name])
    return {name: shown_traceback(value) if name == "exception" else shown(value) for name, value in fields.items()}


def _renderers(as_text: bool, descriptor: int, cloud_run: CloudRun | None) -> list[Processor]:
    if as_text:
        return [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _say_why,
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
    """Tell whether text may have colours: on a terminal that has them, unless nobody wants them (no-color.org)."""
    return (
        os.isatty(descriptor) and not environment.get("NO_COLOR") and environment.get("TERM") not in ("dumb", "unknown")
    )


def _say_why(logger: Any, method: str, fields: EventDict) -> EventDict:
    """Put the reason right behind the event: `handshake refused: the Connection header lacks 'upgrade'`."""
    rest = dict(fields)
    event = ": ".join(str(rest.pop(name)) for name in ("event", *_WHY) if name in rest)
    return {"event": event, **rest}


def _arrange(logger: Any, method: str, fields: EventDict) -> EventDict:
    """Put first what is in every line, and then the reason."""
    first = {name: fields.pop(name) for name in ("time", "event", "message", *_WHY) if name in fields}
    return {"severity": method.upper(), **first, **fields}


def _arrange_for_cloud_logging(logger: Any, method: str, fields: EventDict) -> EventDict:
    """`message` is what Cloud Logging shows of a line."""
    return _arrange(logger, method, {"message": _say_why(logger, method, fields)["event"], **fields})
