"""The public port: WebSocket paths without an upgrade, and access to pages. Modules: `scenario_routes`."""

import pytest

from tests.shared.routes import get, make_routes, status_of
from tests.shared.server import RunningServer
from wsecho.access.origins import Origins
from wsecho.access.policy import AccessPolicy, Authentication, Secrets
from wsecho.http.credentials import BEARER, digest


def test_a_slash_at_the_end_does_not_bypass_authentication() -> None:
    door = Authentication({BEARER: [Secrets([digest(b"token")])]})
    routes = make_routes(AccessPolicy(Origins((), needs_credentials=True), clients=door, metrics=door, admin=door))
    assert [status_of(routes, get(path)) for path in ("/metrics/", "/info/")] == [401, 401]


@pytest.mark.parametrize("path", ["/ws", "/echo", "/raw"])
def test_a_websocket_path_without_an_upgrade_says_what_it_is(server: RunningServer, path: str) -> None:
    status, headers, body = server.get(path)
    assert (status, headers["upgrade"], headers["sec-websocket-version"]) == (426, "websocket", "13")
    assert headers["connection"] == "close, Upgrade"
    assert b"ws://" in body
