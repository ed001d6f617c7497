"""Heads of requests as bytes, and the parser that reads them."""

from wsecho.http.http1 import (
    RequestError,
    RequestReader,
)
from wsecho.http.request import Request


def head(*lines: str) -> bytes:
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def read(pieces: list[bytes]) -> Request | int | None:
    """Return the request, the status of its refusal, or None when more is needed."""
    reader = RequestReader()
    for piece in pieces:
        try:
            request = reader.feed(piece)
        except RequestError as error:
            return error.status
        if request is not None:
            return request
    return None
