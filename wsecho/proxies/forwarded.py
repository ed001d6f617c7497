"""Parses what proxies report about their clients: Forwarded (RFC 7239), X-Forwarded-For and X-Forwarded-Proto.

Each proxy appends to the field that it has received. So the last element comes from the proxy that connected to the
server, and what is before it can be forged. For this reason a comma always separates elements, even after a quotation
mark that was opened before the last proxy appended its element.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from wsecho.http.addresses import Address, parse_ip
from wsecho.http.pattern import pattern
from wsecho.http.request import Request

FORWARDED = "forwarded"
X_FORWARDED_FOR = "x-forwarded-for"

_PAIR = pattern(r"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:\"([^\"\\]*)\"|([^\s\"=]+))[ \t]*", re.ASCII)
# RFC 7239 section 6, and IPv6 without brackets, as in X-Forwarded-For. A port is a number or an obfuscated name.
_PORT = r"(\d{1,5})|_[A-Za-z0-9._\-]+"
_NODE = pattern(rf"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:{_PORT}))?|([0-9A-Fa-f:.]+)", re.ASCII)
_MAX_PORT = 65535
_BROADCAST = IPv4Address("255.255.255.255")
# The part of a field that is read, from its end: elements, including empty ones, and bytes.
_MAX_ELEMENTS = 32
_MAX_SIZE = 4 * 1024
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class Hop(NamedTuple):
    """What one proxy reports: the client that connected to it and the scheme, `http` or `https`. Each may be None."""

    client: Address | None
    scheme: str | None


def hops(request: Request, field: str) -> Iterator[Hop]:
    """Yield the hops that a request reports in `field`, FORWARDED or X_FORWARDED_FOR, the last one first.

    Each hop is parsed when it is asked for, so what is before the last trusted proxy costs nothing.
    """
    if field == FORWARDED:
        yield from map(_parse_element, _last_first(request.values(FORWARDED)))
        return
    # There is only one scheme: the one that the last proxy reports.
    scheme = _SCHEMES.get(next(_last_first(request.values("x-forwarded-proto")), "").lower())
    client = None
    for client in _last_first(request.values(X_FORWARDED_FOR)):
        yield Hop(parse_node(client), scheme)
    if client is None and scheme:
        yield Hop(None, scheme)


def _last_first(values: list[str]) -> Iterator[str]:
    """Yield the elements of a comma-separated field, the last one first, without empty ones.

    Only the end of a field that is too long is read. What is before it is not trusted.
    """
    whole = ",".join(values)
    elements = whole[-_MAX_SIZE:].rsplit(",", _MAX_ELEMENTS)
    if len(whole) > _MAX_SIZE or len(elements) > _MAX_ELEMENTS:
        del elements[0]
    for element in reversed(elements):
        if stripped := element.strip(" \t"):
            yield stripped


def parse_node(text: str) -> Address | None:
    """Return the address that `text` stands for; None for `unknown`, an obfuscated name, or anything else.

    An address that nobody can connect from is None too, because no proxy can have seen it.
    """
    match = _NODE.fullmatch(text)
    if not match:
        return None
    in_brackets, ipv4, port, ipv6 = match.groups()
    try:
        address = parse_ip(in_brackets or ipv4 or ipv6)
    except ValueError:
        return None
    if address.is_unspecified or address.is_multicast or address == _BROADCAST:
        return None
    host = str(address)
    return (host, int(port)) if port and int(port) <= _MAX_PORT else (host,)


def _parse_element(text: str) -> Hop:
    """Return the hop that one element of Forwarded reports; a hop without facts if the element is malformed."""
    matches = [_PAIR.fullmatch(piece) for piece in text.split(";") if piece.strip(" \t")]
    pairs = [(match[1].lower(), match[2] or match[3] or "") for match in matches if match]
    parameters = dict(pairs)
    # RFC 7239 section 4: no parameter twice.
    if len(pairs) != len(matches) or len(parameters) != len(pairs):
        return Hop(None, None)
    return Hop(parse_node(parameters.get("for", "")), _SCHEMES.get(parameters.get("proto", "").lower()))
