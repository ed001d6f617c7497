"""A response as the routes make it, independent of the HTTP version."""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

Headers = tuple[tuple[str, str], ...]

TEXT = ("Content-Type", "text/plain; charset=utf-8")


class Response(NamedTuple):
    """A complete response. Header values come from the server or are validated: no byte of a peer gets in unchecked.

    `close` says that the connection must end after it. `refusal` is the reason why a handshake was refused, as a label
    of the metrics; empty if there was no handshake.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    close: bool = False
    refusal: str = ""

    @property
    def line(self) -> str:
        """The body, if it is one line of text, without the line end."""
        return self.body.decode().rstrip("\n")


class Deferred(NamedTuple):
    """An answer that takes some milliseconds to make. Other connections are served meanwhile.

    It becomes a `Response` or, for a handshake, what else can answer one (`wsecho.websocket.upgrade`).
    """

    make: Callable[[], Coroutine[Any, Any, Any]]


def plain(status: int, line: str, headers: Headers = (), *, close: bool = False, refusal: str = "") -> Response:
    """Return a response of one line of text, which must not be cached."""
    fields = (TEXT, ("Cache-Control", "no-store"), *headers)
    return Response(status, fields, f"{line}\n".encode(), close, refusal)
