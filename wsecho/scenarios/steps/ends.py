"""Group A: how the connection ends."""

from wsecho.scenarios.language.arguments import CloseCode, Text
from wsecho.scenarios.language.word import Argument, Row, Word
from wsecho.scenarios.steps.peer import Peer

_NORMAL_CLOSURE = 1000


async def close(peer: Peer, code: int | None) -> None:
    """Perform the closing handshake (RFC 6455 section 7.1.2)."""
    if code is None and peer.client_close is not None:
        # Without a code, the client's own one comes back (RFC 6455 section 5.5.1).
        await peer.close(int.from_bytes(peer.client_close[:2], "big") or 0, peer.client_close[2:])
    else:
        await peer.close(code or _NORMAL_CLOSURE, peer.options["reason"].encode())


async def close_empty(peer: Peer) -> None:
    """Perform the closing handshake with a Close frame that has no code."""
    await peer.close(0)


async def end(peer: Peer) -> None:
    """End TCP with FIN."""
    await peer.end()


async def abort(peer: Peer) -> None:
    """End TCP with RST."""
    await peer.reset()


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
        arguments=(Argument("code", CloseCode(), "1000 if left out; after on-close, the client's own", optional=True),),
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
)
