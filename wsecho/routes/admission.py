"""Decides which WebSocket handshakes are accepted."""

from collections.abc import Callable

from wsecho.access.policy import AccessPolicy
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response
from wsecho.routes.health import Health
from wsecho.routes.refusals import full, stopping, too_many_connections
from wsecho.routes.scenario_routes import PREFIX, ScenarioRoutes
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Takeover, Upgrade


class Admission:
    """Accepts or refuses handshakes.

    The reasons for a refusal, in the order in which they are checked: the server is draining, the server is full, the
    client has too many connections, the access policy forbids the handshake, the handshake is invalid.
    """

    def __init__(
        self,
        health: Health,
        has_too_many: Callable[[str], bool],
        policy: AccessPolicy,
        subprotocol_policy: str,
        may_deflate: Callable[[], bool],
        make_accept_key: Callable[[str], str] = handshake.accept_key,
    ) -> None:
        """`has_too_many` tells whether the client with a given key has too many connections. `may_deflate` tells
        whether there is memory for another connection with permessage-deflate. `make_accept_key` is the codec's.
        `scenarios` are set afterwards, where there are any.
        """
        self.scenarios: ScenarioRoutes | None = None
        self._health = health
        self._has_too_many = has_too_many
        self._policy = policy
        self._subprotocol_policy = subprotocol_policy
        self._may_deflate = may_deflate
        self._make_accept_key = make_accept_key

    def answer(self, request: Request) -> Response | Upgrade | Takeover | Deferred:
        """Return the answer to a handshake: a refusal, an upgrade, or the scenario that answers."""
        if self._health.draining:
            return stopping(refusal="draining")
        if self._health.is_full():
            return full()
        if self._has_too_many(request.client_key):
            return too_many_connections(request.client_key)
        if refusal := self._policy.refuse_handshake(request):
            return refusal
        if request.path.startswith(PREFIX) and self.scenarios and self.scenarios.own(request):
            return self.scenarios.answer(request)
        return self.agree(request)

    def agree(self, request: Request, *, may_deflate: bool = True) -> Response | Upgrade:
        """Return the upgrade that a handshake asks for, or a refusal if it is invalid."""
        answer = handshake.answer(request, self._subprotocol_policy, self._make_accept_key)
        if isinstance(answer, Upgrade) and answer.deflate and not (may_deflate and self._may_deflate()):
            answer.deflate = None
        return answer
