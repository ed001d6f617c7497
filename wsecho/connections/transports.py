"""What the transports leave to us at the end of a connection."""

import asyncio
import fcntl
import socket
import sys
import termios

# Bytes written to a socket that the peer has not acknowledged (tcp(7): SIOCOUTQ, which is this).
_UNACKNOWLEDGED = termios.TIOCOUTQ


def half_close(transport: asyncio.Transport) -> None:
    """Send what is left and then the end of the stream, while the peer may still send, which nobody will be told.

    Where bytes of TLS wait for the peer to read, only `resume_writing` is arranged for; call this again from there. A
    connection that the peer has reset in the meantime is aborted.
    """
    if not transport.can_write_eof():
        _end_tls(transport)
        return
    try:
        transport.write_eof()
    except OSError:
        transport.abort()


def _end_tls(transport: asyncio.Transport) -> None:
    """Send a close_notify, then read to the peer's or the end of the stream (RFC 8446 section 6.1).

    The transport does all that in `close`, in a time that is measured from its call: it must not begin while a slow
    peer still reads what is left.
    """
    if transport.get_write_buffer_size():
        transport.set_write_buffer_limits(high=0)
    else:
        transport.resume_reading()
        transport.close()


def abort_if_reset(transport: asyncio.Transport) -> None:
    """End a connection that the peer has reset. To be called after every read that nothing is written in answer to.

    When a reset arrives together with data, uvloop stops watching the socket after that one read, and the transport,
    which got the data, is not told. A write would fail and end the connection; without one it would stay for ever.
    """
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None and not transport.is_closing() and peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        transport.abort()


def unread(transport: asyncio.Transport) -> int:
    """Return the bytes that wait in the transport and, where there are such, those that the system still has of it.

    The system's buffers hold megabytes, and take more only when a third of that is free: by the transport's bytes alone
    a slow reader seems to stand still for a minute.
    """
    waiting = transport.get_write_buffer_size()
    peer: socket.socket | None = transport.get_extra_info("socket") if waiting else None
    if peer is None:
        return waiting
    try:
        answer = fcntl.ioctl(peer.fileno(), _UNACKNOWLEDGED, bytes(4))
    except (OSError, ValueError):
        # Not every system tells, and none of a socket that is closed.
        return waiting
    return waiting + int.from_bytes(answer, sys.byteorder)
