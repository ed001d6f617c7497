"""Peers that mean harm: requests that drip, echoes that are never read, bombs, broken rules."""

import asyncio
import contextlib
import itertools
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import monotonic

from tests.shared.frames import BINARY, TEXT, client_frame
from tests.shared.raw import HANDSHAKE
from tests.soak.client import Books, connect

_OFFERING_DEFLATE = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
_RSV1 = 4
# Each is answered by a Close with this code.
_VIOLATIONS = {
    1002: client_frame(TEXT, b"no mask", mask=None),
    1007: client_frame(TEXT, b"\xff"),
    1009: client_frame(BINARY, length=b"\x7f" + (1 << 40).to_bytes(8, "big")),
}


@dataclass(frozen=True)
class Mix:
    """How many at a time, or how many a second."""

    drippers: int = 500
    slow_readers: int = 200
    bombs: float = 100.0
    violations: float = 50.0


@dataclass
class Damage:
    """What became of them: everything but an answer as it should be is unanswered."""

    dripped: int = 0
    cut_off: int = 0
    answered: int = 0
    unanswered: int = 0
    codes: dict[int, int] = field(default_factory=dict)


def bomb(inflated: int) -> bytes:
    """Return a frame that would become `inflated` bytes."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = (deflate.compress(bytes(inflated)) + deflate.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")
    return client_frame(BINARY, payload, reserved=_RSV1, mask=bytes(4))


async def assault(port: int, mix: Mix, seconds: float) -> Damage:
    """Do all of it for so long."""
    damage = Damage()
    end = monotonic() + seconds
    charge = bomb(16 << 20)
    kinds = list(_VIOLATIONS.items())
    await asyncio.gather(
        *(_again(lambda: _drip(port, damage, end), end) for _ in range(mix.drippers)),
        *(_again(lambda: _never_read(port, damage, end), end) for _ in range(mix.slow_readers)),
        _at_rate(lambda number: _expect(port, _OFFERING_DEFLATE, charge, 1009, damage), mix.bombs, end),
        _at_rate(
            lambda number: _expect(port, HANDSHAKE, kinds[number % 3][1], kinds[number % 3][0], damage),
            mix.violations,
            end,
        ),
    )
    return damage


async def _again(attack: Callable[[], Coroutine[None, None, None]], end: float) -> None:
    while monotonic() < end:
        with contextlib.suppress(OSError, TimeoutError):
            await attack()


async def _at_rate(attack: Callable[[int], Coroutine[None, None, None]], rate: float, end: float) -> None:
    running: set[asyncio.Task[None]] = set()
    began, number = monotonic(), 0
    while (now := monotonic()) < end:
        while number < (now - began) * rate:
            task = asyncio.create_task(attack(number))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
        await asyncio.sleep(0.01)
    await asyncio.gather(*running)


async def _drip(port: int, damage: Damage, end: float) -> None:
    """Send a byte of a request each half second, until the server has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for letter in itertools.chain(b"GET / HTTP/1.1\r\nX-Drip: ", itertools.repeat(ord("x"))):
            # uvloop refuses to write in the moment between the end of a connection and the report of it.
            if monotonic() >= end or writer.transport.is_closing():
                return
            writer.write(letter.to_bytes(1, "big"))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    if await reader.read(1 << 12):
                        damage.dripped += 1
                    return
    finally:
        writer.transport.abort()


async def _never_read(port: int, damage: Damage, end: float) -> None:
    """Send without reading, until the server cuts the connection."""
    books = Books()
    client = await connect(port, books, receive_buffer=4096)
    if client is None:
        return
    client.transport.pause_reading()
    messages = client_frame(BINARY, bytes(16_000), mask=bytes(4)) * 32
    while monotonic() < end and not client.ended.done():
        if client.transport.get_write_buffer_size() < 1 << 16:
            client.transport.write(messages)
        await asyncio.sleep(0.05)
    damage.cut_off += client.ended.done()
    client.transport.abort()


async def _expect(port: int, handshake: bytes, words: bytes, code: int, damage: Damage) -> None:
    """Open a WebSocket, break a rule, and look for the right Close."""
    client = await connect(port, Books(), handshake)
    got = 0
    if client:
        client.transport.write(words)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                got = await client.ended
        client.transport.abort()
    damage.codes[got] = damage.codes.get(got, 0) + 1
    if got == code:
        damage.answered += 1
    else:
        damage.unanswered += 1
