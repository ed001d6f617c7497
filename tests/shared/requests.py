"""Requests as the HTTP parser returns them."""

from dataclasses import replace

from wsecho.http.request import Request

# The example of RFC 6455 section 1.3.
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE_FIELDS = {
    "Host": "here",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def request_of(*headers: tuple[str, str]) -> Request:
    """Return a request for `/` with these header fields."""
    return Request("GET", "/", "/", "", "1.1", headers, keep_alive=True, has_body=False)


def request_with(query: str = "", **changes: str | list[str] | None) -> Request:
    """Return a valid handshake with header fields replaced, repeated, or (None) left out. `_` stands for `-`."""
    fields = HANDSHAKE_FIELDS | {name.replace("_", "-"): value for name, value in changes.items()}
    headers = (
        (name, value)
        for name, values in fields.items()
        if values is not None
        for value in ([values] if isinstance(values, str) else values)
    )
    request = request_of(*headers)
    return replace(request, target=f"/?{query}", query=query) if query else request
