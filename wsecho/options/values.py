"""Parsers for the texts of options. Each returns a value, or raises ValueError, whose text is one line for the user."""

import re
from collections.abc import Callable
from math import ceil
from typing import Any

from wsecho.http.addresses import is_loopback
from wsecho.http.credentials import digest, is_token
from wsecho.http.pattern import pattern
from wsecho.websocket.handshake import FIRST_OFFERED, NONE, is_subprotocol_policy

SIZE_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_TIME_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
# RFC 7518 section 3.1, RFC 8037. With a shared secret, everyone who can verify a token can also sign one.
SHARED_SECRET_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
PUBLIC_KEY_ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
# Bytes. Every receive buffer has room for so many behind its end, because the payload of a ping can be as long.
_MAX_GREETING = 125
_QUANTITY = pattern(r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Return a number of bytes: `65536`, `64KiB`, `1.5MiB`. Raises ValueError.

    Fractions of a byte are rounded up, so only 0 becomes 0, which for some options means that there is no limit.
    """
    return ceil(_parse_quantity(text, SIZE_UNITS, "a size such as 65536, 64KiB or 16MiB"))


def parse_time(text: str) -> float:
    """Return a number of seconds: `0.5`, `500ms`, `20s`, `5m`, `1h`. Raises ValueError."""
    return _parse_quantity(text, _TIME_UNITS, "a time such as 500ms, 20s or 5m")


def _parse_quantity(text: str, units: dict[str, Any], expected: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    if not match or match[2] not in units:
        raise ValueError(f"{text!r} is not {expected}")
    return float(match[1]) * float(units[match[2]])


def parse_count(text: str) -> int:
    """Return a whole number. Raises ValueError."""
    if not re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def parse_port(text: str) -> int:
    """Return a port, 0 to 65535; 0 lets the system choose one. Raises ValueError."""
    if not re.fullmatch(r"\d{1,5}", text.strip(), re.ASCII) or int(text) > 65535:
        raise ValueError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def parse_host(text: str) -> str:
    """Return an address or host name to listen on. Brackets around an IPv6 address are removed. Raises ValueError."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    if not host or any(char.isspace() for char in host):
        raise ValueError(f"{text!r} is not an address or a host name")
    return host


def parse_subprotocol_policy(text: str) -> str:
    """Return a policy for `wsecho.websocket.handshake.choose_subprotocol`. Raises ValueError."""
    text = ",".join(name.strip() for name in text.split(","))
    if not is_subprotocol_policy(text):
        raise ValueError(f"{text!r} is not 'first', 'none' or a comma-separated list of subprotocols")
    if "," in text and not {FIRST_OFFERED, NONE}.isdisjoint(text.split(",")):
        raise ValueError(f"{text!r} mixes 'first' or 'none' with names: give one of these two words, or only names")
    return text


def parse_token(text: str) -> bytes:
    """Return the digest of a bearer token; the token itself is not kept.

    Raises ValueError; its text does not contain the token.
    """
    if not is_token(text):
        raise ValueError("a token consists of letters, digits and - . _ ~ + /, and may end with =")
    return digest(text.encode())


def parse_user(text: str) -> bytes:
    """Return the digest of `user:password` (RFC 7617 section 2).

    Raises ValueError; its text does not contain the password.
    """
    if text.find(":") < 1 or not text.isprintable():
        raise ValueError("a user must be written as NAME:PASSWORD, in printable characters")
    return digest(text.encode())


def parse_metrics_auth(text: str) -> bytes | str:
    """Return the digest of a token, or `off`. Raises ValueError."""
    return "off" if text.lower() == "off" else parse_token(text)


def parse_file(text: str) -> str:
    """Return the name of a file. Raises ValueError."""
    if not text:
        raise ValueError("it is empty")
    return text


def parse_greeting(text: str) -> bytes:
    """Return the bytes of a message, 1 to 125. Raises ValueError."""
    try:
        message = text.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not valid UTF-8") from None
    if not 0 < len(message) <= _MAX_GREETING:
        raise ValueError(f"it is {len(message)} bytes long, but must have 1 to {_MAX_GREETING}")
    return message


def parse_algorithm(text: str) -> str:
    """Return the name of a signature algorithm (RFC 7518 section 3.1). Raises ValueError."""
    if text not in PUBLIC_KEY_ALGORITHMS and text not in SHARED_SECRET_ALGORITHMS:
        known = ", ".join((*PUBLIC_KEY_ALGORITHMS, *sorted(SHARED_SECRET_ALGORITHMS)))
        raise ValueError(f"{text!r} is not one of {known}")
    return text


def parse_key_set_source(text: str) -> str:
    """Return the name of a file, or a URL with https, or with http for this machine. Raises ValueError."""
    if "://" not in text:
        return parse_file(text)
    # Imported only when needed, because this import is slow.
    from urllib.parse import urlsplit

    url = urlsplit(text)
    if not url.hostname or url.username is not None or url.fragment or url.port == 0:
        raise ValueError("it is not a URL such as https://example.com/.well-known/jwks.json")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname)):
        raise ValueError(
            "the URL must use https, because a key set could be changed in transit; only this machine may use http"
        )
    return text


def parse_switch(text: str) -> bool:
    """Return True for on, False for off. Raises ValueError."""
    switches = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}
    word = text.strip().lower()
    if word not in switches:
        raise ValueError(f"{text!r} is neither on nor off")
    return switches[word]


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts only `choices`, in upper or lower case, and returns them in lower case."""

    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return word

    return parse


_parse_log_level = one_of("debug", "info", "warning", "error")


def parse_log_level(text: str) -> str:
    """Return the name of a log level. Raises ValueError."""
    return _parse_log_level("warning" if text.strip().lower() == "warn" else text)
