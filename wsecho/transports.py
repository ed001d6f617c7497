"""What the transports leave to us at the end of a connection."""

import asyncio
import socket


def half_close(transport: asyncio.Transport) -> None:
    """Send what is left and then the end of the stream, while the peer may still send.

    A connection that the peer has reset in the meantime is aborted.
    """
    try:
        transport.write_eof()
    except OSError:
        transport.abort()


def abort_if_reset(transport: asyncio.Transport) -> None:
    """End a connection that the peer has reset. To be called after every read that nothing is written in answer to.

    When a reset arrives together with data, uvloop stops watching the socket after that one read, and the transport,
    which got the data, is not told. A write would fail and end the connection; without one it would stay for ever.
    """
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None and not transport.is_closing() and peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        transport.abort()
