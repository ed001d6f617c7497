"""WebSocket servers in a thread: a correct one, and one that answers each message with what a test returns."""

import asyncio
import base64
import hashlib
import re
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from tests.shared.frames import CLOSE, PONG, xor
from tests.shared.server import PATIENCE

# A function from the first byte of a frame, its payload, and the number of messages before it on its connection to the
# bytes that are sent. Empty bytes end the connection.
Answer = Callable[[int, bytes, int], bytes]
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@contextmanager
def honest(handler: Callable[[ServerConnection], Awaitable[None]] = echo, **settings: Any) -> Iterator[int]:
    """Run a server with the library `websockets`; yield its port."""
    with _in_a_thread(lambda: serve(handler, "127.0.0.1", 0, max_size=None, **settings)) as port:
        yield port


@contextmanager
def answering(answer: Answer, *extensions: str, pongs: list[bytes] | None = None) -> Iterator[int]:
    """Answer each message with what `answer` returns; yield the port. Pongs that arrive are appended to `pongs`.

    The first connection is answered with the first of `extensions`, the next one with the next, and so on in turns.
    """
    turns = cycle(extensions or [""])

    received_pongs = [] if pongs is None else pongs

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.write(_accepted(await reader.readuntil(b"\r\n\r\n"), next(turns)))
            number = 0
            while True:
                first, payload = await _read_frame(reader)
                if first & 0x0F == PONG:
                    received_pongs.append(payload)
                elif first & 0x0F == CLOSE or not (reply := answer(first, payload, number)):
                    break
                else:
                    writer.write(reply)
                    number += 1
        writer.close()

    with _in_a_thread(lambda: asyncio.start_server(connected, "127.0.0.1", 0)) as port:
        yield port


@contextmanager
def _in_a_thread(start: Callable[[], Any]) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def call(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE)

    async def started() -> Any:
        return await start()

    try:
        server = call(started())
        try:
            yield next(iter(server.sockets)).getsockname()[1]
        finally:
            call(_stop(server))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: Any) -> None:
    """Close the server and wait for all tasks of its connections."""
    server.close()
    if left := asyncio.all_tasks() - {asyncio.current_task()}:
        _, stuck = await asyncio.wait(left, timeout=PATIENCE / 2)
        assert not stuck


def _accepted(head: bytes, extensions: str) -> bytes:
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
    assert key
    accept = base64.b64encode(hashlib.sha1(key[1] + _GUID).digest()).decode()
    fields = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
    if extensions:
        fields.append(f"Sec-WebSocket-Extensions: {extensions}")
    return "\r\n".join(["HTTP/1.1 101 Switching Protocols", *fields, "", ""]).encode()


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the first byte of a client frame and its payload."""
    first, second = await reader.readexactly(2)
    assert second & 0x80, "a client's frame has a mask"
    size = second & 0x7F
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    mask = await reader.readexactly(4)
    return first, xor(await reader.readexactly(size), mask)
