"""Judges a case by what the server saw, in the words that Autobahn uses."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from wsecho.conformance.cases import Case
from wsecho.conformance.conversation import Conversation, Event
from wsecho.conformance.messages import Message, expected, shown
from wsecho.scenarios.language.arguments import Bytes
from wsecho.scenarios.language.judgement import EMPTY, ENDED, Judgement
from wsecho.scenarios.language.limits import LOCAL
from wsecho.websocket.echo import BINARY, PONG, TEXT

OK = "OK"
NON_STRICT = "NON-STRICT"
INFORMATIONAL = "INFORMATIONAL"
UNIMPLEMENTED = "UNIMPLEMENTED"
FAILED = "FAILED"
WRONG_CODE = "WRONG CODE"
UNCLEAN = "UNCLEAN"
_FAILURES = (FAILED, WRONG_CODE, UNCLEAN)
# What a case becomes that a correct client may, but should not, end like this; and one that has no right end.
_SOFTENED = {"should": (NON_STRICT, INFORMATIONAL), "unspecified": (INFORMATIONAL, INFORMATIONAL)}
_NORMAL_CLOSURE = 1000
_HALF_A_CODE = 1
_WAYS = {EMPTY: "no code", ENDED: "an end of TCP"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended for an agent. `result` and `result_close` say why, in words.

    `code` is the close code that the client has sent, None without one. `log` is kept only for a case that is not OK.
    """

    case: Case
    agent: str
    behavior: str
    behavior_close: str
    result: str
    result_close: str
    code: int | None = None
    reason: str = ""
    seconds: float = 0.0
    log: tuple[Event, ...] = field(default=(), repr=False)

    @property
    def is_failure(self) -> bool:
        """Whether the client did what it must not do."""
        return self.behavior in _FAILURES or self.behavior_close in _FAILURES

    @property
    def is_ok(self) -> bool:
        """Whether there is nothing to say about the case."""
        return (self.behavior, self.behavior_close) == (OK, OK)


def judge(case: Case, agent: str, conversation: Conversation) -> Verdict:
    """Return the verdict on what a client did in a case."""
    faults = list(_faults(case, conversation))
    behavior = FAILED if faults else OK
    behavior_close, result_close = _close(case, conversation)
    if case.row.demand in _SOFTENED:
        softened, softened_close = _SOFTENED[case.row.demand]
        behavior = softened if behavior == FAILED else behavior
        behavior_close = softened_close if behavior_close in _FAILURES else behavior_close
    payload = conversation.client_close
    verdict = Verdict(
        case,
        agent,
        behavior,
        behavior_close,
        "; ".join(faults) or "The client did what is expected.",
        result_close,
        None if payload is None or len(payload) < 2 else int.from_bytes(payload[:2], "big"),
        payload[2:].decode(errors="replace") if payload else "",
        conversation.seconds,
        tuple(conversation.log),
    )
    return verdict if not verdict.is_ok else without_log(verdict)


def without_log(verdict: Verdict) -> Verdict:
    """Return the verdict without the log, which is not needed where nothing is wrong."""
    return Verdict(
        *(verdict.case, verdict.agent, verdict.behavior, verdict.behavior_close, verdict.result, verdict.result_close),
        *(verdict.code, verdict.reason, verdict.seconds),
    )


def not_run(case: Case, agent: str, why: str) -> Verdict:
    """Return the verdict on a case for which the client did not connect."""
    return Verdict(case, agent, FAILED, FAILED, why, why)


def unimplemented(case: Case, agent: str, why: str) -> Verdict:
    """Return the verdict on a case that needs what the client does not offer."""
    return Verdict(case, agent, UNIMPLEMENTED, OK, why, "The case was not run.")


def echoes(case: Case, conversation: Conversation) -> list[Message] | None:
    """Return the messages that the client must send back, None if the row does not say."""
    if case.messages:
        return [expected(TEXT, payload) for payload in case.messages]
    written = case.row.expect.get("messages")
    if written is not None:
        return [_expected(text, number) for number, text in enumerate(written, start=1)]
    if not case.opens:
        return []
    is_echo = any(each.about == "echo" for each in case.judgements)
    return conversation.messages["server"] if is_echo else None


def _expected(text: str, number: int) -> Message:
    """Return the message that a row writes as `text`: one in hexadecimal is binary."""
    data = Bytes().parse(text, LOCAL)
    return expected(BINARY if data.form == "hex" else TEXT, data.payload(number))


def _faults(case: Case, conversation: Conversation) -> Iterator[str]:
    """Yield what the client did wrong, apart from how it closed."""
    yield from _wrong_echoes(case, conversation)
    for judgement in case.judgements:
        if fault := _fault(case, conversation, judgement):
            yield fault
    if not case.opens and (conversation.server_closed or conversation.gave_up):
        yield f"it neither refused the handshake nor ended the connection within {case.seconds:g} s"


def _wrong_echoes(case: Case, conversation: Conversation) -> Iterator[str]:
    wanted, found = echoes(case, conversation), conversation.messages["client"]
    if wanted is None:
        return
    for number, message in enumerate(found, start=1):
        if number > len(wanted):
            what = "it accepted what it must refuse: " if not wanted else ""
            yield f"{what}message {number} came back, although it was not to be echoed: {message}"
            return
        right = wanted[number - 1]
        if (message.opcode, message.digest) != (right.opcode, right.digest):
            yield f"echo {number} is '{message}' instead of '{right}'"
            return
    # Where the server closes of its own accord, the client may be unable to echo, unless the scenario waits for it.
    must_be_all = not case.ends_itself or any(each.about == "echo" for each in case.judgements)
    if must_be_all and len(found) < len(wanted):
        until = f"within {case.seconds:g} s" if conversation.server_closed else "before it ended the connection"
        yield f"{len(found)} of {len(wanted)} messages came back {until}"


def _fault(case: Case, conversation: Conversation, judgement: Judgement) -> str | None:
    if judgement.about == "pong" and judgement.payload:
        payload = judgement.payload.payload(1)
        if not has_pong(conversation, payload):
            return f"no Pong frame with the payload {shown(payload) or 'of no bytes'} came"
    if judgement.about == "nothing after close" and conversation.behind_close:
        return f"behind its Close frame, it sent '{conversation.behind_close[0]}'"
    if judgement.about == "ends TCP" and conversation.gave_up:
        return f"it did not end TCP within {case.seconds:g} s"
    if judgement.about == "close" and conversation.server_closed and must_fail(case):
        return f"it did not fail the connection within {case.seconds:g} s"
    return None


def must_fail(case: Case) -> bool:
    """Return whether the client must end the connection, so that nothing but its end is an answer."""
    codes = next((each.codes for each in case.judgements if each.about == "close"), (_NORMAL_CLOSURE,))
    return not case.opens or _NORMAL_CLOSURE not in codes


def has_pong(conversation: Conversation, payload: bytes) -> bool:
    """Return whether the client has sent a Pong frame with a payload."""
    return any(each.opcode == PONG and each.payload == payload for each in conversation.controls)


def _close(case: Case, conversation: Conversation) -> tuple[str, str]:
    """Return how the client closed, and why that is right or wrong."""
    codes = next((each.codes for each in case.judgements if each.about == "close"), None)
    if codes is None:
        if case.ends_itself or not case.opens:
            return OK, "How the connection was closed is not judged."
        codes = (_NORMAL_CLOSURE,)
    wanted = " or ".join(_WAYS.get(code, str(code)) for code in codes)
    payload = conversation.client_close
    if payload is None:
        if conversation.gave_up:
            return FAILED, f"It sent no Close frame and did not end TCP in time; expected: {wanted}."
        right = ENDED in codes
        return (OK, "It ended TCP.") if right else (UNCLEAN, f"It ended TCP without a Close frame; expected: {wanted}.")
    if len(payload) == _HALF_A_CODE:
        return WRONG_CODE, f"Its Close frame has half a code; expected: {wanted}."
    code = int.from_bytes(payload[:2], "big") if payload else EMPTY
    if code in codes:
        return OK, f"It closed with {_WAYS.get(code, code)}."
    if code == _NORMAL_CLOSURE and ENDED not in codes:
        # RFC 6455 section 5.5.1 calls the same code typical.
        return INFORMATIONAL, f"It answered with {code}; the code of the server is usual: {wanted}."
    return WRONG_CODE, f"It closed with {_WAYS.get(code, code)}; expected: {wanted}."
