"""What the server can check of a client in a row of the catalogue, as the row writes it in `judge`."""

import re
from dataclasses import dataclass
from typing import Literal

from wsecho.scenarios.language.arguments import Bytes
from wsecho.scenarios.language.data import Data
from wsecho.scenarios.language.limits import LOCAL

# `close`: how the client closes. `pong`: it answers a ping. `echo`: all messages come back. `no message`: none does.
# `nothing after close`: its Close frame is its last frame. `ends TCP`: it does not wait until the server gives up.
# `attempts`: it connects so many times. `gaps`: the time between its connections grows, or is long enough.
About = Literal["close", "pong", "echo", "no message", "nothing after close", "ends TCP", "attempts", "gaps"]

# A Close frame without a code; an end of TCP without a Close frame. Both stand beside close codes.
EMPTY = 1005
ENDED = 1006

_CLOSE = re.compile(r"close ((?:\d{4}|empty|end)(?: or (?:\d{4}|empty|end))*)", re.ASCII)
_WAYS = {"empty": EMPTY, "end": ENDED}
_PLAIN: dict[str, About] = {
    "echo equal": "echo",
    "no message": "no message",
    "nothing after close": "nothing after close",
    "ends TCP": "ends TCP",
}
_PONG = "pong "
_ATTEMPTS = re.compile(r"(\d{1,6}(?: or \d{1,6})*) attempts", re.ASCII)
_GAPS = re.compile(r"gaps (?:grow|of (\d{1,6}) s or more)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One thing that is checked.

    `codes` are the close codes that are right, `payload` is what a pong must have. `counts` are the numbers of attempts
    that are right. `seconds` is the shortest gap between two of them; None: each is longer than the one before it.
    """

    text: str
    about: About
    codes: tuple[int, ...] = ()
    payload: Data | None = None
    counts: tuple[int, ...] = ()
    seconds: int | None = None


def parse(text: str) -> Judgement:
    """Return the judgement that is written as `text`. Raises ValueError."""
    if text in _PLAIN:
        return Judgement(text, _PLAIN[text])
    if text.startswith(_PONG):
        return Judgement(text, "pong", payload=Bytes().parse(text[len(_PONG) :], LOCAL))
    if match := _CLOSE.fullmatch(text):
        codes = (_WAYS.get(way) or int(way) for way in match[1].split(" or "))
        return Judgement(text, "close", tuple(codes))
    if match := _ATTEMPTS.fullmatch(text):
        return Judgement(text, "attempts", counts=tuple(map(int, match[1].split(" or "))))
    if match := _GAPS.fullmatch(text):
        return Judgement(text, "gaps", seconds=int(match[1]) if match[1] else None)
    forms = ("close 1002 or end", "pong DATA", "1 or 2 attempts", "gaps grow", "gaps of 2 s or more", *_PLAIN)
    raise ValueError(f"{text!r} is no judgement, such as {', '.join(map(repr, forms))}")
