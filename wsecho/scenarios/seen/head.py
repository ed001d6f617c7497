"""The head of a request as it is shown to others who know the key: without credentials and addresses."""

import re
from urllib.parse import unquote_plus

from wsecho.http.credentials import redacted
from wsecho.http.request import Request

_REDACTED = "[redacted]"
# The names of fields and of query parameters whose values are not shown: credentials, cookies, and what proxies say
# about addresses. What is only similar is not shown either.
_SECRET = re.compile(
    r"auth|cookie|token|secret|password|passwd|pwd|session|signature|credential|jwt|api.?key|forwarded|(^|-)ip$|^via$",
    re.IGNORECASE | re.ASCII,
)
_PARAMETER = re.compile(r"([^?&=]+)=([^&]*)")


def shown(request: Request, longest: int) -> tuple[bytes, bool]:
    """Return the head, and whether it is all of it. It has at most `longest` bytes, and is cut between fields."""
    request = redacted(request)
    lines = [f"{request.method} {_without_secrets(request.target)} HTTP/{request.version}"]
    lines += [
        f"{name}: {_REDACTED if _SECRET.search(name) else _without_secrets(value)}" for name, value in request.headers
    ]
    encoded = [line.encode("latin-1", "replace") for line in lines]
    kept = encoded[0][:longest]
    for line in encoded[1:]:
        if len(kept) + 2 + len(line) > longest:
            return kept, False
        kept += b"\r\n" + line
    return kept, len(encoded[0]) <= longest


def _without_secrets(text: str) -> str:
    """Return a URL, or text that may be one, in which the values of secret parameters are redacted."""
    path, mark, query = text.partition("?")
    return path + mark + _PARAMETER.sub(_parameter, query)


def _parameter(match: re.Match[str]) -> str:
    return f"{match[1]}={_REDACTED}" if _SECRET.search(unquote_plus(match[1])) else match[0]
