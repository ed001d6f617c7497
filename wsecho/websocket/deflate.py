"""permessage-deflate (RFC 7692): what is agreed on in the handshake.

Nothing is ever compressed here. The echo of a compressed message is the message's own bytes, which the client can read
if it reads with the window and the context that it writes with. So only agreements that make it do so are made.
"""

import re
from dataclasses import dataclass

_NAME = "permessage-deflate"
_LARGEST_WINDOW = 15
# zlib cannot write with a window of 2**8 bytes, so hardly a client could keep an agreement on it; it reads with 2**9.
_SMALLEST_WINDOW = 9

# RFC 6455 section 9.1. One class of characters a group, nothing nested: linear on any input.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:({_TOKEN})|"({_TOKEN})"))?', re.ASCII)
_EXTENSION = re.compile(rf"[ \t]*({_TOKEN})", re.ASCII)
_SEPARATOR = re.compile(r"[ \t]*(?:,|$)", re.ASCII)
_WINDOW_BITS = re.compile(r"[89]|1[0-5]", re.ASCII)

Parameters = list[tuple[str, str | None]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both directions of a connection keep to. `header` is the answer's Sec-WebSocket-Extensions value.

    `window_bits` are those that the client reads with. One that was told to write with fewer, and does not, can read
    its echo nevertheless: Java's libraries cannot write with fewer than 15.
    """

    window_bits: int
    context_takeover: bool
    header: str


def parse_extensions(header: str) -> list[tuple[str, Parameters]]:
    """Return the extensions offered in a Sec-WebSocket-Extensions value, with their parameters, in order.

    Raises ValueError where the value is not what RFC 6455 section 9.1 allows.
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
    """Return the agreement on the first offer that can be kept symmetrically, or None to decline all."""
    for name, parameters in offers:
        if name == _NAME and (agreement := _agree_on(parameters)):
            return agreement
    return None


def _agree_on(parameters: Parameters) -> Agreement | None:
    """Answer one offer (RFC 7692 section 7.1). Unknown, repeated and malformed parameters decline it (section 7)."""
    offered = dict(parameters)
    if len(offered) != len(parameters) or not all(_is_valid(name, value) for name, value in parameters):
        return None
    server_bits = int(offered.get("server_max_window_bits") or _LARGEST_WINDOW)
    client_bits = int(offered.get("client_max_window_bits") or _LARGEST_WINDOW)
    if server_bits < _SMALLEST_WINDOW:
        return None
    answer = [_NAME]
    # Section 7.1.1: a client that wants no context from us must not use any itself, or could not read its echoes; and
    # the echoes of one that uses none have none. The answer says both, which every client must accept.
    context_takeover = "server_no_context_takeover" not in offered and "client_no_context_takeover" not in offered
    if not context_takeover:
        answer += ["server_no_context_takeover", "client_no_context_takeover"]
    # Section 7.1.2: likewise for the window, but the client can be told only if it offered to be. A value in its offer
    # is a hint and no promise: many that give one write with the largest window unless they are told.
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
