"""The routes of the public port: a WebSocket at every path, and some pages."""

from wsecho.access.policy import AccessPolicy
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response
from wsecho.routes.admission import Admission
from wsecho.routes.assets import Assets
from wsecho.routes.health import Health
from wsecho.routes.pages import WEBSOCKET_PATHS, Page, Pages, authenticated, listed, with_slashes
from wsecho.routes.scenario_routes import PREFIX, ScenarioRoutes
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Takeover, Upgrade


class PublicRoutes:
    """Answers the requests of the public port."""

    def __init__(
        self,
        admission: Admission,
        health: Health,
        policy: AccessPolicy,
        assets: Assets,
        info: Page,
        metrics: Page | None,
        scenarios: ScenarioRoutes | None = None,
    ) -> None:
        """`metrics` is None where only the admin port serves the metrics, `scenarios` where there are none."""
        self._admission = admission
        self._scenarios = scenarios
        self.keeps_connections = health.keeps_connections
        pages = {"/metrics": authenticated(policy.metrics, metrics)} if metrics else {}
        pages |= {**health.pages(), "/info": authenticated(policy.clients, info)}
        if scenarios:
            seen = authenticated(policy.clients, scenarios.seen)
            pages |= {"/scenarios.json": scenarios.catalogue, "/seen": seen}
        echo = (
            "an echo at every path" if scenarios is None else "a scenario under /ws/, and an echo at every other path"
        )
        here = f"there are {listed(('/', *pages))}, and by ws:// or wss:// {echo}"
        self._pages = Pages(
            {
                **with_slashes(pages),
                **with_slashes(dict.fromkeys(WEBSOCKET_PATHS, _upgrade_required)),
                **dict.fromkeys(assets.paths(), assets.answer),
            },
            assets,
            f"nothing is at this path: {here}",
        )
        self.route_of = self._pages.route_of

    def answer(self, request: Request) -> Response | Deferred | Upgrade | Takeover:
        """Return the answer to one request."""
        if handshake.is_attempted(request):
            return self._admission.answer(request)
        if request.path.startswith(PREFIX) and self._scenarios and self._scenarios.own(request):
            is_page = request.method in ("GET", "HEAD") and not request.has_body
            return self._scenarios.explain(request) if is_page else self._pages.answer(request)
        return self._pages.answer(request)


def _upgrade_required(request: Request) -> Response:
    hint = f"{request.path} is a WebSocket echo: connect with ws:// or wss://, or open / for a test client"
    return handshake.upgrade_required(hint)
