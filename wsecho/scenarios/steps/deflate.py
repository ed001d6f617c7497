"""Group L: permessage-deflate (RFC 7692)."""

import zlib
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from wsecho.scenarios.language.arguments import Count, Either, Size, written_size
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Demand, Options, Row, Word
from wsecho.scenarios.steps.peer import Peer
from wsecho.websocket.echo import CONTINUATION, PING, TEXT

OFF = "off"
NO_CONTEXT = "no-context-takeover"
_RSV1 = 4
# The four octets that a sender leaves out at the end of every message (RFC 7692 section 7.2.1).
_MESSAGE_END = b"\x00\x00\xff\xff"
# Window bits of the smallest window that may be negotiated, so that every client can read what the server compresses.
_WINDOW_BITS = 9
_BLOCK = 1 << 20
_DEFAULT_BOMB = 256 << 20
# A bomb inflates to a thousand times as much, roughly; the rest is for its last block.
_RATIO = 900
_LAST_BLOCK = 4096


def compressed(text: bytes) -> bytes:
    """Return the payload of a compressed message (RFC 7692 section 7.2.1)."""
    return _blocks(text).removesuffix(_MESSAGE_END)


def bomb(size: int) -> bytes:
    """Return the payload of a compressed message of `size` letters. Next to nothing is compressed for it."""
    whole, rest = divmod(size, _BLOCK)
    blocks = _block() * whole + (_blocks(b"a" * rest) if rest or not whole else b"")
    return blocks.removesuffix(_MESSAGE_END)


@cache
def _block() -> bytes:
    return _blocks(b"a" * _BLOCK)


def _blocks(text: bytes) -> bytes:
    """Return blocks that refer to nothing before them, and end at a byte."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -_WINDOW_BITS)
    return stream.compress(text) + stream.flush(zlib.Z_FULL_FLUSH)


async def deflate_bomb(peer: Peer, size: int) -> None:
    """Send a short message that inflates to a long one."""
    await peer.send(TEXT, bomb(size), reserved=_RSV1)


def _sends(*frames: tuple[int, bytes, bool, int]) -> Callable[[Peer], Awaitable[None]]:
    async def step(peer: Peer) -> None:
        """Send frames: opcode, payload, whether it is the last of a message, and the reserved bits."""
        for opcode, payload, final, reserved in frames:
            await peer.send(opcode, payload, final=final, reserved=reserved)

    return step


def _bomb_cost(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(0.0, values[0] // _RATIO + _LAST_BLOCK, 1)


def _bomb_fault(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    if values[0] <= limits.bytes_out:
        return ""
    return (
        f"the message of 'malformed/deflate-bomb' inflates to {written_size(values[0])}: at most "
        f"{written_size(limits.bytes_out)} are allowed, such as malformed/deflate-bomb/{written_size(limits.bytes_out)}"
    )


def _row(number: str, url: str, codes: tuple[int, ...], cases: tuple[str, ...], demand: Demand) -> Row:
    return Row(
        number,
        url,
        act="wait",
        expect={"opened": True, "messages": [], "close_code": [*codes, 1006], "within": 5},
        demand=demand,
        judge=(f"close {' or '.join(map(str, codes))} or end",),
        needs=("deflate",),
        cases=cases,
    )


def _wrong(
    number: str,
    name: str,
    rfc: str,
    server: str,
    *frames: tuple[int, bytes, bool, int],
    codes: tuple[int, ...] = (1002,),
) -> Word:
    return Word(
        f"malformed/{name}",
        number,
        "L",
        f"{server} The client must offer permessage-deflate.",
        f"Fails the connection with close code {' or '.join(map(str, codes))}.",
        rfc,
        _sends(*frames),
        needs_deflate=True,
        rows=(_row(f"{number}.1", f"/ws/malformed/{name}/message/more", codes, (), "must"),),
    )


def _echoes(number: str, form: str, *cases: str) -> Row:
    """Return the row in which the client reads its echoes with some parameters."""
    return Row(
        number,
        f"/ws?deflate={form}",
        act="send 3 of size 2KiB",
        expect={"opened": True, "echoes": 3, "within": 5},
        judge=("echo equal",),
        needs=("deflate",),
        cases=cases,
    )


# Rows of the option, which are about the echo.
ROWS = (
    _echoes(
        *("30.10.1", "15", "netty#11413", "Kitura/Kitura-WebSocket-NIO#22", "karlseguin/websocket.zig#72", "JW#1496"),
        "okhttp#5839",
    ),
    _echoes("30.10.2", NO_CONTEXT, "netty#11413", "wspp#1193"),
    _echoes("30.10.3", "9", "pyws#945"),
    Row(
        "30.10.4",
        "/ws?deflate=off",
        act="send 3 of size 2KiB",
        expect={"opened": True, "echoes": 3, "within": 5},
        judge=("echo equal",),
    ),
)

OPTIONS = (
    Argument(
        "deflate",
        Either((OFF, NO_CONTEXT), Count(_WINDOW_BITS, 15)),
        "what the 101 response agrees on: no permessage-deflate; no context takeover, in both directions; or the "
        "window bits, in both directions too. Fewer than 15 need an offer of client_max_window_bits. A client whose "
        "offer does not allow it is refused",
    ),
)

WORDS = (
    Word(
        name="malformed/deflate-bomb",
        number="30.1",
        group="L",
        server="Sends a compressed text message of {size}, which takes a thousandth of that on the wire. The client "
        "must offer permessage-deflate.",
        client="Fails the connection with close code 1009 when the inflated message is longer than its limit, and "
        "inflates no further.",
        rfc="RFC 7692 section 9 and RFC 6455 section 10.4",
        run=deflate_bomb,
        arguments=(
            Argument(
                "size", Size(1), f"{written_size(_DEFAULT_BOMB)} if left out", optional=True, default=_DEFAULT_BOMB
            ),
        ),
        cost=_bomb_cost,
        fault=_bomb_fault,
        needs_deflate=True,
        collects=True,
        rows=(
            _row(
                "30.1.1",
                "/ws/malformed/deflate-bomb",
                (1009,),
                ("apache/httpcomponents-client#821", "tornado#2391", "ws#1720"),
                "should",
            ),
        ),
    ),
    _wrong(
        *("30.2", "deflate-garbage", "RFC 7692 section 7.2.2"),
        "Sends a message that is marked as compressed, but begins with a block type that does not exist.",
        (TEXT, b"\x07garbage", True, _RSV1),
        codes=(1002, 1007),
    ),
    _wrong(
        *("30.3", "deflate-continuation", "RFC 7692 section 6.1"),
        "Sends a compressed message of two fragments, of which the second has the bit RSV1 too.",
        (TEXT, compressed(b"twice")[:3], False, _RSV1),
        (CONTINUATION, compressed(b"twice")[3:], True, _RSV1),
    ),
    _wrong(
        *("30.4", "deflate-ping", "RFC 7692 section 6.1"),
        "Sends a Ping frame with the bit RSV1.",
        (PING, compressed(b"ping"), True, _RSV1),
    ),
    _wrong(
        *("30.5", "deflate-not-utf8", "RFC 6455 section 8.1"),
        "Sends a compressed text message that inflates to a byte that is not UTF-8.",
        (TEXT, compressed(b"caf\xe9!"), True, _RSV1),
        codes=(1007,),
    ),
)
