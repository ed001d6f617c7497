"""What the kernel knows of a connection, and ends of TCP that transports do not offer."""

import asyncio
import contextlib
import fcntl
import os
import select
import socket
import struct
import sys
import termios
from time import monotonic

# Seconds between two looks at what the client has acknowledged.
_LOOK_INTERVAL = 0.01
# In a socket that is repaired, the kernel sends nothing, not even at its end (TCP_REPAIR in linux/tcp.h).
_REPAIR = 19
_NO_LINGER = struct.pack("ii", 1, 0)
# Not every system can tell that the client has ended its side; then only a reset is noticed.
_ENDED = getattr(select, "POLLRDHUP", 0)


def _descriptor(transport: asyncio.Transport) -> int:
    """Return the file descriptor of the socket, -1 if it is closed. It belongs to the transport."""
    own: int | None = transport.get_extra_info("descriptor")
    if own is not None:
        return own
    peer: socket.socket | None = transport.get_extra_info("socket")
    return peer.fileno() if peer is not None else -1


def opened_copy(transport: asyncio.Transport) -> socket.socket:
    """Return a copy of the socket, which is to be closed. Raises OSError if the connection has ended."""
    return socket.socket(fileno=os.dup(_descriptor(transport)))


def reset(transport: asyncio.Transport) -> None:
    """End a connection with RST. What the kernel has not sent yet is lost."""
    with contextlib.suppress(OSError), opened_copy(transport) as copy:
        # SO_LINGER with a time of 0: the kernel sends RST instead of FIN when the last descriptor of the socket is
        # closed (socket(7)).
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def cut(transport: asyncio.Transport) -> None:
    """End the server's side of TCP with FIN, behind the back of TLS, which would send a close_notify first.

    Nothing may be unsent.
    """
    with contextlib.suppress(OSError), opened_copy(transport) as copy:
        # Closing a copy ends nothing; this does.
        copy.shutdown(socket.SHUT_WR)


def may_vanish() -> bool:
    """Return whether this process may end a connection without FIN and RST. On Linux this takes CAP_NET_ADMIN."""
    try:
        with socket.socket() as probe:
            _repair(probe)
    except OSError:
        return False
    return True


def vanish(transport: asyncio.Transport) -> None:
    """End a connection without FIN and RST: the next bytes of the client are answered with RST.

    Raises OSError where that is not allowed or not possible.
    """
    with opened_copy(transport) as copy:
        _repair(copy)
    transport.abort()


def _repair(connection: socket.socket) -> None:
    if sys.platform != "linux":
        raise OSError("only Linux can repair sockets")
    connection.setsockopt(socket.IPPROTO_TCP, _REPAIR, 1)


def is_vanishing(connection: socket.socket) -> bool:
    """Return whether the kernel will send nothing when the socket is closed."""
    return sys.platform == "linux" and bool(connection.getsockopt(socket.IPPROTO_TCP, _REPAIR))


def unacknowledged(transport: asyncio.Transport) -> int:
    """Return the bytes that the client has not acknowledged, 0 where that is not known (SIOCOUTQ in tcp(7))."""
    try:
        answer = fcntl.ioctl(_descriptor(transport), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return 0
    return int.from_bytes(answer, sys.byteorder)


async def acknowledged(transport: asyncio.Transport, limit: float) -> None:
    """Wait until the client's kernel has taken what was sent, at most `limit` seconds."""
    until = monotonic() + limit
    while unacknowledged(transport) and monotonic() < until:
        await asyncio.sleep(_LOOK_INTERVAL)


def has_left(transport: asyncio.Transport) -> bool:
    """Return whether the client has ended its side of a connection, or reset it. It does not matter what is unread."""
    descriptor = _descriptor(transport)
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, _ENDED)
    return bool(poll.poll(0))
