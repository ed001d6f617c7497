"""Routes while the server stops: what a connection that was open before gets to hear."""

import asyncio

import pytest

from tests.test_handshake import request_with
from wsecho.assets import Assets, directory
from wsecho.auth import OPEN, Gate
from wsecho.request import Request
from wsecho.response import Deferred, Response, Upgrade
from wsecho.routes import Routes


async def metrics_page(accept: str) -> tuple[str, bytes]:
    return "text/plain", b""


def made(answer: Response | Deferred | Upgrade) -> Response | Upgrade:
    """Return an answer that may take a while."""
    return asyncio.run(answer.make()) if isinstance(answer, Deferred) else answer


def make_routes(gate: Gate = OPEN, *, has_admin_port: bool = False) -> Routes:
    return Routes(
        Assets(directory()),
        metrics_page,
        gate,
        instance_id="an instance",
        codec="python",
        subprotocol_policy="first",
        may_deflate=lambda: True,
        is_full=lambda: False,
        is_crowded=lambda share: False,
        has_admin_port=has_admin_port,
    )


@pytest.fixture
def routes() -> Routes:
    return make_routes()


def get(path: str) -> Request:
    return Request("GET", path, path, "", "1.1", (("Host", "a"),), keep_alive=True, has_body=False)


def status_of(routes: Routes, request: Request) -> int:
    answer = made(routes.answer(request))
    assert isinstance(answer, Response)
    return answer.status


def test_readiness_ends_with_the_drain_and_liveness_does_not(routes: Routes) -> None:
    for path in ("/ready", "/readyz", "/health", "/healthz", "/livez"):
        assert status_of(routes, get(path)) == 200
    routes.draining = True
    for path in ("/ready", "/readyz"):
        assert status_of(routes, get(path)) == 503
    for path in ("/health", "/healthz", "/livez"):
        assert status_of(routes, get(path)) == 200


def test_no_websocket_is_opened_any_more_during_a_drain(routes: Routes) -> None:
    assert isinstance(routes.answer(request_with()), Upgrade)
    routes.draining = True
    answer = routes.answer(request_with())
    assert isinstance(answer, Response)
    assert (answer.status, answer.close) == (503, True)
    assert "Retry-After" in dict(answer.headers)
