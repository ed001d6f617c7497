"""The pages of a port by their paths, and the route that each request is counted under."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from wsecho.access.policy import Authentication
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response, plain
from wsecho.routes.assets import Assets
from wsecho.websocket.upgrade import Upgrade

# Paths that the field uses for WebSocket echoes; without an upgrade they have nothing to show.
WEBSOCKET_PATHS = frozenset({"/ws", "/echo", "/ws/echo", "/raw", "/.ws", "/websocket/echo"})
HEALTH_PATHS = ("/health", "/healthz", "/livez")
READY_PATHS = ("/ready", "/readyz")

Page = Callable[[Request], Response | Deferred]
_Entry = TypeVar("_Entry")


class Pages:
    """Answers requests that are no handshakes."""

    def __init__(self, pages: Mapping[str, Page], assets: Assets, nothing: str) -> None:
        """`pages` by their paths; `assets` have routes on every port; `nothing` is said where no page is."""
        self._pages = pages
        self._nothing = nothing
        self._routes = {
            **dict.fromkeys(assets.paths(), "/{asset}"),
            "/": "/",
            **with_slashes({path: path for path in ("/metrics", "/info")}),
            **with_slashes(dict.fromkeys(HEALTH_PATHS, "/health")),
            **with_slashes(dict.fromkeys(READY_PATHS, "/ready")),
            **with_slashes(dict.fromkeys(WEBSOCKET_PATHS, "/{websocket}")),
        }

    def answer(self, request: Request) -> Response | Deferred:
        """Answer a request that is no handshake."""
        if request.method not in ("GET", "HEAD"):
            # What follows a CONNECT may be meant for somebody else.
            closes = request.has_body or request.method == "CONNECT"
            return plain(405, "only GET and HEAD are answered here", (("Allow", "GET, HEAD"),), close=closes)
        if request.has_body:
            return plain(400, "a request body is not accepted here", close=True)
        page = self._pages.get(request.path)
        return page(request) if page else plain(404, self._nothing)

    def route_of(self, request: Request, answer: Response | Upgrade) -> str:
        """Return the route that a request is counted under, one of `wsecho.counting.row.ROUTES`: peers add none."""
        if isinstance(answer, Upgrade) or answer.refusal:
            return "/{websocket}"
        return self._routes.get(request.path, "")


def listed(paths: Iterable[str]) -> str:
    """Return the paths for a person to read, other names of the same page left out."""
    *some, last = (path for path in paths if path not in (*HEALTH_PATHS[1:], *READY_PATHS[1:]))
    return f"{', '.join(some)} and {last}"


def with_slashes(table: dict[str, _Entry]) -> dict[str, _Entry]:
    """Return the table of paths with those, too, that have a slash at their end, as people and proxies add one."""
    return table | {f"{path}/": entry for path, entry in table.items()}


def guarded(authentication: Authentication | None, page: Page) -> Page:
    """Return `page` for those requests only whose credentials are accepted; for all if `authentication` is None."""
    if authentication is None:
        return page

    def guarded_page(request: Request) -> Response | Deferred:
        refusal = authentication.check(request)
        return refusal.page_response() if refusal else page(request)

    return guarded_page
