"""The content codings that a client accepts (RFC 9110 section 12.5.3)."""

import re
from collections.abc import Sequence

from wsecho.http.pattern import pattern
from wsecho.http.request import Request

IDENTITY = "identity"

# An element of the list: a coding, perhaps with a weight (RFC 9110 section 12.4.2).
_ELEMENT = pattern(r"([^\s;,]+)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?", re.ASCII | re.IGNORECASE)
# Names that mean the same as others (RFC 9110 section 8.4.1.3).
_ALIASES = {"x-gzip": "gzip"}
# The weight of a response without a coding that the client does not name: it prefers every coding that it names.
_LEAST = 0.0001


def preferred(request: Request, codings: Sequence[str]) -> str:
    """Return the coding that the client prefers: one of `codings`, or `IDENTITY`.

    Of equally welcome codings, it is the one that is earlier in `codings`. A client that sends no Accept-Encoding would
    accept any coding, but some of these clients cannot decode any, so they get `IDENTITY`. So does a client that
    accepts nothing: RFC 9110 section 12.4.1 allows that. Elements that do not follow the grammar are ignored.
    """
    weights: dict[str, float] = {}
    for element in request.tokens("accept-encoding"):
        if match := _ELEMENT.fullmatch(element):
            name = match[1].lower()
            weights.setdefault(_ALIASES.get(name, name), float(match[2] or 1))
    others = weights.get("*", 0.0)
    found = {coding: weights.get(coding, others) for coding in codings}
    found[IDENTITY] = weights.get(IDENTITY, weights.get("*", _LEAST))
    best = max(found, key=found.__getitem__)
    return best if found[best] else IDENTITY
