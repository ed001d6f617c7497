"""The routes of the admin port: pages for the operators of the server, and no WebSocket."""

from wsecho.access.origins import may_be_rebound
from wsecho.access.policy import Authentication
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response, plain
from wsecho.routes.assets import Assets
from wsecho.routes.health import Health
from wsecho.routes.pages import Page, Pages, authenticated, listed, with_slashes
from wsecho.websocket import handshake


class AdminRoutes:
    """Answers the requests of the admin port."""

    def __init__(
        self,
        health: Health,
        authentication: Authentication | None,
        assets: Assets,
        info: Page,
        metrics: Page,
        own_name: str | None = None,
    ) -> None:
        """`own_name` is the configured host name of the port; it is given where only this machine can reach the port.
        There, a request for another name is refused: it comes from a web page whose author made that name resolve to
        this machine (DNS rebinding).
        """
        self._own_name = own_name
        self.keeps_connections = health.keeps_connections
        pages = {
            "/metrics": authenticated(authentication, metrics),
            **health.pages(),
            "/info": authenticated(authentication, info),
        }
        self._pages = Pages(with_slashes(pages), assets, f"nothing is at this path: there are {listed(pages)}")
        self.route_of = self._pages.route_of

    def answer(self, request: Request) -> Response | Deferred:
        """Return the answer to one request."""
        if handshake.is_attempted(request):
            return plain(404, "no WebSocket is served on this port", close=True)
        if self._own_name is not None and may_be_rebound(request.authority, self._own_name):
            line = "the Host of this port must be an IP address, localhost or the name in --admin-host"
            return plain(403, line, close=True)
        return self._pages.answer(request)
