"""HTTP responses, whichever HTTP version carries them."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass

Headers = tuple[tuple[str, str], ...]

TEXT = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response. Header values are ours or checked: no peer's byte gets into them unseen.

    `close` asks that the connection ends after it. `refusal` is the reason why a handshake was refused, by its label in
    the metrics; empty where nobody attempted one.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    close: bool = False
    refusal: str = ""

    @property
    def line(self) -> str:
        """The body of an answer of one line of text."""
        return self.body.decode().rstrip("\n")


@dataclass(frozen=True, slots=True)
class Deferred:
    """A response that takes some milliseconds to make, in pieces between which others have their turn."""

    make: Callable[[], Coroutine[None, None, Response]]


def plain(status: int, line: str, headers: Headers = (), *, close: bool = False, refusal: str = "") -> Response:
    """Return a response of one line of text, never to be cached."""
    fields = (TEXT, ("Cache-Control", "no-store"), *headers)
    return Response(status, fields, f"{line}\n".encode(), close, refusal)
