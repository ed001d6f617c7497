"""The answer to a handshake that was accepted: from here on the connection is a WebSocket."""

from dataclasses import dataclass

from wsecho.http.response import Headers
from wsecho.websocket.deflate import Agreement


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An accepted opening handshake. `headers` are those of the answer, status 101 in HTTP/1.1.

    `deflate` is the agreement on permessage-deflate, None where messages are not compressed. `subprotocol` is the one
    that was chosen, None where there is none.
    """

    headers: Headers
    deflate: Agreement | None
    subprotocol: str | None = None
