"""Reads the first bytes of an accepted socket without consuming them (MSG_PEEK)."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable


class Peek:
    """Waits for the first bytes of connections."""

    def __init__(self, longest: int, bytes_needed: Callable[[bytes], int]) -> None:
        """`bytes_needed` gets the bytes that have arrived and returns how many must arrive: at most `longest`."""
        # All connections share this buffer. With a buffer for each one, each connection was measured to take up to
        # 4 KiB more memory for as long as it is open.
        self._buffer = memoryview(bytearray(longest))
        self._bytes_needed = bytes_needed

    async def first_bytes(self, accepted: socket.socket, loop: asyncio.AbstractEventLoop) -> bytes:
        """Wait until enough bytes have arrived, or the peer has sent its last, and return them.

        Raises OSError if the connection fails or ends without a byte, and whatever `bytes_needed` raises.
        """
        # Often they have arrived already.
        data = self._arrived(accepted)
        wanted = 1
        while data is None or wanted <= len(data) < self._bytes_needed(data):
            if data is not None:
                # The event loop reports the socket as readable when so many bytes have arrived, or no more will.
                wanted = self._bytes_needed(data)
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
            await _readable(accepted, loop)
            data = self._arrived(accepted)
        if wanted > 1:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        return data

    def _arrived(self, accepted: socket.socket) -> bytes | None:
        """Return the bytes that have arrived, None if there are none yet. Raises OSError as `first_bytes` does."""
        try:
            count = accepted.recv_into(self._buffer, 0, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        # After a reset there may still be bytes to read, and the event loop reports the reset only once.
        reset = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if reset or not count:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return bytes(self._buffer[:count])


async def _readable(accepted: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    readable = loop.create_future()
    loop.add_reader(accepted, _report, readable)
    try:
        await readable
    finally:
        loop.remove_reader(accepted)


def _report(readable: asyncio.Future[None]) -> None:
    # The event loop may call this again before the task that waits has removed the reader.
    if not readable.done():
        readable.set_result(None)
