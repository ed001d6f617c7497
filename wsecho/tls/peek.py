"""Looking at the first bytes of an accepted socket, which whoever serves it reads again."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable


class Peek:
    """Waits for what stands at the beginning of connections."""

    def __init__(self, longest: int, bytes_needed: Callable[[bytes], int]) -> None:
        """`bytes_needed` is told what is there and returns how much has to be: no more than `longest`."""
        # Shared by all connections: an allocation for each was measured to cost each of them up to 4 KiB for ever.
        self._buffer = memoryview(bytearray(longest))
        self._bytes_needed = bytes_needed

    async def first_bytes(self, accepted: socket.socket, loop: asyncio.AbstractEventLoop) -> bytes:
        """Wait until enough is there, or the end, and return it. Raises OSError, or what `bytes_needed` raises."""
        wanted = 1
        while True:
            # Wakes us when so much is there, or no more will come.
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
            await _readable(accepted, loop)
            try:
                count = accepted.recv_into(self._buffer, 0, socket.MSG_PEEK)
            except BlockingIOError:
                continue
            # After a reset there may be something to read, and the event loop will not say again that there was one.
            reset = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if reset or not count:
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
            data = bytes(self._buffer[:count])
            needed = self._bytes_needed(data)
            if count < wanted or needed <= count:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                return data
            wanted = needed


async def _readable(accepted: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    readable = asyncio.Event()
    loop.add_reader(accepted, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(accepted)
