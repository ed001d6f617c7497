"""Reads a plan from the raw path and query of a request, and writes its canonical form back.

The path is split at `/` first and decoded afterwards, so `%2F` is data. Everything that cannot be performed exactly as
it is written is an error: nothing is clamped and nothing is skipped.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from wsecho.scenarios.language import budget
from wsecho.scenarios.language.arguments import Count
from wsecho.scenarios.language.budget import ScenarioError
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.plan import Phase, Plan, Step
from wsecho.scenarios.language.word import Argument, Word

PREFIX = "/ws/"
NEXT = "next"
TIMES = "times"
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Characters that are written as they stand: those that clients send as typed.
_PLAIN = ":;,=+@!$'()*"
_MOST_TIMES = Count(1, 1_000_000)
# An option is recognised in a misspelt name only if it has at least so many letters: `t` must not count as `to`.
_SHORTEST_MISSPELT = 3
# Each name of a parameter is compared with all options.
_MOST_PARAMETERS = 64
# The most segments of a step, with its name, and those that `times` and `next` add to a phase.
_SEGMENTS_PER_STEP = 4
_SEGMENTS_PER_PHASE = 3
# A longer text is shortened where an error quotes it, and is not compared with names.
_LONGEST_QUOTED = 40


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words and options of the language, by name."""

    words: Mapping[str, Word]
    options: Mapping[str, Argument]

    @property
    def families(self) -> set[str]:
        """The first segments of names that have two."""
        return {name.partition("/")[0] for name in self.words if "/" in name}

    @property
    def owners(self) -> dict[str, list[str]]:
        """The names of the words that read an option, by its name. An option without any holds for all connections."""
        owners: dict[str, list[str]] = {}
        for word in self.words.values():
            for option in word.options:
                owners.setdefault(option, []).append(word.name)
        return owners


def is_scenario_path(path: str) -> bool:
    """Return whether a path belongs to the scenarios: `/ws`, or anything under `/ws/`."""
    return path.startswith(PREFIX) or path == PREFIX[:-1]


def parse(path: str, query: str, vocabulary: Vocabulary, limits: Limits) -> Plan:
    """Return the plan of a raw path and query. `is_scenario_path` is true for the path. Raises ScenarioError."""
    segments = path[len(PREFIX) :].split("/") if len(path) > len(PREFIX) else []
    most_segments = limits.steps * _SEGMENTS_PER_STEP + limits.phases * _SEGMENTS_PER_PHASE
    if len(segments) > most_segments:
        raise ScenarioError(f"the path has {len(segments)} segments: at most {most_segments} are allowed")
    steps = _Segments([_decoded(segment, limits) for segment in segments], vocabulary, limits)
    phases = steps.phases()
    given = _options(query, vocabulary, phases, limits)
    options = {name: given.get(name, option.default) for name, option in vocabulary.options.items()}
    plan = Plan(tuple(phases), given, options)
    budget.check(plan, limits)
    return plan


def canonical(plan: Plan, vocabulary: Vocabulary) -> str:
    """Return path and query of a plan, in which every value is written in one way. It is ASCII."""
    parts = [part for phase in plan.phases for part in _written_phase(phase)]
    path = PREFIX[:-1] + "".join(f"/{quote(part, safe=_PLAIN)}" for part in parts)
    query = "&".join(
        _written_option(option, plan.given[option.name])
        for option in vocabulary.options.values()
        if option.name in plan.given
    )
    return f"{path}?{query}" if query else path


def asked_key(query: str, vocabulary: Vocabulary, limits: Limits) -> str:
    """Return the key that the query of /seen asks for. Raises ScenarioError."""
    values = [value for name, _, value in (pair.partition("=") for pair in query.split("&")) if name == "key"]
    if len(values) != 1:
        raise ScenarioError(f"/seen needs one key, as in /seen?key=k1, not {len(values)}")
    key: str = _option_value(vocabulary.options["key"], values[0], limits)
    return key


def _written_phase(phase: Phase) -> Iterator[str]:
    if phase.times is not None and phase.times != 1:
        yield from (TIMES, str(phase.times))
    for step in phase.steps:
        yield from step.word.name.split("/")
        for argument, value in zip(step.word.arguments, step.values, strict=True):
            if value is not None:
                yield argument.kind.write(value)
    if phase.times is not None:
        yield NEXT


def _written_option(option: Argument, value: Any) -> str:
    text = option.kind.write(value)
    return f"{option.name}={quote(text, safe=_PLAIN.replace('+', ''))}" if text else option.name


class _Segments:
    """The decoded segments of a path, from left to right."""

    def __init__(self, texts: list[str], vocabulary: Vocabulary, limits: Limits) -> None:
        self._texts = texts
        self._vocabulary = vocabulary
        self._limits = limits
        self._position = 0
        self._steps = 0

    def phases(self) -> list[Phase]:
        """Return the phases. There is at least one."""
        phases = []
        while (phase := self._phase()).times is not None:
            phases.append(phase)
            if len(phases) == self._limits.phases:
                raise ScenarioError(f"more than {self._limits.phases} phases are not allowed")
        return [*phases, phase]

    def _phase(self) -> Phase:
        """Return the phase that begins here. That of the last one has no number of times."""
        times = None
        if self._text() == TIMES:
            self._position += 1
            times = self._value(TIMES, Argument("count", _MOST_TIMES, "how many connections get the phase"))
        steps: list[Step] = []
        while (text := self._text()) is not None and text != NEXT:
            if text == TIMES:
                raise ScenarioError("'times' stands at the beginning of a phase, before its first step")
            steps.append(self._step(text))
            _check_order(steps)
        if text is None:
            if times is not None:
                raise ScenarioError(f"'times/{times}' has no effect without 'next': the last phase is never left")
            return Phase(tuple(steps))
        self._position += 1
        return Phase(tuple(steps), times or 1)

    def _text(self) -> str | None:
        return self._texts[self._position] if self._position < len(self._texts) else None

    def _step(self, text: str) -> Step:
        self._steps += 1
        if self._steps > self._limits.steps:
            raise ScenarioError(f"more than {self._limits.steps} steps are not allowed")
        word = self._word(text)
        return Step(word, tuple(self._value(word.name, argument) for argument in word.arguments))

    def _word(self, text: str) -> Word:
        words = self._vocabulary.words
        self._position += 1
        if text in self._vocabulary.families:
            name = f"{text}/{self._text() or ''}"
            faults = [word for word in words if word.startswith(f"{text}/")]
            if name not in words:
                raise ScenarioError(_unknown(f"'{text}' is followed by", self._text() or "", faults, text))
            self._position += 1
            return words[name]
        if text not in words:
            names = [*words, *self._vocabulary.families, NEXT, TIMES]
            raise ScenarioError(_unknown("a step is needed instead of", text, names))
        return words[text]

    def _value(self, word: str, argument: Argument) -> Any:
        """Return the value of the argument that stands here. Only at the end of the path may it be left out."""
        text = self._text()
        if text is None:
            if argument.optional:
                return argument.default
            raise ScenarioError(f"'{word}' lacks its {argument.name}: {argument.kind.expected}")
        self._position += 1
        try:
            return argument.kind.parse(text, self._limits)
        except ValueError as error:
            hint = "; only the last step of a path may leave arguments out" if argument.optional else ""
            raise ScenarioError(f"the {argument.name} of '{word}', {_quoted(text)}, {error}{hint}") from None


def _check_order(steps: list[Step]) -> None:
    """Check that the last of `steps` may follow the one before it."""
    if len(steps) < 2:
        return
    before, last = steps[-2].word, steps[-1].word
    if before.ends:
        raise ScenarioError(f"'{before.name}' is the end of a connection, so only 'next' can follow it")
    if last.stage == "opening" and before.stage != "opening":
        raise ScenarioError(f"'{last.name}' happens before the 101 response, so it must stand before '{before.name}'")


def _decoded(segment: str, limits: Limits) -> str:
    if not segment:
        raise ScenarioError("an empty segment is not allowed, because proxies merge slashes: write 'hex:' for no data")
    if "\\" in segment:
        raise ScenarioError("a backslash must be written as %5C, because many clients send a slash for it")
    text = _percent_decoded(segment, "the path")
    if text in (".", ".."):
        dots = text.encode().hex()
        raise ScenarioError(f"the segment '{text}' is not allowed, because clients resolve it: write 'hex:{dots}'")
    if len(text.encode()) > limits.argument:
        raise ScenarioError(f"a segment of the path is longer than {limits.argument} bytes")
    return text


def _percent_decoded(text: str, place: str) -> str:
    if bad := _BAD_ESCAPE.search(text):
        raise ScenarioError(
            f"'{text[bad.start() : bad.start() + 3]}' in {place} is no percent-encoding: write a percent sign as %25"
        )
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ScenarioError(f"{place} is not valid UTF-8 after percent-decoding: write data as hex: or b64:") from None


def _options(query: str, vocabulary: Vocabulary, phases: list[Phase], limits: Limits) -> dict[str, Any]:
    given: dict[str, Any] = {}
    used = [step.word for phase in phases for step in phase.steps]
    owners = vocabulary.owners
    pairs = [pair for pair in query.split("&") if pair]
    if len(pairs) > _MOST_PARAMETERS:
        raise ScenarioError(f"the query has {len(pairs)} parameters: at most {_MOST_PARAMETERS} are allowed")
    for pair in pairs:
        raw, _, value = pair.partition("=")
        name = unquote_plus(raw)
        option = vocabulary.options.get(name)
        if option is None:
            if similar := _misspelt(name, vocabulary.options):
                raise ScenarioError(f"there is no option {_quoted(name)}: did you mean '{similar}'?")
            # The client's own: an access token, a version, a number that keeps caches from answering.
            continue
        if name in owners and not any(name in word.options for word in used):
            if not used:
                continue
            raise ScenarioError(f"the option '{name}' has no effect here: it belongs to {', '.join(owners[name])}")
        if name in given:
            raise ScenarioError(f"the option '{name}' is given twice")
        given[name] = _option_value(option, value, limits)
    return given


def _option_value(option: Argument, raw: str, limits: Limits) -> Any:
    text = _percent_decoded(raw.replace("+", " "), f"the option '{option.name}'")
    if len(text.encode()) > limits.argument:
        raise ScenarioError(f"the option '{option.name}' is longer than {limits.argument} bytes")
    try:
        return option.kind.parse(text, limits)
    except ValueError as error:
        raise ScenarioError(f"the option '{option.name}', {_quoted(text)}, {error}") from None


def _misspelt(name: str, options: Iterable[str]) -> str | None:
    """Return the option that `name` is one edit away from, or that it is in other letters' case; or None."""
    near = [each for each in options if len(each) >= _SHORTEST_MISSPELT and abs(len(each) - len(name)) < 2]
    return next((each for each in near if each == name.lower() or _is_one_edit(name, each)), None)


def _is_one_edit(one: str, other: str) -> bool:
    """Return whether two texts, which are not equal, are so with one character added, removed or replaced, or with two
    neighbours exchanged.
    """
    same = next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(map(len, (one, other)))
    )
    rest, wanted = one[same:], other[same:]
    is_exchanged = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
    return rest[1:] in (wanted, wanted[1:]) or rest == wanted[1:] or is_exchanged


def _unknown(line: str, text: str, names: list[str], family: str = "") -> str:
    """Return the error line for a name that does not exist, with the most similar one that does."""
    # Imported only when needed: most requests have no such error.
    from difflib import get_close_matches

    prefix = f"{family}/" if family else ""
    similar = get_close_matches(prefix + text, names, n=1) if 0 < len(text) <= _LONGEST_QUOTED else []
    found = f"{line} {_quoted(text)}" if not family else f"{line} {_quoted(text)}, which is no fault"
    return f"{found}: " + (f"did you mean '{similar[0]}'?" if similar else "GET /ws/ lists all steps")


def printable(text: str) -> str:
    """Return text from a URL as it is shown to people: in one line, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _quoted(text: str) -> str:
    """Return text from a URL for an error line: printable, not too long."""
    shown = printable(text)
    return f"'{shown[:_LONGEST_QUOTED]}…'" if len(shown) > _LONGEST_QUOTED else f"'{shown}'"
