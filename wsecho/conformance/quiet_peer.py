"""A WebSocket that echoes nothing: what a client echoes must not come back to it once more."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from wsecho.scenarios.language.plan import Step
from wsecho.scenarios.steps.peer import Peer, Receiving


class QuietPeer:
    """Stands in the place of a peer for a step. All else is the peer's own."""

    def __init__(self, peer: Peer) -> None:
        vars(self)["_peer"] = peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._peer, name, value)

    def receive(self, receiving: Receiving) -> None:
        """Set what happens to messages: they are discarded where they would be echoed."""
        self._peer.receive(Receiving.DISCARD if receiving is Receiving.ECHO else receiving)


def quietly(step: Step) -> Step:
    """Return the step without any echo."""
    if step.word.stage == "opening":
        return step
    return Step(replace(step.word, run=partial(_run, step.word.run)), step.values)


async def _run(run: Callable[..., Awaitable[None]], peer: Peer, *values: Any) -> None:
    await run(cast(Peer, QuietPeer(peer)), *values)
