"""Messages and bytes that the server sends of its own accord."""

from typing import Any

from wsecho.scenarios.language.arguments import Bytes
from wsecho.scenarios.language.data import Data
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Peer
from wsecho.websocket.echo import BINARY, TEXT

# The longest header of a frame that a server sends.
_HEADER = 10


async def message(peer: Peer, data: Data) -> None:
    """Send a text message."""
    await peer.send(TEXT, data.payload(peer.messages_sent + 1))


async def binary(peer: Peer, data: Data) -> None:
    """Send a binary message."""
    await peer.send(BINARY, data.payload(peer.messages_sent + 1))


async def raw_bytes(peer: Peer, data: Data) -> None:
    """Send bytes as they are, in no frame of ours."""
    await peer.write(data.payload(peer.messages_sent + 1))


def _cost(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(0.0, values[0].size + _HEADER, 1)


OPTIONS = ()

WORDS = (
    Word(
        name="message",
        number="31.4",
        group="M",
        server="Sends a text message: {data}.",
        client="Gives the message to the application.",
        rfc="RFC 6455 section 5.6",
        run=message,
        arguments=(Argument("data", Bytes(as_text=True), "text, or hex:, b64:, size:"),),
        cost=_cost,
        rows=(
            Row(
                "31.4.1",
                "/ws/message/hello",
                act="wait",
                expect={"opened": True, "messages": ["hello"], "within": 5},
            ),
            Row(
                "25.1.1",
                "/ws/message/hex:",
                act="wait",
                expect={"opened": True, "messages": [""], "within": 5},
                cases=("bun#3488",),
            ),
        ),
    ),
    Word(
        name="binary",
        number="31.5",
        group="M",
        server="Sends a binary message: {data}.",
        client="Gives the message to the application.",
        rfc="RFC 6455 section 5.6",
        run=binary,
        arguments=(Argument("data", Bytes(), "text, or hex:, b64:, size:"),),
        cost=_cost,
        rows=(
            Row(
                "31.5.1",
                "/ws/binary/hex:00ff",
                act="wait",
                expect={"opened": True, "messages": ["hex:00ff"], "within": 5},
            ),
        ),
    ),
    Word(
        name="bytes",
        number="31.6",
        group="M",
        server="Sends bytes that may be anything, such as a frame from a bug report: {data}.",
        client="Does what the bytes demand.",
        rfc="RFC 6455 section 5.2",
        run=raw_bytes,
        arguments=(Argument("data", Bytes(is_raw=True), "text, or hex:, b64:, size:; shorter than other data"),),
        cost=_cost,
        rows=(
            Row(
                "31.6.1",
                "/ws/bytes/hex:8802044c",
                act="wait",
                expect={"opened": True, "messages": [], "within": 5, "close_code": [1002, 1006]},
                judge=("close 1002 or end",),
                cases=("Marfusios/websocket-client#160",),
            ),
        ),
    ),
)
