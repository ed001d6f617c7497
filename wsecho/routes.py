"""Which request gets which answer. Nothing here knows which HTTP version carried it."""

import json
from collections.abc import Callable
from dataclasses import asdict

from wsecho import __version__, handshake
from wsecho.assets import Assets
from wsecho.request import Request
from wsecho.response import Response, Upgrade, plain

# Paths that the field uses for WebSocket echoes; without an upgrade they have nothing to show.
WEBSOCKET_PATHS = frozenset({"/ws", "/echo", "/ws/echo", "/raw", "/websocket/echo"})

MetricsPage = Callable[[str], tuple[str, bytes]]


def full() -> Response:
    """Return the answer to a handshake for which there is no room."""
    return plain(503, "the server is full", (("Retry-After", "5"),), close=True, refusal="capacity")


def stopping(*, refusal: str = "") -> Response:
    """Return the answer to whoever comes while the server stops."""
    return plain(503, "the server is stopping", (("Retry-After", "1"),), close=True, refusal=refusal)


class Routes:
    """The table of paths. `draining` is set once the server has begun to stop."""

    def __init__(
        self,
        assets: Assets,
        metrics_page: MetricsPage,
        *,
        instance_id: str,
        codec: str,
        subprotocol_policy: str,
        may_deflate: Callable[[], bool],
        is_full: Callable[[], bool],
    ) -> None:
        self.draining = False
        self._metrics_page = metrics_page
        self._instance_id = instance_id
        self._codec = codec
        self._subprotocol_policy = subprotocol_policy
        self._may_deflate = may_deflate
        self._is_full = is_full
        self._pages: dict[str, Callable[[Request], Response]] = {
            "/metrics": self._metrics,
            "/info": self._info,
            **dict.fromkeys(("/health", "/healthz", "/livez"), self._health),
            **dict.fromkeys(("/ready", "/readyz"), self._ready),
            **dict.fromkeys(assets.paths(), assets.answer),
            **dict.fromkeys(WEBSOCKET_PATHS, self._upgrade_required),
        }
        self._routes = {
            **dict.fromkeys(assets.paths(), "/{asset}"),
            **{path: path for path in ("/", "/metrics", "/info")},
            **dict.fromkeys(("/health", "/healthz", "/livez"), "/health"),
            **dict.fromkeys(("/ready", "/readyz"), "/ready"),
            **dict.fromkeys(WEBSOCKET_PATHS, "/{websocket}"),
        }

    def answer(self, request: Request) -> Response | Upgrade:
        """Answer one request."""
        if handshake.is_attempted(request):
            if self.draining:
                return stopping(refusal="draining")
            if self._is_full():
                return full()
            return handshake.answer(request, self._subprotocol_policy, may_deflate=self._may_deflate())
        if request.method not in ("GET", "HEAD"):
            # What follows a CONNECT may be meant for somebody else.
            closes = request.has_body or request.method == "CONNECT"
            return plain(405, "only GET and HEAD are answered here", (("Allow", "GET, HEAD"),), close=closes)
        if request.has_body:
            return plain(400, "a request body is not accepted here", close=True)
        page = self._pages.get(request.path)
        if page is None:
            return plain(404, "nothing is here but a WebSocket echo: connect with ws:// or wss://")
        return page(request)

    def route_of(self, request: Request, answer: Response | Upgrade) -> str:
        """Return the route that a request is counted under (`wsecho.counters.ROUTES`): no peer can invent another."""
        if isinstance(answer, Upgrade) or answer.refusal:
            return "/{websocket}"
        return self._routes.get(request.path, "")

    def _metrics(self, request: Request) -> Response:
        content_type, body = self._metrics_page(request.value("accept"))
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
        facts = {
            "method": request.method,
            "target": request.target,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "peer": request.peer,
            "forwarded": {
                "forwarded": request.values("forwarded"),
                "x_forwarded_for": request.values("x-forwarded-for"),
                "x_forwarded_proto": request.values("x-forwarded-proto"),
            },
            "protocol": f"HTTP/{request.version}",
            "scheme": "https" if request.tls else "http",
            "tls": request.tls and asdict(request.tls),
            "instance_id": self._instance_id,
            "server": {"name": "wsecho", "version": __version__, "codec": self._codec},
        }
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Response(200, headers, json.dumps(facts, indent=2, ensure_ascii=False).encode() + b"\n")
