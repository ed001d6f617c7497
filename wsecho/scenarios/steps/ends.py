"""Group A: how the connection ends."""

import math
from typing import Any

from wsecho.scenarios.language.arguments import CloseCode, Text
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Closing, Peer, Receiving

_NORMAL_CLOSURE = 1000


async def close(peer: Peer, code: int | None) -> None:
    """Perform the closing handshake (RFC 6455 section 7.1.2)."""
    reason: bytes = peer.options["reason"].encode()
    if code is None and peer.client_close is not None:
        # Without a code, the client's own one comes back (RFC 6455 section 5.5.1). Without any, no reason can be sent.
        code = int.from_bytes(peer.client_close[:2], "big") or (_NORMAL_CLOSURE if reason else 0)
        await peer.close(code, reason or peer.client_close[2:])
    else:
        await peer.close(code or _NORMAL_CLOSURE, reason)


async def close_empty(peer: Peer) -> None:
    """Perform the closing handshake with a Close frame that has no code."""
    await peer.close(0)


async def close_abort(peer: Peer, code: int) -> None:
    """Send a Close frame and end TCP with RST at once."""
    await peer.send_close(_payload(peer, code))
    await peer.reset(at_once=True)


async def close_hold(peer: Peer, code: int) -> None:
    """Send a Close frame, and do not end TCP when the client's has come."""
    peer.closing = Closing.KEEP
    await peer.send_close(_payload(peer, code))
    await peer.ended()


async def close_cross(peer: Peer, code: int) -> None:
    """Echo until the client's Close frame begins to arrive, and send one that is no answer to it."""
    peer.receive(Receiving.ECHO)
    await peer.client_begins_close()
    await peer.close(code, peer.options["reason"].encode())


def _payload(peer: Peer, code: int) -> bytes:
    reason: str = peer.options["reason"]
    return code.to_bytes(2, "big") + reason.encode()


async def end(peer: Peer) -> None:
    """End TCP with FIN."""
    await peer.end()


async def cut(peer: Peer) -> None:
    """End TCP with FIN, on TLS without close_notify."""
    await peer.cut()


async def abort(peer: Peer) -> None:
    """End TCP with RST."""
    await peer.reset()


def _without_end(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(math.inf, 128, 1)


_CODE = Argument("code", CloseCode(), "1000 if left out", optional=True, default=_NORMAL_CLOSURE)

OPTIONS = (Argument("reason", Text(123, described="text"), "the reason in the Close frame", default=""),)

WORDS = (
    Word(
        name="close",
        number="20.1",
        group="A",
        server="Sends a Close frame with code {code}, waits for the client's, and ends TCP with FIN.",
        client="Answers with a Close frame of the same code, waits for the end of TCP, and reports code and reason.",
        rfc="RFC 6455 sections 5.5.1 and 7.1.2",
        run=close,
        arguments=(
            Argument("code", CloseCode(), "1000, or after on-close the client's own if left out", optional=True),
        ),
        options=("reason",),
        ends=True,
        rows=(
            Row(
                "20.1.1",
                "/ws/close/1000",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000", "nothing after close"),
            ),
            Row(
                "20.1.2",
                "/ws/close/1001?reason=going%20away",
                act="wait",
                expect={
                    **{"opened": True, "messages": [], "close_code": 1001, "reason": "going away", "clean": True},
                    "within": 5,
                },
                judge=("close 1001", "nothing after close"),
                cases=("Starscream#58", "bun#35529", "cesanta/mongoose#1118"),
            ),
            Row(
                "20.1.3",
                "/ws/close/4000?reason=%C3%A9t%C3%A9",
                act="wait",
                expect={
                    **{"opened": True, "messages": [], "close_code": 4000, "reason": "été", "clean": True},
                    "within": 5,
                },
                judge=("close 4000", "nothing after close"),
                cases=("Marfusios/websocket-client#160",),
            ),
            Row(
                "20.1.4",
                "/ws/message/last/close/1000",
                act="wait",
                expect={"opened": True, "messages": ["last"], "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000", "nothing after close"),
                cases=("ws#710", "pyws#1538", "feixuwu/UEWebsocket#49"),
            ),
            Row(
                "20.1.5",
                "/ws/close/1000?reason=slowly&chunk=1",
                act="wait",
                expect={
                    **{"opened": True, "messages": [], "close_code": 1000, "reason": "slowly", "clean": True},
                    "within": 5,
                },
                judge=("close 1000", "nothing after close"),
                cases=("bun#42511",),
            ),
        ),
    ),
    Word(
        name="close-empty",
        number="20.2",
        group="A",
        server="Sends a Close frame without a code, waits for the client's, and ends TCP with FIN.",
        client="Answers with a Close frame, and reports 1005, which stands for no code.",
        rfc="RFC 6455 sections 5.5.1 and 7.1.5",
        run=close_empty,
        ends=True,
        rows=(
            Row(
                "20.2.1",
                "/ws/close-empty",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": 1005, "clean": True, "within": 5},
                judge=("close empty or 1000", "nothing after close"),
                cases=("helidon-io/helidon#12464", "undici#2679", "bun#35529"),
            ),
        ),
    ),
    Word(
        name="end",
        number="20.3",
        group="A",
        server="Ends TCP with FIN, without a Close frame. On TLS, a close_notify comes before it.",
        client="Ends its side too, and reports 1006: the connection was lost.",
        rfc="RFC 6455 sections 7.1.5 and 7.1.7",
        run=end,
        ends=True,
        rows=(
            Row(
                "20.3.1",
                "/ws/end",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": 1006, "clean": False, "within": 5},
                judge=("ends TCP",),
                cases=("ws#543", "ws#31", "okhttp#3113", "AHC#302", "vlang/v#26956"),
            ),
        ),
    ),
    Word(
        name="abort",
        number="20.4",
        group="A",
        server="Ends TCP with RST, without a Close frame.",
        client="Reports 1006: the connection was lost.",
        rfc="RFC 6455 section 7.1.5",
        run=abort,
        ends=True,
        rows=(
            Row(
                "20.4.1",
                "/ws/abort",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": 1006, "clean": False, "within": 5},
                cases=("Starscream#935", "denoland/deno#21737", "OutlineFoundation/outline-sdk#377"),
            ),
        ),
    ),
    Word(
        name="close-abort",
        number="20.5",
        group="A",
        server="Sends a Close frame with code {code}, and ends TCP with RST at once.",
        client="Reports the code of the Close frame, unless the reset has destroyed it; then it reports 1006.",
        rfc="RFC 6455 sections 7.1.1 and 7.1.5",
        run=close_abort,
        arguments=(_CODE,),
        options=("reason",),
        ends=True,
        rows=(
            Row(
                "20.5.1",
                "/ws/close-abort/1008",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": [1008, 1006], "within": 5},
                demand="should",
                cases=("ws#1134", "corefx#36928"),
            ),
            Row(
                "20.5.2",
                "/ws/close-abort/1001",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": [1001, 1006], "within": 5},
                demand="should",
                cases=("okhttp#3722",),
            ),
        ),
    ),
    Word(
        name="close-hold",
        number="20.6",
        group="A",
        server="Sends a Close frame with code {code}, and does not end TCP when the client's has come. It ends TCP "
        "when the client has ended its side.",
        client="Answers with a Close frame of the same code, waits a reasonable time for the end of TCP, ends TCP "
        "itself, and reports the code.",
        rfc="RFC 6455 section 7.1.1",
        run=close_hold,
        arguments=(_CODE,),
        options=("reason",),
        cost=_without_end,
        ends=True,
        rows=(
            Row(
                "20.6.1",
                "/ws/close-hold/1000",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": 1000, "within": 15},
                demand="should",
                judge=("close 1000", "nothing after close", "ends TCP"),
                slow=10,
                cases=("pyws#1487", "pyws#73", "bun#43048"),
            ),
            Row(
                "20.6.2",
                "/ws/on-close/close-hold/1000",
                act="close",
                expect={"opened": True, "messages": [], "close_code": 1000, "within": 15},
                demand="should",
                judge=("close 1000", "nothing after close", "ends TCP"),
                slow=10,
                cases=("pyws#1487", "pyws#73"),
            ),
        ),
    ),
    Word(
        name="close-cross",
        number="20.7",
        group="A",
        server="Echoes until the first byte of a Close frame arrives, and sends a Close frame with code {code} at "
        "once, without waiting for the rest: the two cross. Then it waits for the client's, and ends TCP with FIN. "
        "'on-close' would wait for the whole frame.",
        client="Sends no second Close frame, and reports the code of the one that it received.",
        rfc="RFC 6455 sections 5.5.1 and 7.1.5",
        run=close_cross,
        arguments=(_CODE,),
        options=("reason",),
        ends=True,
        keeps_close=True,
        rows=(
            Row(
                "20.7.1",
                "/ws/close-cross/4000",
                act="close",
                expect={"opened": True, "messages": [], "close_code": 4000, "clean": True, "within": 5},
                judge=("close 1000", "nothing after close"),
                cases=("corefx#36975",),
            ),
        ),
    ),
    Word(
        name="cut",
        number="20.8",
        group="A",
        server="Ends TCP with FIN, without a Close frame and, on TLS, without close_notify. Without TLS this is 'end'.",
        client="Reports 1006: the connection was lost.",
        rfc="RFC 6455 section 7.1.5, RFC 8446 section 6.1",
        run=cut,
        ends=True,
        rows=(
            Row(
                "20.8.1",
                "/ws/message/last/cut",
                act="wait",
                expect={"opened": True, "messages": ["last"], "close_code": 1006, "clean": False, "within": 5},
                needs=("tls",),
                cases=("snapview/tungstenite-rs#316", "mkrueger/icy_tools#8", "WSN#137"),
            ),
        ),
    ),
)
