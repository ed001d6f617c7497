"""Records spans: one for each request. The span of a WebSocket lasts as long as its connection; messages get no spans.

Attributes follow OpenTelemetry's semantic conventions for HTTP servers. There are no conventions for WebSockets yet, so
the attributes that begin with `websocket.` are wsecho's own. A span contains nothing of a message, and no query string,
because clients put tokens there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from opentelemetry.propagators.textmap import Getter, TextMapPropagator
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, format_span_id, format_trace_id

from wsecho import __version__
from wsecho.http.addresses import split_authority
from wsecho.http.list_fields import Bound
from wsecho.http.request import Request
from wsecho.telemetry.environment import Log, text_of_error
from wsecho.telemetry.spans import NO_SPAN
from wsecho.telemetry.spans import Span as AnySpan

if TYPE_CHECKING:
    from wsecho.websocket.echo import Echo

# Monitors and probes poll these routes all the time, which would fill the trace store.
_UNTRACED_ROUTES = frozenset({"/health", "/ready", "/metrics"})
# The methods of RFC 9110 section 9.3 and RFC 5789. Only they appear in names of spans, so that there are few names,
# whatever clients send.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_MAX_VALUE_LENGTH = 256
# The least that W3C Baggage requires every reader to accept, and more than a tracestate may have.
_READ_BY_PROPAGATORS = Bound(elements=64, size=8 * 1024)
_log = logging.getLogger("opentelemetry.wsecho")
# Close codes of connections that ended without an error (RFC 6455 section 7.4.1). Codes from 3000 are for libraries and
# applications, and are not errors either.
_NORMAL_CODES = frozenset({1000, 1001, 1005})
_PRIVATE_CODES = 3000
_INTERNAL_ERROR = 1011


class _Headers(Getter[Request]):
    """Lets propagators read the header fields of a request. A field whose list is too long counts as not sent."""

    def get(self, carrier: Request, key: str) -> list[str] | None:
        values = carrier.values(key.lower())
        return None if not values or _READ_BY_PROPAGATORS.fault(values) else values

    def keys(self, carrier: Request) -> list[str]:
        return [name for name, _ in carrier.headers]


class _OpenSpan:
    """A span that is being recorded."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def log_fields(self) -> Mapping[str, str]:
        context = self._span.get_span_context()
        return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}

    def close(self, code: int, initiator: str, echo: Echo) -> None:
        self._span.set_attributes(
            {
                "websocket.close.code": code,
                "websocket.close.initiator": initiator,
                "websocket.messages.received": echo.messages,
                "websocket.bytes.received": echo.payload_received,
                "websocket.bytes.sent": echo.payload_sent,
            }
        )
        if code == _INTERNAL_ERROR and initiator == "server":
            _fail(self._span, str(code))
        # A client's error sets error.type, but not the status: it is no error of the server.
        elif echo.violation:
            self._span.set_attribute("error.type", echo.violation.reason)
        elif code not in _NORMAL_CODES and code < _PRIVATE_CODES:
            self._span.set_attribute("error.type", str(code))
        self._span.end()


class SdkTraces:
    """Records spans, with the settings of OTEL_TRACES_SAMPLER, OTEL_PROPAGATORS and OTEL_BSP_*."""

    def __init__(self, exporters: Iterable[object], resource: Resource, log: Log) -> None:
        self._processors: list[SpanProcessor] = [_batched(exporter) for exporter in exporters]
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for processor in self._processors:
            provider.add_span_processor(processor)
        self._tracer = provider.get_tracer("wsecho", __version__)
        self._propagator = _propagator(log)

    @property
    def shutdowns(self) -> Sequence[Callable[[], object]]:
        """One function for each exporter, which exports what is left and stops the exporter."""
        return [processor.shutdown for processor in self._processors]

    def answered(self, request: Request, route: str, status: int, began: float) -> AnySpan:
        """Record the span of a request that has been answered."""
        span = None if route in _UNTRACED_ROUTES else self._start(request, route, status, began)
        if span is None:
            return NO_SPAN
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _fail(span, str(status))
        span.end()
        return _OpenSpan(span)

    def opened(self, request: Request, route: str, subprotocol: str | None, began: float) -> AnySpan:
        """Start the span of a connection whose handshake was accepted."""
        span = self._start(request, route, HTTPStatus.SWITCHING_PROTOCOLS, began)
        if span is None:
            return NO_SPAN
        if subprotocol:
            span.set_attribute("websocket.subprotocol", subprotocol[:_MAX_VALUE_LENGTH])
        span.add_event("websocket.open")
        return _OpenSpan(span)

    def _start(self, request: Request, route: str, status: int, began: float) -> Span | None:
        """Return a span that started when the request was complete; None if it is not recorded."""
        method = request.method if request.method in _METHODS else "HTTP"
        try:
            span = self._tracer.start_span(
                f"{method} {route}" if route else method,
                self._propagator.extract(request, getter=_HEADERS),
                SpanKind.SERVER,
                _attributes(request, route, status),
                start_time=time.time_ns() - round((time.perf_counter() - began) * 1e9),
            )
        except Exception:
            # Propagators and samplers can come from any package. Their errors must not affect requests.
            _log.exception("a request is not traced")
            return None
        return span if span.is_recording() else None


def _fail(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR))


_HEADERS = _Headers()


def _batched(exporter: object) -> SpanProcessor:
    if not isinstance(exporter, SpanExporter):
        raise ValueError("it is not an exporter that data can be pushed to")
    return BatchSpanProcessor(exporter)


def _propagator(log: Log) -> TextMapPropagator:
    """Return the propagator that OTEL_PROPAGATORS names; the default one if it cannot be loaded."""
    try:
        from opentelemetry import propagate

        return propagate.get_global_textmap()
    except Exception as error:
        from opentelemetry.baggage.propagation import W3CBaggagePropagator
        from opentelemetry.propagators.composite import CompositePropagator
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        log.warning("a variable is ignored", variable="OTEL_PROPAGATORS", cause=text_of_error(error))
        return CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


def _attributes(request: Request, route: str, status: int) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "http.request.method": request.method if request.method in _METHODS else "_OTHER",
        "http.response.status_code": int(status),
        "url.scheme": request.scheme,
        "url.path": request.path[:_MAX_VALUE_LENGTH],
        "network.protocol.name": "http",
        "network.protocol.version": request.version,
    }
    if request.method not in _METHODS:
        attributes["http.request.method_original"] = request.method[:_MAX_VALUE_LENGTH]
    if route:
        attributes["http.route"] = route
    if agent := request.value("user-agent"):
        attributes["user_agent.original"] = agent[:_MAX_VALUE_LENGTH]
    if authority := split_authority(request.authority[:_MAX_VALUE_LENGTH]):
        host, port = authority
        attributes["server.address"] = host.strip("[]")
        if port is not None:
            attributes["server.port"] = port
    if request.peer:
        attributes["network.peer.address"] = str(request.peer[0])
        attributes["network.peer.port"] = request.peer[1]
    if request.client:
        attributes["client.address"] = str(request.client[0])
    return attributes
