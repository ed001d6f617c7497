"""Parses and compares the origins of web pages, as browsers write them (RFC 6454, the URL standard)."""

import re
from ipaddress import IPv4Address, IPv6Address

from wsecho.http.pattern import pattern

ANY = "*"
# What browsers send for pages without an origin of their own: `null` for sandboxed pages and for files in Firefox,
# `file://` for files in Chromium.
_WITHOUT_HOST = ("null", "file://")
_ORIGIN = pattern(r"([a-z][a-z0-9+.\-]*)://([^\s/?#@,:*%<>\\^|\[\]\x00-\x1f\x7f]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?")
DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
# The URL standard treats a host as an IPv4 address if its last label is a number, decimal or hexadecimal.
_ENDS_IN_NUMBER = pattern(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.ASCII)


def parse_origin(text: str) -> str:
    """Return an origin as browsers write it, `null`, `file://`, or `*`. Raises ValueError; its text is for the user."""
    if text == ANY or text.lower() in _WITHOUT_HOST:
        return text.lower()
    match = _ORIGIN.fullmatch(text.lower())
    if not match or int(match[3] or 0) > _MAX_PORT:
        raise ValueError(f"{text!r} is not an origin such as https://example.com, and not null, file:// or *")
    scheme, host, port = match.groups()
    try:
        host = _serialized_host(scheme, host)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an origin that a browser can send: {error}") from None
    if port is None or int(port) == DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}"


def _serialized_host(scheme: str, host: str) -> str:
    """Return a host as the URL standard serializes it. Raises ValueError."""
    if host.startswith("["):
        return _serialized_ipv6(host)
    if scheme not in DEFAULT_PORTS:
        if not host.isascii():
            raise ValueError("only host names after http:// and https:// may contain characters other than ASCII")
        return host
    host = host if host.isascii() else _punycode(host)
    if _ENDS_IN_NUMBER.fullmatch(host):
        return str(IPv4Address(host))
    return host


def _punycode(host: str) -> str:
    """Return a domain name in the ASCII form that the DNS uses (UTS 46, as browsers apply it). Raises ValueError."""
    # Imported here, because its tables are large and few servers need them.
    from idna import IDNAError, uts46_remap

    try:
        labels = uts46_remap(host, std3_rules=False, transitional=False).split(".")
    except IDNAError as error:
        raise ValueError(str(error)) from None
    name = ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)
    if not _ORIGIN.fullmatch(f"http://{name}"):
        raise ValueError(f"{name!r} is not a host")
    return name


def _serialized_ipv6(host: str) -> str:
    address = IPv6Address(host.strip("[]"))
    if mapped := address.ipv4_mapped:
        # Browsers write the IPv4 part in hexadecimal, without dots.
        high, low = divmod(int(mapped), 1 << 16)
        return f"[::ffff:{high:x}:{low:x}]"
    return f"[{address.compressed}]"


def split_origin(text: str) -> tuple[str, str, int | None] | None:
    """Return the scheme, host and port of an origin, in lower case; None if it is no origin with a host.

    The port is None if the origin names none.
    """
    match = _ORIGIN.fullmatch(text.lower())
    return (match[1], match[2], int(match[3]) if match[3] else None) if match else None


def is_same_host(host: str, other: str) -> bool:
    """Return whether both are the same host, however each is written."""
    return _comparable(host) == _comparable(other)


def _comparable(host: str) -> str:
    """Return the same text for all forms of a host: an IPv6 address has many, and a name may end in a dot."""
    try:
        return _serialized_ipv6(host) if host.startswith("[") else host.removesuffix(".")
    except ValueError:
        return host
