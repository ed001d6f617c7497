"""Sends one message over a new connection and waits for its echo, which marks the end of a server's start.

It is written with plain sockets, because the standard library has no WebSocket client.
"""

import socket

from benchmarks.servers import BenchmarkError

ANSWER_SECONDS = 60.0
MASK = bytes((0x5A, 0xC3, 0x17, 0xE8))
TEXT = b"the first message"
# The example of RFC 6455 section 1.3: a Sec-WebSocket-Key and its Sec-WebSocket-Accept.
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def echo_once(port: int) -> None:
    """Open a WebSocket, send a text message, and return when its echo has arrived.

    Raises BenchmarkError if the handshake or the echo is wrong or missing.
    """
    with open_websocket(port) as connection:
        echo(connection)


def open_websocket(port: int) -> socket.socket:
    """Return a connection after its handshake. Raises BenchmarkError."""
    connection = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
    try:
        connection.sendall(REQUEST)
        response = b""
        while b"\r\n\r\n" not in response:
            response += _receive(connection)
        if not response.startswith(b"HTTP/1.1 101 ") or ACCEPT not in response:
            raise BenchmarkError(f"handshake refused: {response[:80]!r}")
    except BaseException:
        connection.close()
        raise
    return connection


def echo(connection: socket.socket) -> None:
    """Send a text message, and return when its echo has arrived. Raises BenchmarkError."""
    message = bytes((0x81, 0x80 | len(TEXT))) + MASK + bytes(byte ^ MASK[i % 4] for i, byte in enumerate(TEXT))
    expected = bytes((0x81, len(TEXT))) + TEXT
    connection.sendall(message)
    received = b""
    while len(received) < len(expected):
        received += _receive(connection)
    if received != expected:
        raise BenchmarkError(f"the first echo is wrong: {received!r}")


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(4096)
    if not received:
        raise BenchmarkError("the server closed the connection before the first echo")
    return received
