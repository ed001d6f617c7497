"""Finds the credentials in a request, in each place where they may be, and redacts them for logs and pages."""

import base64
import binascii
import re
from dataclasses import replace
from typing import NamedTuple

from wsecho.http.pattern import pattern
from wsecho.http.request import Request

BEARER = "bearer"
BASIC = "basic"

# RFC 6750 section 2.1: b64token.
_TOKEN = pattern(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
# RFC 6750 section 2.3: the query parameter.
_PARAMETER = "access_token"
# The name in a query, where each character may be written as %XX. Matching is linear in the length of the query.
_NAME = "".join(f"(?:{character}|(?i:%{ord(character):02x}))" for character in _PARAMETER)
_IN_QUERY = pattern(rf"(?:^|&){_NAME}(?:=([^&]*))?(?![^&])", re.ASCII)
_IN_TEXT = pattern(rf"((?:^|[?&]){_NAME}=)[^?&]*", re.ASCII)
# A web page cannot add header fields to a handshake, only names of subprotocols. A name with this prefix, which
# Kubernetes defines, contains a token in base64url without padding, because a token may have characters that a name may
# not.
_SUBPROTOCOL = "base64url.bearer.authorization.k8s.io."

_REDACTED = "[redacted]"
_SECRET_FIELDS = frozenset({"authorization", "proxy-authorization"})


class Credential(NamedTuple):
    """A token, or `user:password`. The value is empty if it could not be decoded; no accepted secret is empty."""

    scheme: str
    value: bytes


def is_token(text: str) -> bool:
    """Return whether `text` can be sent as a bearer token: in Authorization, in the query and in a subprotocol."""
    return bool(_TOKEN.fullmatch(text))


def carries_token(subprotocol: str) -> bool:
    """Return whether the name of a subprotocol contains a token. The answer must never contain such a name."""
    return subprotocol.startswith(_SUBPROTOCOL)


def digest(secret: bytes) -> bytes:
    """Return the SHA-256 digest of a secret, which is stored and compared instead: all digests have the same length."""
    import hashlib  # imported only when needed, because this import is slow

    return hashlib.sha256(secret).digest()


def offered(request: Request) -> list[Credential]:
    """Return the credentials in a request, without repetitions: from Authorization, the query and the subprotocols."""
    found = [
        *(_authorization(value) for value in request.values("authorization")),
        *(Credential(BEARER, value) for value in _parameters(request.query)),
        *(_subprotocol(name) for name in request.tokens("sec-websocket-protocol") if carries_token(name)),
    ]
    return list(dict.fromkeys(found))


def redacted(request: Request) -> Request:
    """Return the request without its credentials, so that it can be shown to others."""
    return replace(
        request,
        target=_redacted_text(request.target),
        query=_redacted_text(request.query),
        headers=tuple((name, _redacted_field(name, value)) for name, value in request.headers),
    )


def _authorization(value: str) -> Credential:
    # RFC 9110 section 11.4: the scheme is case-insensitive.
    scheme, _, rest = value.partition(" ")
    scheme = scheme.lower()
    data = rest.strip(" ").encode("latin-1")
    return Credential(scheme, _base64(data) if scheme == BASIC else data)


def _parameters(query: str) -> list[bytes]:
    values = [match[1] or "" for match in _IN_QUERY.finditer(query)]
    if not values:
        return []
    from urllib.parse import unquote_to_bytes  # imported only when needed, because this import is slow

    return [unquote_to_bytes(value.replace("+", " ")) for value in values]


def _subprotocol(name: str) -> Credential:
    data = name.removeprefix(_SUBPROTOCOL).encode("latin-1")
    return Credential(BEARER, _base64(data + b"=" * (-len(data) % 4), b"-_"))


def _base64(data: bytes, alternatives: bytes | None = None) -> bytes:
    try:
        return base64.b64decode(data, alternatives, validate=True)
    except binascii.Error:
        return b""


def _redacted_field(name: str, value: str) -> str:
    if name.lower() in _SECRET_FIELDS:
        return _REDACTED
    if name.lower() == "sec-websocket-protocol":
        names = value.split(",")
        return ",".join(_redacted_subprotocol(name) for name in names)
    # Proxies copy the target into header fields of their own.
    return _redacted_text(value)


def _redacted_subprotocol(subprotocol: str) -> str:
    start = subprotocol.find(_SUBPROTOCOL)
    return subprotocol if start < 0 else subprotocol[: start + len(_SUBPROTOCOL)] + _REDACTED


def _redacted_text(text: str) -> str:
    """Return `text`, which may contain a query, with the values of all `access_token` parameters redacted."""
    pieces = _IN_TEXT.split(text)
    # The pattern's group, the parameter's name as it was written, is at the odd positions.
    pieces[1::2] = [name + _REDACTED for name in pieces[1::2]]
    return "".join(pieces)
