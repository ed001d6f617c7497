"""The routes of both ports, without a server around them."""

import asyncio
from dataclasses import dataclass

from wsecho.access.policy import OPEN, AccessPolicy
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response
from wsecho.routes.admin_routes import AdminRoutes
from wsecho.routes.admission import Admission
from wsecho.routes.assets import Assets, directory
from wsecho.routes.health import Health
from wsecho.routes.metrics_page import MetricsPage
from wsecho.routes.public_routes import PublicRoutes
from wsecho.routes.request_info import RequestInfo
from wsecho.websocket.upgrade import Upgrade


async def metrics_page(accept: str) -> tuple[str, bytes]:
    return "text/plain", b""


def made(answer: Response | Deferred | Upgrade) -> Response | Upgrade:
    """Return the answer, after making it if it takes a while."""
    return asyncio.run(answer.make()) if isinstance(answer, Deferred) else answer


@dataclass
class Ports:
    """The routes of both ports, and the health page that they share."""

    health: Health
    public: PublicRoutes
    admin: AdminRoutes


def make_routes(policy: AccessPolicy = OPEN, *, has_admin_port: bool = False, admin_name: str | None = None) -> Ports:
    health = Health(lambda: False)
    assets = Assets(directory())
    info = RequestInfo("an instance", {"name": "wsecho"}).page
    metrics = MetricsPage(metrics_page).page
    admission = Admission(health, lambda client_key: False, policy, "first", lambda: True)
    public = PublicRoutes(admission, health, policy, assets, info, None if has_admin_port else metrics)
    return Ports(health, public, AdminRoutes(health, policy.admin, assets, info, metrics, admin_name))


def get(path: str) -> Request:
    return Request("GET", path, path, "", "1.1", (("Host", "a"),), keep_alive=True, has_body=False)


def status_of(routes: Ports, request: Request) -> int:
    answer = made(routes.public.answer(request))
    assert isinstance(answer, Response)
    return answer.status
