"""Ends of TCP that the transport does not offer."""

import asyncio
import fcntl
import socket
import struct
import sys
import termios

_NO_LINGER = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """End a connection with RST. What the kernel has not sent yet is lost."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None and peer.fileno() >= 0:
        # SO_LINGER with a time of 0: the kernel sends RST instead of FIN when the socket is closed (socket(7)).
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def unacknowledged(transport: asyncio.Transport) -> int:
    """Return the bytes that the client has not acknowledged, 0 where that is not known (SIOCOUTQ in tcp(7))."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is None or peer.fileno() < 0:
        return 0
    try:
        answer = fcntl.ioctl(peer.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)
