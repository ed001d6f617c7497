"""What requests and connections tell about themselves to whoever traces them; where nobody does, it costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from wsecho.http.request import Request

if TYPE_CHECKING:
    from wsecho.websocket.echo import Echo


class Span(Protocol):
    """One request: a plain one until its answer, a handshake that is accepted until the end of its connection."""

    @property
    def log_fields(self) -> Mapping[str, str]:
        """What lines in the log carry so that they can be found from the trace."""

    def close(self, code: int, initiator: str, echo: Echo) -> None:
        """The connection has ended, with close code `code` (1006: none) from `initiator`, client or server."""


class Traces(Protocol):
    """Records spans. `route` is the route of the request, `began` the performance counter's time when it had come."""

    def answered(self, request: Request, route: str, status: int, began: float) -> Span:
        """The request has its answer, and its span is over."""

    def opened(self, request: Request, route: str, subprotocol: str | None, began: float) -> Span:
        """The handshake was accepted."""


class _NoSpan:
    """Tells nobody."""

    log_fields: Mapping[str, str] = {}

    def close(self, code: int, initiator: str, echo: Echo) -> None:
        """Do nothing."""


NO_SPAN = _NoSpan()


class NoTraces:
    """Records nothing."""

    def answered(self, request: Request, route: str, status: int, began: float) -> Span:
        """Return the span that tells nobody."""
        return NO_SPAN

    def opened(self, request: Request, route: str, subprotocol: str | None, began: float) -> Span:
        """Return the span that tells nobody."""
        return NO_SPAN
