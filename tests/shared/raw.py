"""A raw connection: sends and receives bytes and enforces no rules."""

import errno
import socket
import ssl
import struct
from types import TracebackType
from typing import Self

from tests.shared.frames import PING, PONG, client_frame
from tests.shared.server import PATIENCE, RunningServer

HANDSHAKE = (
    b"GET / HTTP/1.1\r\n"
    b"Host: here\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"\r\n"
)


class RawConnection:
    """Every wait has a time limit. Reaching it is an error."""

    def __init__(
        self,
        port: int,
        *,
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
        source: str = "",
        preface: bytes = b"",
    ) -> None:
        """Connect. `source` is the address to connect from; `preface` is sent first, before TLS."""
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        try:
            if source:
                # Only if asked for: binding takes a port from the range from which servers are about to bind, too.
                self.socket.bind((source, 0))
            self.socket.connect(("127.0.0.1", port))
            self.socket.sendall(preface)
            if tls:
                # An end without close_notify is an error, because with TLS anybody could have forged it.
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, count: int) -> bytes:
        """Return exactly `count` bytes, or all bytes before the end of the stream."""
        data = bytearray()
        while len(data) < count and (piece := self.socket.recv(count - len(data))):
            data += piece
        return bytes(data)

    def receive_past_pings(self, count: int) -> bytes:
        """Return `count` bytes that begin with a frame, after answering the pings that come before it."""
        while (head := self.receive(2)) == bytes((0x80 | PING, 8)):
            self.send(client_frame(PONG, self.receive(8)))
        return head + self.receive(count - len(head))

    def receive_all(self) -> bytes:
        """Return all bytes up to the end of the stream."""
        data = bytearray()
        while piece := self.socket.recv(1 << 16):
            data += piece
        return bytes(data)

    def open(self, handshake: bytes = HANDSHAKE) -> Self:
        """Perform the WebSocket handshake."""
        self.send(handshake)
        assert self.receive(len(SWITCHED)) == SWITCHED
        return self

    def half_close(self) -> None:
        """End the client's direction. What the peer has ended or reset meanwhile shows at the next receive."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise

    def reset(self) -> None:
        """End with a TCP reset instead of an orderly close."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_reset(self) -> bool:
        """Wait for the end of the stream. Return whether the peer reset the connection."""
        try:
            self.receive_all()
        except ConnectionResetError:
            return True
        return False


OFFER = HANDSHAKE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")


def exchange(server: RunningServer, request: bytes) -> bytes:
    """Send `request` and return everything up to the end of the connection."""
    with RawConnection(server.port) as connection:
        connection.send(request)
        return connection.receive_all()
