"""Any URLs under /ws/: random paths, changed examples, and steps that are misspelt. Each call makes the same ones."""

import random
from collections.abc import Iterator

from wsecho.scenarios.catalogue import VOCABULARY
from wsecho.scenarios.language.grammar import NEXT, TIMES

_ARGUMENTS = ("3", "2s", "64KiB", "hex:00", "b64:AA", "%2F", "%", "..", "forever", "")
_ALPHABET = "abcxyz019/%?&=.:+-_~\\ é\x00"
_LETTERS = "abcdefghijklmnopqrstuvwxyz-"


def random_paths(count: int) -> Iterator[str]:
    """Yield paths of words and arguments that need not fit together."""
    chance = random.Random(6455)
    pieces = (*VOCABULARY.words, NEXT, TIMES, *_ARGUMENTS)
    for _ in range(count):
        yield "/ws/" + "/".join(chance.choices(pieces, k=chance.randint(1, 9)))


def changed(urls: tuple[str, ...], count: int) -> Iterator[str]:
    """Yield some of `urls`, each with a few random changes behind /ws/."""
    chance = random.Random(7692)
    for _ in range(count):
        url = list(chance.choice(urls))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(url) + 1)
            url[at : at + chance.randint(0, 2)] = chance.choices(_ALPHABET, k=chance.randint(0, 2))
        yield "/ws/" + "".join(url).removeprefix("/ws/")


def misspelt(urls: tuple[str, ...], count: int) -> Iterator[str]:
    """Yield some of `urls`, each with one letter of its first step added, removed or replaced, so that it is none."""
    chance = random.Random(9112)
    names = {*VOCABULARY.words, *VOCABULARY.families, NEXT, TIMES, ""}
    while count:
        step, slash, rest = chance.choice(urls).removeprefix("/ws/").partition("/")
        step, query_mark, query = step.partition("?")
        at = chance.randrange(len(step) + 1)
        wrong = step[:at] + chance.choice(("", chance.choice(_LETTERS))) + step[at + chance.randint(0, 1) :]
        if wrong not in names:
            yield f"/ws/{wrong}{query_mark}{query}{slash}{rest}"
            count -= 1
