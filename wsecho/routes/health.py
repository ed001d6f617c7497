"""The pages for liveness and readiness probes, and whether connections stay open for another request."""

from collections.abc import Callable

from wsecho.http.request import Request
from wsecho.http.response import Response, plain
from wsecho.routes.pages import HEALTH_PATHS, READY_PATHS, Page


class Health:
    """The state of one worker. `draining` is True from the beginning of its graceful shutdown."""

    def __init__(self, is_full: Callable[[], bool]) -> None:
        """`is_full` tells whether the worker has more connections than it can serve."""
        self.draining = False
        self.is_full = is_full

    def pages(self) -> dict[str, Page]:
        """Return the pages, by path."""
        return {**dict.fromkeys(HEALTH_PATHS, self._health), **dict.fromkeys(READY_PATHS, self._ready)}

    def keeps_connections(self) -> bool:
        """Return whether connections stay open for another request."""
        return not (self.draining or self.is_full())

    def _health(self, request: Request) -> Response:
        return plain(200, "ok")

    def _ready(self, request: Request) -> Response:
        return plain(503, "draining") if self.draining else plain(200, "ready")
