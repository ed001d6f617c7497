"""What a request says to prove who sends it, wherever it says so; and the same request with nothing of it left."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

from wsecho.http.request import Request

BEARER = "bearer"
BASIC = "basic"

# RFC 6750 section 2.1: b64token.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
# RFC 6750 section 2.3: the query parameter.
_PARAMETER = "access_token"
# Its name in a query, where each character may be written as %XX. The search is linear in the query's length.
_NAME = "".join(f"(?:{character}|(?i:%{ord(character):02x}))" for character in _PARAMETER)
_IN_QUERY = re.compile(rf"(?:^|&){_NAME}(?:=([^&]*))?(?![^&])", re.ASCII)
_IN_TEXT = re.compile(rf"((?:^|[?&]){_NAME}=)[^?&]*", re.ASCII)
# A page cannot add header fields to a WebSocket, only names of subprotocols. This one, Kubernetes', carries a token in
# base64url without padding, because the characters of a token are more than those of a name.
_SUBPROTOCOL = "base64url.bearer.authorization.k8s.io."

_REDACTED = "[redacted]"
_SECRET_FIELDS = frozenset({"authorization", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, or `user:password`. What could not be decoded is empty, which nobody's secret is."""

    scheme: str
    value: bytes


def is_token(text: str) -> bool:
    """Tell whether `text` can be sent as a bearer token, in each of the three ways."""
    return bool(_TOKEN.fullmatch(text))


def carries_token(subprotocol: str) -> bool:
    """Tell whether the name of a subprotocol is a token: such a name must never be answered."""
    return subprotocol.startswith(_SUBPROTOCOL)


def digest(secret: bytes) -> bytes:
    """Return that of a secret which is kept, and compared: all digests are of one length."""
    return hashlib.sha256(secret).digest()


def offered(request: Request) -> list[Credential]:
    """Return the different credentials in a request: from Authorization, from the query, from the subprotocols."""
    found = [
        *(_authorization(value) for value in request.values("authorization")),
        *(Credential(BEARER, value) for value in _parameters(request.query)),
        *(_subprotocol(name) for name in request.tokens("sec-websocket-protocol") if carries_token(name)),
    ]
    return list(dict.fromkeys(found))


def redacted(request: Request) -> Request:
    """Return the request as it may be shown to others."""
    return replace(
        request,
        target=_without_tokens(request.target),
        query=_without_tokens(request.query),
        headers=tuple((name, _shown_field(name, value)) for name, value in request.headers),
    )


def _authorization(value: str) -> Credential:
    # RFC 9110 section 11.4: the scheme's case does not matter.
    scheme, _, rest = value.partition(" ")
    scheme = scheme.lower()
    data = rest.strip(" ").encode("latin-1")
    return Credential(scheme, _base64(data) if scheme == BASIC else data)


def _parameters(query: str) -> list[bytes]:
    return [unquote_to_bytes(match[1].replace("+", " ")) if match[1] else b"" for match in _IN_QUERY.finditer(query)]


def _subprotocol(name: str) -> Credential:
    data = name.removeprefix(_SUBPROTOCOL).encode("latin-1")
    return Credential(BEARER, _base64(data + b"=" * (-len(data) % 4), b"-_"))


def _base64(data: bytes, alternatives: bytes | None = None) -> bytes:
    try:
        return base64.b64decode(data, alternatives, validate=True)
    except binascii.Error:
        return b""


def _shown_field(name: str, value: str) -> str:
    if name.lower() in _SECRET_FIELDS:
        return _REDACTED
    if name.lower() == "sec-websocket-protocol":
        names = value.split(",")
        return ",".join(_without_token(name) for name in names)
    # Proxies repeat the target in fields of their own.
    return _without_tokens(value)


def _without_token(subprotocol: str) -> str:
    start = subprotocol.find(_SUBPROTOCOL)
    return subprotocol if start < 0 else subprotocol[: start + len(_SUBPROTOCOL)] + _REDACTED


def _without_tokens(text: str) -> str:
    """Return `text`, which may have a query in it, without the values of the parameter that carries a token."""
    pieces = _IN_TEXT.split(text)
    # What the pattern keeps stands at odd places: the parameter's name, as it was written.
    pieces[1::2] = [name + _REDACTED for name in pieces[1::2]]
    return "".join(pieces)
