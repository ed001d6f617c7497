"""The answers to an accepted opening handshake, after which the connection is a WebSocket."""

from collections.abc import Callable
from typing import Any, NamedTuple

from wsecho.http.response import Headers
from wsecho.websocket.deflate import Agreement

# The same in every answer.
_BEGINNING = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


class Upgrade:
    """An accepted opening handshake, which is answered with status 101 (RFC 9110 section 15.2.2).

    `accept` is the value of Sec-WebSocket-Accept. `deflate` is what was negotiated for permessage-deflate, None if
    messages are not compressed. `subprotocol` is the one that the server has chosen, or None.
    """

    __slots__ = ("accept", "deflate", "subprotocol")

    def __init__(self, accept: str, deflate: Agreement | None = None, subprotocol: str | None = None) -> None:
        self.accept = accept
        self.deflate = deflate
        self.subprotocol = subprotocol

    @property
    def headers(self) -> Headers:
        """The header fields of the answer (RFC 6455 section 4.2.2, step 5)."""
        lines = [line.partition(": ") for line in self.encode().decode().splitlines()]
        return tuple((name, value) for name, _, value in lines[1:-1])

    def encode(self) -> bytes:
        """Return the bytes of the answer."""
        head = f"{_BEGINNING}{self.accept}\r\n"
        if self.subprotocol:
            head += f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n"
        if self.deflate:
            head += f"Sec-WebSocket-Extensions: {self.deflate.header}\r\n"
        return f"{head}\r\n".encode()


class Takeover(NamedTuple):
    """A valid opening handshake that a scenario answers, in its own way. `start` takes over the connection.

    Its argument is a `wsecho.connections.http_connection.Handover`.
    """

    start: Callable[[Any], None]
