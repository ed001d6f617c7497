"""Which handshakes become WebSockets."""

from collections.abc import Callable

from wsecho.access.policy import Gate
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.routes.health import Health
from wsecho.routes.refusals import crowded, full, stopping
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Upgrade


class Admission:
    """Refuses a handshake for want of room, by the rules of access, or for what is wrong with it; in this order."""

    def __init__(
        self,
        health: Health,
        is_crowded: Callable[[str], bool],
        gate: Gate,
        subprotocol_policy: str,
        may_deflate: Callable[[], bool],
    ) -> None:
        """`is_crowded` tells whether a client has too many connections, `may_deflate` whether there is memory for
        another one that compresses.
        """
        self._health = health
        self._is_crowded = is_crowded
        self._gate = gate
        self._subprotocol_policy = subprotocol_policy
        self._may_deflate = may_deflate

    def answer(self, request: Request) -> Response | Upgrade:
        """Answer an attempted handshake."""
        if self._health.draining:
            return stopping(refusal="draining")
        if self._health.is_full():
            return full()
        if self._is_crowded(request.share):
            return crowded(request.share)
        refusal = self._gate.refuse_handshake(request)
        return refusal or handshake.answer(request, self._subprotocol_policy, may_deflate=self._may_deflate())
