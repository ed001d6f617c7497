"""Liveness and readiness, also while the server drains."""

import pytest

from tests.shared.routes import Ports, get, status_of
from tests.shared.server import RunningServer


@pytest.mark.parametrize("path", ["/health", "/healthz", "/livez", "/ready", "/readyz"])
def test_health_and_readiness(server: RunningServer, path: str) -> None:
    status, headers, body = server.get(path)
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert body in (b"ok\n", b"ready\n")


def test_readiness_ends_with_the_drain_and_liveness_does_not(routes: Ports) -> None:
    for path in ("/ready", "/readyz", "/health", "/healthz", "/livez"):
        assert status_of(routes, get(path)) == 200
    routes.health.draining = True
    for path in ("/ready", "/readyz"):
        assert status_of(routes, get(path)) == 503
    for path in ("/health", "/healthz", "/livez"):
        assert status_of(routes, get(path)) == 200
