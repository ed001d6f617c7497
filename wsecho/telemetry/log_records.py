"""Exports the log lines as OpenTelemetry log records, with the exporters that OTEL_LOGS_EXPORTER names."""

import time
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from wsecho import __version__
from wsecho.telemetry import sdk_log

_SEVERITIES = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
# Fields of a log line that are not attributes: a log record has fields of its own for them.
_OWN_FIELDS = frozenset({"event", "level", "timestamp", "trace_id", "span_id"})


class LogRecords:
    """A structlog processor, for use before the one that renders: passes each line to the exporters as well."""

    def __init__(self, exporters: Iterable[object], resource: Resource) -> None:
        self._processors: list[LogRecordProcessor] = [_batched(exporter) for exporter in exporters]
        provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        for processor in self._processors:
            provider.add_log_record_processor(processor)
        self._logger = provider.get_logger("wsecho", __version__)

    @property
    def shutdowns(self) -> Sequence[Callable[[], object]]:
        """One function for each exporter, which exports what is left and stops the exporter."""
        return [processor.shutdown for processor in self._processors]

    def __call__(self, logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Pass `line` to the exporters, and return it unchanged."""
        # The SDK's own lines, such as that an export failed, are not exported: each one would cause another export.
        if line.get("event") != sdk_log.EVENT:
            level = str(line.get("level", method))
            self._logger.emit(
                timestamp=time.time_ns(),
                context=_context(line),
                severity_number=_SEVERITIES.get(level, SeverityNumber.UNSPECIFIED),
                severity_text=level,
                body=str(line.get("event", "")),
                attributes={name: _value(value) for name, value in line.items() if name not in _OWN_FIELDS},
            )
        return line


def _batched(exporter: object) -> LogRecordProcessor:
    if not isinstance(exporter, LogRecordExporter):
        raise ValueError("it is not an exporter that data can be pushed to")
    return BatchLogRecordProcessor(exporter)


def _context(line: MutableMapping[str, Any]) -> Context | None:
    """Return the context of the trace that a line belongs to, None if it belongs to none."""
    if "trace_id" not in line or "span_id" not in line:
        return None
    span = SpanContext(
        int(line["trace_id"], 16), int(line["span_id"], 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(span))


def _value(value: Any) -> str | bool | int | float:
    return value if isinstance(value, str | bool | int | float) else str(value)
