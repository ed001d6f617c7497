"""Limits the header fields that are read as lists (RFC 9110 section 5.6.1)."""

from collections.abc import Sequence
from typing import NamedTuple

from wsecho.http.request import Request


class Bound(NamedTuple):
    """How long a list may be, in elements, including empty ones, and in bytes; all fields of its name together."""

    elements: int = 32
    size: int = 4 * 1024

    def fault(self, values: Sequence[str]) -> str:
        """Return how a list exceeds this bound; empty if it does not. The elements are not parsed."""
        if sum(map(len, values)) > self.size:
            return f"is longer than {self.size} bytes"
        # Each field has one more element than commas.
        if sum(value.count(",") + 1 for value in values) > self.elements:
            return f"has more than {self.elements} elements"
        return ""


# Every field that is read as a list, by its name in lower case. The fields of proxies have bounds of their own.
BOUNDS = {
    "accept": Bound(),
    "accept-encoding": Bound(),
    "connection": Bound(),
    "if-none-match": Bound(),
    "sec-websocket-extensions": Bound(),
    # It may contain a token, which is long.
    "sec-websocket-protocol": Bound(size=16 * 1024),
    "upgrade": Bound(),
}
# The bounds that every one of these lists keeps to if a whole head does.
FEWEST_ELEMENTS = min(bound.elements for bound in BOUNDS.values())
SMALLEST_SIZE = min(bound.size for bound in BOUNDS.values())


def may_be_too_long(head: bytes, end: int) -> bool:
    """Return whether the head of a request, `head[:end]`, is long enough for a list that is too long. Most are not."""
    return end > SMALLEST_SIZE or head.count(b",", 0, end) + head.count(b"\n", 0, end) > FEWEST_ELEMENTS


def fault(request: Request) -> str:
    """Return which list of a request is too long, and why; empty if none is."""
    for name, bound in BOUNDS.items():
        values = request.values(name)
        if values and (found := bound.fault(values)):
            return f"the header field {name} {found}"
    return ""
