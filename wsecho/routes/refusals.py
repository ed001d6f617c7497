"""Refusals that do not depend on what was asked for."""

from wsecho.http.response import Response, plain


def full() -> Response:
    """Return the answer to a handshake for which there is no room."""
    return plain(503, "the server is full", (("Retry-After", "5"),), close=True, refusal="capacity")


def too_many_connections(client_key: str) -> Response:
    """Return the answer to a client that has too many connections: it is told by which address it is known."""
    line = f"too many connections are open from {client_key}"
    return plain(429, line, (("Retry-After", "5"),), close=True, refusal="address")


def stopping(*, refusal: str = "") -> Response:
    """Return the answer to whoever comes while the server stops."""
    return plain(503, "the server is stopping", (("Retry-After", "1"),), close=True, refusal=refusal)
