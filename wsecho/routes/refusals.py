"""Refusals that do not depend on the request: no room, too many connections, graceful shutdown."""

from wsecho.http.response import Response, plain


def full() -> Response:
    """Return the answer to a handshake when the server has no room for another connection."""
    return plain(503, "the server is full", (("Retry-After", "5"),), close=True, refusal="capacity")


def too_many_connections(client_key: str) -> Response:
    """Return the answer to a client that has too many connections. It names the address that they are counted by."""
    line = f"too many connections are open from {client_key}"
    return plain(429, line, (("Retry-After", "5"),), close=True, refusal="address")


def stopping(*, refusal: str = "") -> Response:
    """Return the answer to a request during graceful shutdown. `refusal` is the reason why a handshake is refused."""
    return plain(503, "the server is stopping", (("Retry-After", "1"),), close=True, refusal=refusal)
