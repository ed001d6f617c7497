"""What the routes need of the scenarios."""

from typing import Protocol

from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response
from wsecho.websocket.upgrade import Takeover, Upgrade

# Paths that do not begin with this have nothing to do with scenarios.
PREFIX = "/ws"


class ScenarioRoutes(Protocol):
    """Answers the requests for scenarios."""

    def own(self, request: Request) -> bool:
        """Return whether a request, whose path begins with `PREFIX`, asks for a scenario."""

    def answer(self, request: Request) -> Response | Upgrade | Takeover | Deferred:
        """Return the answer to a handshake that asks for a scenario."""

    def explain(self, request: Request) -> Response | Deferred:
        """Return the answer to a request without an upgrade that asks for a scenario: what a WebSocket would get."""

    def seen(self, request: Request) -> Response | Deferred:
        """Return the page /seen."""

    def catalogue(self, request: Request) -> Response | Deferred:
        """Return the page /scenarios.json."""
