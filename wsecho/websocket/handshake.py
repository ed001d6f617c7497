"""The server's side of the opening handshake (RFC 6455 section 4.2)."""

import binascii
import re
from collections.abc import Callable

from wsecho.http.credentials import carries_token
from wsecho.http.pattern import pattern
from wsecho.http.request import Request
from wsecho.http.response import Response, plain
from wsecho.websocket import deflate
from wsecho.websocket.upgrade import Upgrade

# RFC 6455 section 1.3.
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16
# RFC 9110 section 5.6.2. One character class without alternatives, so matching is linear on any input.
_TOKEN = pattern(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)

# The fields of a response with status 426 (RFC 9110 section 15.5.22, RFC 6455 section 4.4).
UPGRADE = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))

# Policies for `choose_subprotocol` that are not lists of names.
FIRST_OFFERED = "first"
NONE = "none"


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept value, which proves that `key` was read (RFC 6455 section 4.2.2, step 5.4)."""
    import hashlib  # imported only when needed, because this import is slow

    digest = hashlib.sha1(key.encode() + GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False).decode()


def is_attempted(request: Request) -> bool:
    """Return whether the client tried to open a WebSocket.

    A proxy that drops Upgrade or Connection leaves the Sec-WebSocket header fields in place. The answer to such a
    request says what is missing, instead of being a page.
    """
    return bool(request.values("sec-websocket-key") or request.values("sec-websocket-version")) or request.has_token(
        "upgrade", "websocket"
    )


def answer(
    request: Request, subprotocol_policy: str, make_accept_key: Callable[[str], str] = accept_key
) -> Upgrade | Response:
    """Validate a handshake and return the upgrade, or a refusal.

    A refusal closes the connection, because a proxy may already treat it as a tunnel. `make_accept_key` is the
    codec's function that does what `accept_key` does.
    """
    if refusal := _refusal(request):
        return refusal
    subprotocol = None
    if subprotocols := request.tokens("sec-websocket-protocol"):
        if refusal := _refusal_of_subprotocols(subprotocols):
            return refusal
        subprotocol = chosen_subprotocol(subprotocols, subprotocol_policy)
    offers = request.value("sec-websocket-extensions")
    try:
        agreement = deflate.negotiate(offers) if offers else None
    except ValueError as error:
        return refuse(400, "extensions", f"Sec-WebSocket-Extensions is {error}")
    return Upgrade(make_accept_key(request.values("sec-websocket-key")[0]), agreement, subprotocol)


def _refusal(request: Request) -> Response | None:
    if request.method != "GET":
        return refuse(405, "method", f"a WebSocket handshake is a GET request, not {request.method}", Allow="GET")
    if request.version != "1.1":
        return refuse(400, "http_version", f"a WebSocket handshake needs HTTP/1.1, not HTTP/{request.version}")
    if request.has_body:
        return refuse(400, "body", "a WebSocket handshake has no body, but this request announces one")
    if not request.has_token("upgrade", "websocket"):
        return upgrade_required("the Upgrade header lacks 'websocket': did a proxy remove it?", refusal="upgrade")
    if not request.has_token("connection", "upgrade"):
        return refuse(400, "connection", "the Connection header lacks 'upgrade': did a proxy remove it?")
    if request.values("sec-websocket-version") != ["13"]:
        return upgrade_required("Sec-WebSocket-Version must be given once, as 13", refusal="websocket_version")
    keys = request.values("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return refuse(400, "key", "Sec-WebSocket-Key must be given once, as 16 bytes in base64")
    return None


def _refusal_of_subprotocols(offers: list[str]) -> Response | None:
    if not all(map(_TOKEN.fullmatch, offers)) or len(set(offers)) != len(offers):
        return refuse(400, "subprotocol", "Sec-WebSocket-Protocol must be a list of different ASCII tokens")
    if all(map(carries_token, offers)):
        return refuse(400, "subprotocol", "Sec-WebSocket-Protocol needs a name beside the one that carries a token")
    return None


def chosen_subprotocol(offers: list[str], policy: str) -> str | None:
    """Return the subprotocol of the answer, or None. `offers` may have one that carries a token."""
    names = [offer for offer in offers if not carries_token(offer)]
    # A client that sends a token in a subprotocol is a browser, and browsers fail the connection if the answer names no
    # subprotocol.
    must_be_answered = len(names) < len(offers)
    return choose_subprotocol(names, policy) or (names[0] if must_be_answered else None)


def choose_subprotocol(offers: list[str], policy: str) -> str | None:
    """Return the subprotocol to use, out of `offers` in the client's order of preference, or None.

    `policy` is `first` (the first one offered, because browsers fail the connection if the answer names none), `none`,
    or a comma-separated list of names in the server's order of preference.
    """
    if policy == FIRST_OFFERED:
        return offers[0] if offers else None
    if policy == NONE:
        return None
    return next((name for name in policy.split(",") if name in offers), None)


def is_subprotocol_policy(policy: str) -> bool:
    """Return whether `policy` is valid for `choose_subprotocol`."""
    return all(_TOKEN.fullmatch(name) for name in policy.split(","))


def _is_key(key: str) -> bool:
    try:
        return len(key) == 24 and len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except ValueError:  # also if it is not ASCII
        return False


def refuse(status: int, refusal: str, line: str, **headers: str) -> Response:
    """Return the response that refuses a handshake. `refusal` is the label of the reason in the metrics."""
    return plain(status, line, tuple(headers.items()), close=True, refusal=refusal)


def upgrade_required(line: str, *, refusal: str = "") -> Response:
    """Return the response to a request that should have been a handshake, with status 426 (RFC 6455 section 4.4)."""
    return plain(426, line, UPGRADE, close=True, refusal=refusal)
