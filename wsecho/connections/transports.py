"""The end of a transport: half-close, resets that the transport does not report, and bytes that are still unread."""

import asyncio
import fcntl
import socket
import sys
import termios

# Bytes written to a socket that the peer has not acknowledged (SIOCOUTQ in tcp(7), the same request as TIOCOUTQ).
_UNACKNOWLEDGED = termios.TIOCOUTQ


def half_close(transport: asyncio.Transport) -> None:
    """Send the remaining bytes and then the end of the stream. The peer may still send; the caller drops what arrives.

    On a TLS connection with unsent bytes, this only arranges for a call of `resume_writing` when they are sent; call
    this function again from there. A connection that the peer has reset in the meantime is aborted.
    """
    if not transport.can_write_eof():
        _end_tls(transport)
        return
    try:
        transport.write_eof()
    except OSError:
        transport.abort()


def _end_tls(transport: asyncio.Transport) -> None:
    """Send a close_notify, then read until the peer's close_notify or the end of the stream (RFC 8446 section 6.1).

    `close` of the transport does all of that. Its time limit starts when it is called, so it must not be called while a
    slow peer still reads the remaining bytes.
    """
    if transport.get_write_buffer_size():
        transport.set_write_buffer_limits(high=0)
    else:
        transport.resume_reading()
        transport.close()


def abort_if_reset(transport: asyncio.Transport) -> None:
    """Abort a connection that the peer has reset. Must be called after every read to which the server writes no answer.

    When a reset arrives together with data, uvloop stops watching the socket after that read. aiofastnet's transport
    gets the data, but no report of the reset. A write would fail and end the connection; without a write it would stay
    open for ever. The server's own TCP transport sees every reset by itself, and offers no socket to ask.
    """
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None and not transport.is_closing() and peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        transport.abort()


def unread(transport: asyncio.Transport) -> int:
    """Return the bytes that wait in the transport, plus, if there are any, the bytes that wait in the kernel's buffer.

    The kernel's buffer holds megabytes, and the kernel takes more bytes only when a third of it is free. By the
    transport's bytes alone, a slow reader seems to stand still for a minute.
    """
    waiting = transport.get_write_buffer_size()
    if not waiting:
        return 0
    try:
        answer = fcntl.ioctl(_descriptor(transport), _UNACKNOWLEDGED, bytes(4))
    except (OSError, ValueError):
        # Not every system supports the request, and none does for a closed socket.
        return waiting
    return waiting + int.from_bytes(answer, sys.byteorder)


def _descriptor(transport: asyncio.Transport) -> int:
    """Return the file descriptor of the socket, or -1."""
    own: int | None = transport.get_extra_info("descriptor")
    if own is not None:
        return own
    peer: socket.socket | None = transport.get_extra_info("socket")
    return peer.fileno() if peer is not None else -1
