"""What proxies say about those for whom they speak: Forwarded (RFC 7239), X-Forwarded-For and X-Forwarded-Proto.

Each proxy adds to the end of what it was told. So the end is as good as the proxy next to us, and what stands before
may be anybody's invention: commas separate, also where somebody opened a quotation before the last proxy spoke.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from wsecho.http.addresses import Address, parse_ip
from wsecho.http.request import Request

FORWARDED = "forwarded"
X_FORWARDED_FOR = "x-forwarded-for"

_PAIR = re.compile(r"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:\"([^\"\\]*)\"|([^\s\"=]+))[ \t]*", re.ASCII)
# RFC 7239 section 6, and without brackets, as X-Forwarded-For has IPv6. A port may be a number or a made-up name.
_PORT = r"(\d{1,5})|_[A-Za-z0-9._\-]+"
_NODE = re.compile(rf"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:{_PORT}))?|([0-9A-Fa-f:.]+)", re.ASCII)
_MAX_PORT = 65535
_BROADCAST = IPv4Address("255.255.255.255")
# So much of a field is read, from its end, in elements, empty ones included, and in bytes.
_MOST_HOPS = 32
_LONGEST = 4 * 1024
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a request's way: who came to a proxy, by which scheme, `http` or `https`. None: it does not say."""

    client: Address | None
    scheme: str | None


def hops(request: Request, field: str) -> Iterator[Hop]:
    """Yield the steps that a request says it has made, the last one first, as `field` tells them, one of the two.

    Each is read when it is asked for: what stands before the word of the last proxy that is trusted costs nothing.
    """
    if field == FORWARDED:
        yield from map(_parse_element, _from_the_end(request.values(FORWARDED)))
        return
    # There is one scheme only, which the proxy next to us vouches for.
    scheme = _SCHEMES.get(next(_from_the_end(request.values("x-forwarded-proto")), "").lower())
    client = None
    for client in _from_the_end(request.values(X_FORWARDED_FOR)):
        yield Hop(parse_node(client), scheme)
    if client is None and scheme:
        yield Hop(None, scheme)


def _from_the_end(values: list[str]) -> Iterator[str]:
    """Yield the comma-separated elements of a header field, the last one first; empty ones are left out.

    Of a field that is too long the end is read, and what stands before it is nobody's word.
    """
    whole = ",".join(values)
    elements = whole[-_LONGEST:].rsplit(",", _MOST_HOPS)
    if len(whole) > _LONGEST or len(elements) > _MOST_HOPS:
        del elements[0]
    for element in reversed(elements):
        if stripped := element.strip(" \t"):
            yield stripped


def parse_node(text: str) -> Address | None:
    """Return the address that a proxy writes so, None for `unknown`, a made-up name, or anything else.

    Neither is an address that nobody can connect from: no proxy has seen it.
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
    """Return what one element of Forwarded says; nothing if it breaks the rules."""
    matches = [_PAIR.fullmatch(piece) for piece in text.split(";") if piece.strip(" \t")]
    pairs = [(match[1].lower(), match[2] or match[3] or "") for match in matches if match]
    said = dict(pairs)
    # RFC 7239 section 4: no parameter twice.
    if len(pairs) != len(matches) or len(said) != len(pairs):
        return Hop(None, None)
    return Hop(parse_node(said.get("for", "")), _SCHEMES.get(said.get("proto", "").lower()))
