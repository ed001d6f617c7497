"""Messages and bytes that the server sends of its own accord."""

import json
from typing import Any

from wsecho.routes.request_info import as_received
from wsecho.scenarios.language.arguments import Bytes
from wsecho.scenarios.language.data import Data
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Peer
from wsecho.websocket.echo import BINARY, TEXT

# The most bytes that the message of `info` is expected to have.
_INFO = 16 << 10
_NOT_SHOWN = "[redacted]"
# The longest header of a frame that a server sends.
_HEADER = 10


async def message(peer: Peer, data: Data) -> None:
    """Send a text message."""
    await peer.send_long(TEXT, data.size, data.pieces(peer.messages_sent + 1))


async def binary(peer: Peer, data: Data) -> None:
    """Send a binary message."""
    await peer.send_long(BINARY, data.size, data.pieces(peer.messages_sent + 1))


async def raw_bytes(peer: Peer, data: Data) -> None:
    """Send bytes as they are, in no frame of ours."""
    await peer.write(data.payload(peer.messages_sent + 1))


async def info(peer: Peer) -> None:
    """Send what the server has received in the handshake, as JSON.

    A page of any origin can read it, so it must not show cookies that pages cannot read.
    """
    facts = as_received(peer.request) | {"attempt": peer.attempt}
    facts["headers"] = [(name, _NOT_SHOWN if name.lower() == "cookie" else text) for name, text in facts["headers"]]
    await peer.send(TEXT, json.dumps(facts, ensure_ascii=False).encode())


def _info_cost(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(0.0, _INFO, 1)


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
                judge=("echo equal",),
            ),
            Row(
                "25.1.1",
                "/ws/message/hex:",
                act="wait",
                expect={"opened": True, "messages": [""], "within": 5},
                judge=("echo equal",),
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
                judge=("echo equal",),
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
        arguments=(Argument("data", Bytes(is_short=True), "text, or hex:, b64:, size:; shorter than other data"),),
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
    Word(
        name="info",
        number="31.9",
        group="M",
        server="Sends a text message: the handshake as the server received it, as JSON, without credentials and "
        "cookies, and the number of the connection under its key.",
        client="Gives the message to the application.",
        rfc="RFC 6455 section 5.6",
        run=info,
        cost=_info_cost,
        rows=(
            Row(
                "31.9.1",
                "/ws/info/close/1000",
                act="wait",
                expect={"opened": True, "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000",),
            ),
        ),
    ),
)
