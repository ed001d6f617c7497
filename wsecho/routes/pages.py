"""The pages of a port by path, and the route under which each request is counted."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from wsecho.access.policy import Authentication
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response, plain
from wsecho.routes.assets import Assets
from wsecho.websocket.upgrade import Takeover, Upgrade

# Paths that are commonly used for WebSocket echoes. Without an upgrade, there is no page to show at them.
WEBSOCKET_PATHS = frozenset({"/ws", "/echo", "/ws/echo", "/raw", "/.ws", "/websocket/echo"})
HEALTH_PATHS = ("/health", "/healthz", "/livez")
READY_PATHS = ("/ready", "/readyz")

# A union of both would be made anew at each request.
_UPGRADES = (Upgrade, Takeover)

Page = Callable[[Request], Response | Deferred]
_Entry = TypeVar("_Entry")


class Pages:
    """Answers requests that are not WebSocket handshakes."""

    def __init__(self, pages: Mapping[str, Page], assets: Assets, not_found: str) -> None:
        """`pages` are the pages by path. `assets` have routes on every port. `not_found` is the text of a 404."""
        self._pages = pages
        self._not_found = not_found
        self._routes = {
            **dict.fromkeys(assets.paths(), "/{asset}"),
            "/": "/",
            **with_slashes({path: path for path in ("/metrics", "/info", "/scenarios.json", "/seen")}),
            **with_slashes(dict.fromkeys(HEALTH_PATHS, "/health")),
            **with_slashes(dict.fromkeys(READY_PATHS, "/ready")),
            **with_slashes(dict.fromkeys(WEBSOCKET_PATHS, "/{websocket}")),
        }

    def answer(self, request: Request) -> Response | Deferred:
        """Return the answer to a request that is not a WebSocket handshake."""
        if request.method not in ("GET", "HEAD"):
            # The bytes after a CONNECT request may be meant for another server.
            closes = request.has_body or request.method == "CONNECT"
            return plain(405, "only GET and HEAD are answered here", (("Allow", "GET, HEAD"),), close=closes)
        if request.has_body:
            return plain(400, "a request body is not accepted here", close=True)
        page = self._pages.get(request.path)
        return page(request) if page else plain(404, self._not_found)

    def route_of(self, request: Request, answer: Response | Upgrade | Takeover) -> str:
        """Return the route under which a request is counted, one of `wsecho.counting.row.ROUTES`.

        An unknown path is counted under the empty route, so that peers cannot add routes.
        """
        if isinstance(answer, _UPGRADES) or answer.refusal:
            return "/{websocket}"
        # Under /ws/, every path is a WebSocket.
        return self._routes.get(request.path) or ("/{websocket}" if request.path.startswith("/ws/") else "")


def listed(paths: Iterable[str]) -> str:
    """Return the paths as text for a person, without the alternative paths of the same page."""
    *some, last = (path for path in paths if path not in (*HEALTH_PATHS[1:], *READY_PATHS[1:]))
    return f"{', '.join(some)} and {last}"


def with_slashes(table: dict[str, _Entry]) -> dict[str, _Entry]:
    """Return the table with each path a second time with a slash at its end, because people and proxies add one."""
    return table | {f"{path}/": entry for path, entry in table.items()}


def authenticated(authentication: Authentication | None, page: Page) -> Page:
    """Return a page that demands accepted credentials, or `page` itself if `authentication` is None."""
    if authentication is None:
        return page

    def authenticated_page(request: Request) -> Response | Deferred:
        refusal = authentication.check(request)
        return refusal.page_response() if refusal else page(request)

    return authenticated_page
