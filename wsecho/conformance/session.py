"""Runs a case, or sends one answer, on the connection that a client has opened for it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial

from wsecho.conformance.cases import Case
from wsecho.conformance.conversation import Conversation
from wsecho.conformance.quiet_peer import quietly
from wsecho.conformance.results import Results
from wsecho.conformance.verdict import echoes, has_pong, judge, must_fail, unimplemented
from wsecho.connections.http_connection import Handover
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.scenarios.catalogue import VOCABULARY
from wsecho.scenarios.language.grammar import canonical
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.language.plan import Phase, Plan, Step
from wsecho.scenarios.language.word import Word
from wsecho.scenarios.negotiation import negotiate
from wsecho.scenarios.run.opening import OpeningConnection
from wsecho.scenarios.run.scenario import Scenario
from wsecho.scenarios.seen.observation import Observation
from wsecho.scenarios.setting import Setting
from wsecho.scenarios.steps.peer import Peer, Receiving
from wsecho.websocket.echo import TEXT
from wsecho.websocket.upgrade import Takeover, Upgrade

_READ_SIZE = 16 << 10
_SEEDS = 1 << 31
_NORMAL_CLOSURE = 1000
# Seconds that a client has to answer the Close frame that the server sends when a case is over.
_CLOSING = 10.0
# Seconds that a client may be late: it may be on a busy machine.
_SLACK = 1.0

Run = Callable[[Peer], Awaitable[None]]


class Sessions:
    """Performs plans on the connections of one worker."""

    def __init__(self, setting: Setting, results: Results) -> None:
        self._setting = setting
        self._results = results
        self._memory = memoryview(bytearray(_READ_SIZE))

    def answer(self, request: Request, run: Run) -> Response | Takeover:
        """Accept a handshake, and let `run` do the rest, which must close the connection."""
        upgrade = self._setting.agree(request, may_deflate=False)
        if isinstance(upgrade, Response):
            return upgrade
        plan = Plan((Phase((_step(run),)),), options=_defaults())
        return Takeover(partial(self._start, plan, request.path, upgrade, Observation(), lambda: None))

    def run(self, request: Request, case: Case, agent: str) -> Response | Takeover:
        """Run a case on the connection of a handshake."""
        upgrade = negotiate(self._setting.agree, case.plan, request)
        if isinstance(upgrade, Response):
            return upgrade
        self._results.begin(case, agent)
        if lacking := _lacking(case, request, upgrade):
            self._results.add(unimplemented(case, agent, f"The client does not offer {lacking}."))
            return self.answer(request, lambda peer: peer.close(_NORMAL_CLOSURE))
        return Takeover(partial(self._start_case, case, agent, upgrade))

    def _start_case(self, case: Case, agent: str, upgrade: Upgrade, handover: Handover) -> None:
        conversation = Conversation(lambda: self._results.add(judge(case, agent, conversation)))
        steps = tuple(map(quietly, case.plan.phases[0].steps))
        if not case.ends_itself:
            steps = (*(step for step in steps if step.word.name != "echo"), _step(partial(_finish, case, conversation)))
        plan = Plan((Phase(steps),), case.plan.given, case.plan.options)
        seconds = case.seconds + _SLACK + (0.0 if case.ends_itself else _CLOSING)
        deadline = asyncio.get_running_loop().call_later(seconds, _give_up, conversation, handover.transport)
        self._start(plan, canonical(case.plan, VOCABULARY), upgrade, conversation, deadline.cancel, handover)

    def _start(
        self,
        plan: Plan,
        text: str,
        upgrade: Upgrade,
        observation: Observation,
        on_end: Callable[[], None],
        handover: Handover,
    ) -> None:
        scenario = Scenario(
            plan,
            handover.request,
            LOCAL,
            text,
            attempt=1,
            seed=plan.given.get("seed", secrets.randbelow(_SEEDS)),
            identity=secrets.token_hex(8),
            observation=observation,
            count_step=self._setting.counters.scenario_step,
            on_end=on_end,
        )
        OpeningConnection(handover, upgrade, self._setting.websockets, scenario, self._memory).start()


def _lacking(case: Case, request: Request, upgrade: Upgrade) -> str:
    """Return what a case needs and the client does not offer, empty if there is nothing."""
    if ("deflate" in case.row.needs or case.plan.needs_deflate) and upgrade.deflate is None:
        return "permessage-deflate"
    if "subprotocols" in case.row.needs and not request.tokens("sec-websocket-protocol"):
        return "subprotocols"
    return ""


async def _finish(case: Case, conversation: Conversation, peer: Peer) -> None:
    """Send what the client is to echo, wait for its answers, and close the connection."""
    # Before the messages: one that a client echoes must not be echoed again.
    peer.receive(Receiving.DISCARD)
    for payload in case.messages:
        await peer.send(TEXT, payload)
    # What is collected to be sent with the next bytes goes out at this wait.
    await peer.sleep(0)
    await conversation.until(lambda: _is_answered(case, conversation), case.seconds)
    conversation.server_closed = conversation.client_close is None and not conversation.has_ended
    await peer.close(_NORMAL_CLOSURE)


def _is_answered(case: Case, conversation: Conversation) -> bool:
    """Return whether nothing more is to be waited for: all answers have come, or the client has done something else."""
    if conversation.client_close is not None or conversation.has_ended:
        return True
    wanted, found = echoes(case, conversation), conversation.messages["client"]
    if wanted is not None and len(found) > len(wanted):
        return True
    if any(each.payload and not has_pong(conversation, each.payload.payload(1)) for each in case.judgements):
        return False
    return not must_fail(case) and wanted is not None and len(found) == len(wanted)


def _give_up(conversation: Conversation, transport: asyncio.Transport) -> None:
    conversation.gave_up = True
    transport.abort()


def _step(run: Run) -> Step:
    """Return a step that is counted as an echo, and that the catalogue does not have."""
    return Step(Word("echo", "", "", "", "", "", run))


def _defaults() -> dict[str, object]:
    return {name: option.default for name, option in VOCABULARY.options.items()}
