"""The interfaces by which requests and connections report to traces, and implementations for when there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from wsecho.http.request import Request

if TYPE_CHECKING:
    from wsecho.websocket.echo import Echo


class Span(Protocol):
    """The span of one request: until its response or, for an accepted handshake, until the end of the connection."""

    @property
    def log_fields(self) -> Mapping[str, str]:
        """The fields of log lines by which a line can be found from its trace."""

    def close(self, code: int, initiator: str, echo: Echo) -> None:
        """End the span of a connection.

        `code` is its close code, 1006 if there was no Close frame. `initiator` is `client` or `server`.
        """


class Traces(Protocol):
    """Records spans.

    `route` is the route of the request. `began` is when the request was complete, as time.perf_counter() gives it.
    """

    def answered(self, request: Request, route: str, status: int, began: float) -> Span:
        """Record the span of a request that has been answered."""

    def opened(self, request: Request, route: str, subprotocol: str | None, began: float) -> Span:
        """Start the span of a connection whose handshake was accepted."""


class _NoSpan:
    """A span that is not recorded."""

    log_fields: Mapping[str, str] = {}

    def close(self, code: int, initiator: str, echo: Echo) -> None:
        """Do nothing."""


NO_SPAN = _NoSpan()


class NoTraces:
    """Records nothing."""

    def answered(self, request: Request, route: str, status: int, began: float) -> Span:
        """Return a span that is not recorded."""
        return NO_SPAN

    def opened(self, request: Request, route: str, subprotocol: str | None, began: float) -> Span:
        """Return a span that is not recorded."""
        return NO_SPAN
