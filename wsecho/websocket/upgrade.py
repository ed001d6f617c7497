"""The answers to an accepted opening handshake, after which the connection is a WebSocket."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wsecho.http.response import Headers
from wsecho.websocket.deflate import Agreement


@dataclass(slots=True)
class Upgrade:
    """An accepted opening handshake. `headers` are the header fields of the answer, which has status 101 in HTTP/1.1.

    `deflate` is what was negotiated for permessage-deflate, None if messages are not compressed. `subprotocol` is the
    one that the server has chosen, or None.
    """

    headers: Headers
    deflate: Agreement | None
    subprotocol: str | None = None


@dataclass(frozen=True, slots=True)
class Takeover:
    """A valid opening handshake that a scenario answers, in its own way. `start` takes over the connection.

    Its argument is a `wsecho.connections.http_connection.Handover`.
    """

    start: Callable[[Any], None]
