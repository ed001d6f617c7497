"""What the steps of the family `handshake` share: changes of the 101 response, and the rows that test them."""

import re
from typing import Any

from wsecho.scenarios.language.word import Demand, Row
from wsecho.scenarios.steps.peer import Answer, Opening

UPGRADE = "Upgrade"
CONNECTION = "Connection"
ACCEPT = "Sec-WebSocket-Accept"
SUBPROTOCOL = "Sec-WebSocket-Protocol"
EXTENSIONS = "Sec-WebSocket-Extensions"


def value_of(answer: Answer, name: str) -> str:
    """Return the value of a field of the response, empty if it has none of this name."""
    return next((value for field, value in answer.fields if field.lower() == name.lower()), "")


def replace_field(answer: Answer, name: str, *values: str) -> None:
    """Give a field other values, one line each, in the place where it stands or else at the end; none: leave it out."""
    names = [field.lower() for field, _ in answer.fields]
    at = names.index(name.lower()) if name.lower() in names else len(names)
    # A step before this one may have changed the case of the name.
    written = next((field for field, _ in answer.fields[at : at + 1]), name)
    answer.fields[at : at + 1] = [(written, value) for value in values]


def wrong_key(accept: str) -> str:
    """Return a Sec-WebSocket-Accept value that differs in its first character, and is base64 of 20 bytes as well."""
    return ("B" if accept.startswith("A") else "A") + accept[1:]


def not_offered(opening: Opening, name: str) -> str:
    """Return `name`, or a longer one, that is not among the subprotocols of the request."""
    offers = opening.request.tokens("sec-websocket-protocol")
    while name in offers:
        name += "x"
    return name


def with_bad_window(extensions: str) -> str:
    """Return an agreement on permessage-deflate with a window of 16 bits; 15 is the most (RFC 7692 section 7.1.2.1)."""
    rest = re.sub(r"; server_max_window_bits=\d+", "", extensions) or "permessage-deflate"
    return f"{rest}; server_max_window_bits=16"


def opens(number: str, url: str, *cases: str, act: str = "send hello, close", demand: Demand = "must") -> Row:
    """Return the row of a 101 response that a client accepts, or may accept if that is `unspecified`."""
    expect: dict[str, Any] = {"opened": True, "messages": ["hello"], "close_code": 1000, "clean": True, "within": 5}
    judge: tuple[str, ...] = ("close 1000",)
    if demand == "unspecified":
        expect, judge = {"opened": [True, False], "within": 5}, ()
    return Row(number, url, act, expect, demand, judge, cases=cases)


def fails(number: str, url: str, *cases: str, act: str = "echo", needs: tuple[str, ...] = ()) -> Row:
    """Return the row of an answer that a client must not accept. An echo shows that it did."""
    return Row(number, url, act, {"opened": False, "within": 5}, judge=("no message",), needs=needs, cases=cases)
