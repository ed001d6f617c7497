"""Which handshakes become WebSockets: none while the server drains.

Modules: `admission`, `refusals`.
"""

from tests.shared.requests import request_with
from tests.shared.routes import Ports
from wsecho.http.response import Response
from wsecho.websocket.upgrade import Upgrade


def test_no_websocket_is_opened_any_more_during_a_drain(routes: Ports) -> None:
    assert isinstance(routes.public.answer(request_with()), Upgrade)
    routes.health.draining = True
    answer = routes.public.answer(request_with())
    assert isinstance(answer, Response)
    assert (answer.status, answer.close) == (503, True)
    assert "Retry-After" in dict(answer.headers)
