"""Negotiates permessage-deflate (RFC 7692) in the opening handshake.

The server never compresses. The echo of a compressed message consists of the client's own bytes. The client can read
them if it reads with the same window and context that it writes with. So the server accepts only offers for which it
can make sure of that.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from wsecho.http.pattern import pattern

_NAME = "permessage-deflate"
_LARGEST_WINDOW = 15
# The smallest window that zlib compresses with is 2**9 bytes, so hardly any client could keep to 2**8.
_SMALLEST_WINDOW = 9

# Offers whose answers are remembered: each browser and library has one or two. An offer is at most 4 KiB long.
_REMEMBERED = 64

# RFC 6455 section 9.1. Each group is one class of characters and nothing is nested, so matching is linear on any input.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = pattern(rf'[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:({_TOKEN})|"({_TOKEN})"))?', re.ASCII)
_EXTENSION = pattern(rf"[ \t]*({_TOKEN})", re.ASCII)
_SEPARATOR = pattern(r"[ \t]*(?:,|$)", re.ASCII)
_WINDOW_BITS = pattern(r"[89]|1[0-5]", re.ASCII)

Parameters = list[tuple[str, str | None]]


class Agreement(NamedTuple):
    """The parameters of both directions of a connection. `header` is the Sec-WebSocket-Extensions value of the answer.

    `window_bits` is the window that the client reads with. A client that must write with a smaller window, and
    does not, can read its echo nevertheless: Java's libraries cannot write with fewer than 15 bits.
    """

    window_bits: int
    context_takeover: bool
    header: str


@lru_cache(_REMEMBERED)
def negotiate(header: str) -> Agreement | None:
    """Return the agreement on the offers in a Sec-WebSocket-Extensions value; None declines all of them.

    Raises ValueError if the value does not follow RFC 6455 section 9.1.
    """
    return agree(parse_extensions(header))


def parse_extensions(header: str) -> list[tuple[str, Parameters]]:
    """Return the extensions offered in a Sec-WebSocket-Extensions value, with their parameters, in order.

    Raises ValueError if the value does not follow RFC 6455 section 9.1.
    """
    offers: list[tuple[str, Parameters]] = []
    position = 0
    while position < len(header):
        if not (extension := _EXTENSION.match(header, position)):
            # RFC 9110 section 5.6.1: empty elements of a list are ignored.
            if not (separator := _SEPARATOR.match(header, position)):
                raise ValueError(f"not a list of extensions from byte {position} on")
            position = max(separator.end(), position + 1)
            continue
        position = extension.end()
        parameters: Parameters = []
        while parameter := _PARAMETER.match(header, position):
            parameters.append((parameter[1], parameter[2] or parameter[3]))
            position = parameter.end()
        if not (separator := _SEPARATOR.match(header, position)):
            raise ValueError(f"not a list of extensions from byte {position} on")
        position = separator.end()
        offers.append((extension[1], parameters))
    return offers


def agree(offers: list[tuple[str, Parameters]]) -> Agreement | None:
    """Return the agreement on the first offer with which both directions can use the same settings.

    None declines all offers.
    """
    for name, parameters in offers:
        if name == _NAME and (agreement := _agree_on(parameters)):
            return agreement
    return None


def _agree_on(parameters: Parameters) -> Agreement | None:
    """Answer one offer (RFC 7692 section 7.1).

    None declines it. Section 7 requires that for unknown, repeated and malformed parameters.
    """
    offered = dict(parameters)
    if len(offered) != len(parameters) or not all(_is_valid(name, value) for name, value in parameters):
        return None
    server_bits = int(offered.get("server_max_window_bits") or _LARGEST_WINDOW)
    client_bits = int(offered.get("client_max_window_bits") or _LARGEST_WINDOW)
    if server_bits < _SMALLEST_WINDOW:
        return None
    answer = [_NAME]
    # Section 7.1.1: a client that wants the server to use no context must not use any itself, or it could not read its
    # echoes. The echoes to a client that uses no context use none either. So the answer contains both parameters, which
    # every client must accept.
    context_takeover = "server_no_context_takeover" not in offered and "client_no_context_takeover" not in offered
    if not context_takeover:
        answer += ["server_no_context_takeover", "client_no_context_takeover"]
    # Section 7.1.2: the same holds for the window, but the answer may limit the client's window only if the offer
    # allows it. A value in the offer is a hint, not a promise: many clients that give one write with the largest window
    # unless the answer limits it.
    if "server_max_window_bits" in offered:
        answer.append(f"server_max_window_bits={server_bits}")
    if (written_bits := min(server_bits, client_bits)) < _LARGEST_WINDOW:
        if "client_max_window_bits" not in offered:
            return None
        answer.append(f"client_max_window_bits={written_bits}")
    return Agreement(server_bits, context_takeover, "; ".join(answer))


def _is_valid(name: str, value: str | None) -> bool:
    if name in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if name == "client_max_window_bits" and value is None:
        return True
    return name in ("server_max_window_bits", "client_max_window_bits") and bool(_WINDOW_BITS.fullmatch(value or ""))
