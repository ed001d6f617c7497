"""Which path gets which answer, also while the server stops: what a connection that was open before gets to hear."""

import asyncio
import re
from dataclasses import dataclass

import pytest

from tests.websocket.test_handshake import request_with
from wsecho.access.origins import Origins
from wsecho.access.policy import OPEN, AccessPolicy, Authentication, Secrets
from wsecho.http.credentials import BEARER, digest
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response
from wsecho.routes.admin_routes import AdminRoutes
from wsecho.routes.admission import Admission
from wsecho.routes.assets import Assets, directory
from wsecho.routes.health import Health
from wsecho.routes.metrics_page import MetricsPage
from wsecho.routes.pages import WEBSOCKET_PATHS
from wsecho.routes.public_routes import PublicRoutes
from wsecho.routes.request_info import RequestInfo
from wsecho.websocket.upgrade import Upgrade


async def metrics_page(accept: str) -> tuple[str, bytes]:
    return "text/plain", b""


def made(answer: Response | Deferred | Upgrade) -> Response | Upgrade:
    """Return an answer that may take a while."""
    return asyncio.run(answer.make()) if isinstance(answer, Deferred) else answer


@dataclass
class Ports:
    """The routes of both ports, and the health that they share."""

    health: Health
    public: PublicRoutes
    admin: AdminRoutes


def make_routes(policy: AccessPolicy = OPEN, *, has_admin_port: bool = False, admin_name: str | None = None) -> Ports:
    health = Health(lambda: False)
    assets = Assets(directory())
    info = RequestInfo("an instance", "python").page
    metrics = MetricsPage(metrics_page).page
    admission = Admission(health, lambda client_key: False, policy, "first", lambda: True)
    public = PublicRoutes(admission, health, policy, assets, info, None if has_admin_port else metrics)
    return Ports(health, public, AdminRoutes(health, policy.admin, assets, info, metrics, admin_name))


@pytest.fixture
def routes() -> Ports:
    return make_routes()


def get(path: str) -> Request:
    return Request("GET", path, path, "", "1.1", (("Host", "a"),), keep_alive=True, has_body=False)


def status_of(routes: Ports, request: Request) -> int:
    answer = made(routes.public.answer(request))
    assert isinstance(answer, Response)
    return answer.status


def test_readiness_ends_with_the_drain_and_liveness_does_not(routes: Ports) -> None:
    for path in ("/ready", "/readyz", "/health", "/healthz", "/livez"):
        assert status_of(routes, get(path)) == 200
    routes.health.draining = True
    for path in ("/ready", "/readyz"):
        assert status_of(routes, get(path)) == 503
    for path in ("/health", "/healthz", "/livez"):
        assert status_of(routes, get(path)) == 200


def test_no_websocket_is_opened_any_more_during_a_drain(routes: Ports) -> None:
    assert isinstance(routes.public.answer(request_with()), Upgrade)
    routes.health.draining = True
    answer = routes.public.answer(request_with())
    assert isinstance(answer, Response)
    assert (answer.status, answer.close) == (503, True)
    assert "Retry-After" in dict(answer.headers)


@pytest.mark.parametrize("has_admin_port", [False, True])
def test_404_says_what_there_is_and_it_is_there(*, has_admin_port: bool) -> None:
    routes = make_routes(has_admin_port=has_admin_port)
    for answer in (routes.public.answer, routes.admin.answer):
        nothing = made(answer(get("/nowhere")))
        assert isinstance(nothing, Response)
        assert nothing.status == 404
        named = re.findall(r"(?<![/:])(/\w*)(?=[, ]|$)", nothing.line)
        assert {"/health", "/ready", "/info"} <= {*named}
        assert ("/metrics" in named) is (answer == routes.admin.answer or not has_admin_port)
        assert ("ws://" in nothing.line) is (answer == routes.public.answer)
        for path in named:
            page = made(answer(get(path)))
            assert isinstance(page, Response)
            assert page.status == 200


def test_a_slash_at_the_end_changes_neither_the_answer_nor_its_route(routes: Ports) -> None:
    paths = ("/metrics", "/info", "/health", "/healthz", "/livez", "/ready", "/readyz", *WEBSOCKET_PATHS)
    for answer in (routes.public.answer, routes.admin.answer):
        for path in paths:
            without, with_slash = made(answer(get(path))), made(answer(get(f"{path}/")))
            assert isinstance(without, Response)
            assert isinstance(with_slash, Response)
            assert with_slash.status == without.status
            assert (
                routes.public.route_of(get(f"{path}/"), with_slash) == routes.public.route_of(get(path), without) != ""
            )
    for path in ("/metrics//", "/static/client.js/", "//"):
        assert status_of(routes, get(path)) == 404


def test_a_slash_at_the_end_opens_no_door() -> None:
    door = Authentication({BEARER: [Secrets([digest(b"token")])]})
    routes = make_routes(AccessPolicy(Origins((), guarded=True), clients=door, metrics=door, admin=door))
    assert [status_of(routes, get(path)) for path in ("/metrics/", "/info/")] == [401, 401]


def test_the_admin_port_goes_by_the_name_that_it_was_given() -> None:
    routes = make_routes(has_admin_port=True, admin_name="box")
    ours = ("box", "box:9000", "BOX:9000", "box.", "127.0.0.1:9000")
    for host, status in (*((host, 200) for host in ours), ("boxes", 403), ("a.box", 403)):
        request = Request("GET", "/health", "/health", "", "1.1", (("Host", host),))
        assert made(routes.admin.answer(request)).status == status  # type: ignore[union-attr]
