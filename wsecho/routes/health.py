"""Liveness and readiness: what probes ask, and whether a connection may stay for another request."""

from collections.abc import Callable

from wsecho.http.request import Request
from wsecho.http.response import Response, plain
from wsecho.routes.pages import HEALTH_PATHS, READY_PATHS, Page


class Health:
    """The state of one worker. `draining` is set once it has begun to stop."""

    def __init__(self, is_full: Callable[[], bool]) -> None:
        """`is_full` tells whether the connection that asks is one too many."""
        self.draining = False
        self.is_full = is_full

    def pages(self) -> dict[str, Page]:
        """Return the pages by their paths."""
        return {**dict.fromkeys(HEALTH_PATHS, self._health), **dict.fromkeys(READY_PATHS, self._ready)}

    def keeps_connections(self) -> bool:
        """Tell whether a connection may stay for another request."""
        return not (self.draining or self.is_full())

    def _health(self, request: Request) -> Response:
        return plain(200, "ok")

    def _ready(self, request: Request) -> Response:
        return plain(503, "draining") if self.draining else plain(200, "ready")
