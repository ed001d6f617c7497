"""The catalogue: all words and options, in one table made of those of the families."""

from typing import Any

from wsecho import __version__
from wsecho.scenarios.language.browser import as_seen
from wsecho.scenarios.language.grammar import NEXT, TIMES, Vocabulary
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Row, Word
from wsecho.scenarios.steps import (
    deflate,
    ends,
    fragments,
    malformed,
    messages,
    phases,
    pings,
    shaping,
    silence,
    volume,
    waits,
)
from wsecho.scenarios.steps.opening import challenges, fields, redirects, refusals, unusual_handshakes, wrong_handshakes

_FAMILIES = (
    *(refusals, redirects, challenges, fields, unusual_handshakes, wrong_handshakes),
    *(ends, silence, pings, waits, messages, fragments, volume, malformed, deflate, shaping),
)

# The groups of words, by letter: what each is about, and the first part of the numbers in it.
GROUPS = {
    "A": ("How the connection ends", 20),
    "B": ("Refused, redirected, challenged", 21),
    "C": ("Half-dead peers; ping and pong", 22),
    "D": ("A 101 response that is valid but unusual", 23),
    "E": ("Over several connections", 24),
    "F": ("How bytes and messages are cut", 25),
    "G": ("Frames that are wrong", 26),
    "H": ("Volume and pressure", 27),
    "I": ("A 101 response that is wrong", 28),
    "K": ("A handshake that never ends", 29),
    "L": ("permessage-deflate", 30),
    "M": ("Messages, waits and triggers", 31),
}

WORDS: tuple[Word, ...] = tuple(
    sorted(
        (word for family in _FAMILIES for word in family.WORDS),
        key=lambda word: [int(part) for part in word.number.split(".")],
    )
)
# The rows of group E, each for several connections of one client.
SEQUENCES = phases.ROWS
OPTIONS: tuple[Argument, ...] = tuple(option for family in _FAMILIES for option in family.OPTIONS)
VOCABULARY = Vocabulary({word.name: word for word in WORDS}, {option.name: option for option in OPTIONS})
# What is written in a path beside steps.
STRUCTURE = {
    f"{TIMES}/{{count}}": "At the beginning of a phase: so many successive connections get it; without it, one does.",
    NEXT: "Ends a phase; what follows is for later connections. The last phase stays.",
}


def as_json(limits: Limits) -> dict[str, Any]:
    """Return the catalogue as `/scenarios.json` shows it."""
    return {
        "version": __version__,
        "prefix": "/ws/",
        "groups": {letter: name for letter, (name, _) in GROUPS.items()},
        "structure": STRUCTURE,
        "words": [_word(word, limits) for word in WORDS],
        "sequences": [_row(row) for row in SEQUENCES],
        "options": [_argument(option, limits) for option in OPTIONS],
        "limits": limits._asdict(),
    }


def _word(word: Word, limits: Limits) -> dict[str, Any]:
    return {
        "name": word.name,
        "number": word.number,
        "group": word.group,
        "since": word.since,
        "stage": word.stage,
        "arguments": [_argument(argument, limits) for argument in word.arguments],
        "options": list(word.options),
        "ends": word.ends,
        "server": word.server,
        "client": word.client,
        "rfc": word.rfc,
        "rows": [_row(row) for row in word.rows],
    }


def _argument(argument: Argument, limits: Limits) -> dict[str, Any]:
    least, most = argument.kind.bounds(limits)
    default = None if argument.default is None else argument.kind.write(argument.default)
    return {
        "name": argument.name,
        "type": argument.kind.name,
        "accepts": argument.kind.expected,
        "meaning": argument.meaning,
        "optional": argument.optional,
        "default": default,
        "least": least,
        "most": most,
        "choices": list(argument.kind.choices),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "number": row.number,
        "url": row.url,
        "set": row.demand,
        "act": row.act,
        "expect": dict(row.expect),
        "judge": list(row.judge),
        "slow": row.slow,
        "needs": list(row.needs),
        "cases": list(row.cases),
        "browser": as_seen(row),
    }
