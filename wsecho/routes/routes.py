"""Which request gets which answer. Nothing here knows which HTTP version carried it."""

import json
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict
from functools import partial
from typing import TypeVar

from wsecho import __version__
from wsecho.access.origins import may_be_rebound
from wsecho.access.policy import Authentication, Gate
from wsecho.http.credentials import redacted
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response, plain
from wsecho.routes.assets import Assets
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Upgrade

# Paths that the field uses for WebSocket echoes; without an upgrade they have nothing to show.
WEBSOCKET_PATHS = frozenset({"/ws", "/echo", "/ws/echo", "/raw", "/.ws", "/websocket/echo"})

_HEALTH = ("/health", "/healthz", "/livez")
_READY = ("/ready", "/readyz")

MetricsPage = Callable[[str], Coroutine[None, None, tuple[str, bytes]]]
Page = Callable[[Request], Response | Deferred]
_Entry = TypeVar("_Entry")


def full() -> Response:
    """Return the answer to a handshake for which there is no room."""
    return plain(503, "the server is full", (("Retry-After", "5"),), close=True, refusal="capacity")


def crowded(share: str) -> Response:
    """Return the answer to a client that has too many connections: it is told by which address it is known."""
    line = f"too many connections are open from {share}"
    return plain(429, line, (("Retry-After", "5"),), close=True, refusal="address")


def stopping(*, refusal: str = "") -> Response:
    """Return the answer to whoever comes while the server stops."""
    return plain(503, "the server is stopping", (("Retry-After", "1"),), close=True, refusal=refusal)


class Routes:
    """The table of paths. `draining` is set once the server has begun to stop.

    `has_admin_port`: the metrics are served there, and nowhere else. `admin_name` is given where only this machine
    reaches that port: whoever asks there for another name is a page of somebody who owns it.
    """

    def __init__(
        self,
        assets: Assets,
        metrics_page: MetricsPage,
        gate: Gate,
        *,
        instance_id: str,
        codec: str,
        subprotocol_policy: str,
        may_deflate: Callable[[], bool],
        is_full: Callable[[], bool],
        is_crowded: Callable[[str], bool],
        has_admin_port: bool,
        admin_name: str | None = None,
    ) -> None:
        self.draining = False
        self._admin_name = admin_name
        self._metrics_page = metrics_page
        self._gate = gate
        self._instance_id = instance_id
        self._codec = codec
        self._subprotocol_policy = subprotocol_policy
        self._may_deflate = may_deflate
        self._is_full = is_full
        self._is_crowded = is_crowded
        probes: dict[str, Page] = {**dict.fromkeys(_HEALTH, self._health), **dict.fromkeys(_READY, self._ready)}
        metrics = {} if has_admin_port else {"/metrics": _guarded(gate.metrics, self._metrics)}
        pages = {**metrics, **probes, "/info": _guarded(gate.clients, self._info)}
        admin_pages = {
            "/metrics": _guarded(gate.admin, self._metrics),
            **probes,
            "/info": _guarded(gate.admin, self._info),
        }
        here = f"there are {_listed(('/', *pages))}, and a WebSocket echo, by ws:// or wss://, at every path"
        self._nothing = f"nothing is here: {here}"
        self._no_admin_page = f"nothing is here: there are {_listed(admin_pages)}"
        self._pages = {
            **_with_slashes(pages),
            **_with_slashes(dict.fromkeys(WEBSOCKET_PATHS, self._upgrade_required)),
            **dict.fromkeys(assets.paths(), assets.answer),
        }
        self._admin_pages = _with_slashes(admin_pages)
        self._routes = {
            **dict.fromkeys(assets.paths(), "/{asset}"),
            "/": "/",
            **_with_slashes({path: path for path in ("/metrics", "/info")}),
            **_with_slashes(dict.fromkeys(_HEALTH, "/health")),
            **_with_slashes(dict.fromkeys(_READY, "/ready")),
            **_with_slashes(dict.fromkeys(WEBSOCKET_PATHS, "/{websocket}")),
        }

    def answer(self, request: Request) -> Response | Deferred | Upgrade:
        """Answer one request."""
        if handshake.is_attempted(request):
            if self.draining:
                return stopping(refusal="draining")
            if self._is_full():
                return full()
            if self._is_crowded(request.share):
                return crowded(request.share)
            refusal = self._gate.refuse_handshake(request)
            return refusal or handshake.answer(request, self._subprotocol_policy, may_deflate=self._may_deflate())
        return _page(request, self._pages, self._nothing)

    def answer_admin(self, request: Request) -> Response | Deferred:
        """Answer one request on the admin port."""
        if handshake.is_attempted(request):
            return plain(404, "no WebSocket is served on this port", close=True)
        if self._admin_name is not None and may_be_rebound(request.authority, self._admin_name):
            line = "this port answers to addresses, localhost and the name in --admin-host, not to other names"
            return plain(403, line, close=True)
        return _page(request, self._admin_pages, self._no_admin_page)

    def route_of(self, request: Request, answer: Response | Upgrade) -> str:
        """Return the route that a request is counted under, one of `wsecho.counting.row.ROUTES`: peers add none."""
        if isinstance(answer, Upgrade) or answer.refusal:
            return "/{websocket}"
        return self._routes.get(request.path, "")

    def _metrics(self, request: Request) -> Deferred:
        return Deferred(partial(self._collected, request.value("accept")))

    async def _collected(self, accept: str) -> Response:
        content_type, body = await self._metrics_page(accept)
        return Response(200, (("Content-Type", content_type), ("Cache-Control", "no-store")), body)

    def _health(self, request: Request) -> Response:
        return plain(200, "ok")

    def _ready(self, request: Request) -> Response:
        return plain(503, "draining") if self.draining else plain(200, "ready")

    def _upgrade_required(self, request: Request) -> Response:
        hint = f"{request.path} is a WebSocket echo: connect with ws:// or wss://, or open / for a test client"
        return handshake.upgrade_required(hint)

    def _info(self, request: Request) -> Response:
        """Say how this request looked when it arrived."""
        request = redacted(request)
        facts = {
            "method": request.method,
            "target": request.target,
            "path": request.path,
            "query": request.query,
            "authority": request.authority,
            "headers": request.headers,
            "peer": request.peer,
            "client": request.client,
            "forwarded": {
                "forwarded": request.values("forwarded"),
                "x_forwarded_for": request.values("x-forwarded-for"),
                "x_forwarded_proto": request.values("x-forwarded-proto"),
            },
            "protocol": f"HTTP/{request.version}",
            "scheme": request.scheme,
            "tls": request.tls and asdict(request.tls),
            "instance_id": self._instance_id,
            "server": {"name": "wsecho", "version": __version__, "codec": self._codec},
        }
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Response(200, headers, json.dumps(facts, indent=2, ensure_ascii=False).encode() + b"\n")


def _listed(paths: Iterable[str]) -> str:
    """Return the paths for a person to read, other names of the same page left out."""
    *some, last = (path for path in paths if path not in (*_HEALTH[1:], *_READY[1:]))
    return f"{', '.join(some)} and {last}"


def _with_slashes(table: dict[str, _Entry]) -> dict[str, _Entry]:
    """Return the table of paths with those, too, that have a slash at their end, as people and proxies add one."""
    return table | {f"{path}/": entry for path, entry in table.items()}


def _page(request: Request, pages: dict[str, Page], nothing: str) -> Response | Deferred:
    """Answer a request that is no handshake; `nothing` is said where no page is."""
    if request.method not in ("GET", "HEAD"):
        # What follows a CONNECT may be meant for somebody else.
        closes = request.has_body or request.method == "CONNECT"
        return plain(405, "only GET and HEAD are answered here", (("Allow", "GET, HEAD"),), close=closes)
    if request.has_body:
        return plain(400, "a request body is not accepted here", close=True)
    page = pages.get(request.path)
    return page(request) if page else plain(404, nothing)


def _guarded(door: Authentication | None, page: Page) -> Page:
    """Return `page` for those only whom `door` lets through."""
    if door is None:
        return page

    def guarded(request: Request) -> Response | Deferred:
        refusal = door.check(request)
        return refusal.of_page() if refusal else page(request)

    return guarded
