"""The cases: the rows of the catalogue that the server can judge alone, if the client echoes every message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from wsecho.scenarios.catalogue import GROUPS, VOCABULARY, WORDS
from wsecho.scenarios.language import act, judgement
from wsecho.scenarios.language.act import Act
from wsecho.scenarios.language.grammar import parse
from wsecho.scenarios.language.judgement import Judgement
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.language.plan import Plan
from wsecho.scenarios.language.word import Row, Word

# `open`: a correct client accepts the 101 response. `handshake`: it fails the connection instead. `all`: both.
Set = Literal["open", "handshake", "all"]
SETS: tuple[Set, ...] = ("open", "handshake", "all")
_LETTERS = {str(number): letter for letter, (_, number) in GROUPS.items()}


@dataclass(frozen=True, slots=True)
class Case:
    """A row as a case. Its id is the number of the row.

    The client of a harness does nothing but echo. So where the client of the row would send messages to an echo, the
    server sends them, as `messages`, and the client echoes.
    """

    row: Row
    word: Word
    plan: Plan
    messages: tuple[bytes, ...]
    judgements: tuple[Judgement, ...]

    @property
    def id(self) -> str:
        """The dotted number, such as 20.1.1; the cases of Autobahn end with 13."""
        return self.row.number

    @property
    def group(self) -> str:
        """The letter of the group that its number belongs to."""
        return _LETTERS[self.id.partition(".")[0]]

    @property
    def name(self) -> str:
        """The URL of the scenario, for people."""
        return self.row.url

    @property
    def description(self) -> str:
        """The URL, and what the server does, in one line."""
        return f"{self.row.url}: {self.word.server}"

    @property
    def expectation(self) -> str:
        """What a correct client does, and where that is written, in one line."""
        return f"{self.word.client} ({self.word.rfc})"

    @property
    def opens(self) -> bool:
        """Whether a correct client accepts the 101 response."""
        return self.row.expect["opened"] is True

    @property
    def ends_itself(self) -> bool:
        """Whether the scenario has an end, so that the server need not close the connection behind it."""
        steps = self.plan.phases[0].steps
        return bool(steps) and steps[-1].word.ends and steps[-1].word.name != "echo"

    @property
    def seconds(self) -> float:
        """The seconds after which the server gives up waiting for the client."""
        within: float = self.row.expect["within"]
        return within


def _case(word: Word, row: Row) -> Case | None:
    """Return the row as a case, None if a client that only echoes cannot perform it."""
    role = act.parse(row.act)
    path, _, query = row.url.partition("?")
    plan = parse(path, query, VOCABULARY, LOCAL)
    if not row.judge or role is None or len(plan.phases) > 1:
        return None
    if not _is_passive(role, plan):
        return None
    messages = tuple(role.payloads())
    return Case(row, word, plan, messages, tuple(judgement.parse(text) for text in row.judge))


def _is_passive(role: Act, plan: Plan) -> bool:
    """Return whether a client that only echoes can take the role.

    Messages to an echo are as good if they come from the server. Where it does not matter who closes, the server does.
    """
    words = [step.word for step in plan.phases[0].at("open") if step.word.name != "echo"]
    if role.messages:
        return not words
    return not role.closes or not any(word.ends or word.keeps_close for word in words)


def all_cases(*, encrypted: bool = False) -> list[Case]:
    """Return all cases in the order of their numbers. Some need TLS."""
    found = (_case(word, row) for word in WORDS for row in word.rows if encrypted or "tls" not in row.needs)
    return sorted(filter(None, found), key=lambda case: [int(part) for part in case.id.split(".")])


def selected(cases: Iterable[Case], which: Set, only: Sequence[str], skip: Sequence[str]) -> list[Case]:
    """Return the cases of a set which one of `only` names, if there are any, and none of `skip`.

    Raises ValueError for a name that names no case; its text is one line for the user.
    """
    cases = list(cases)
    for name in (*only, *skip):
        if not any(_is_named(case, name) for case in cases):
            raise ValueError(f"{name!r} names no case: a number, a group, a step or a pattern such as 26.* is needed")
    in_set = [case for case in cases if which == "all" or case.opens == (which == "open")]
    return [
        case
        for case in in_set
        if (not only or any(_is_named(case, name) for name in only)) and not any(_is_named(case, name) for name in skip)
    ]


def _is_named(case: Case, name: str) -> bool:
    """Return whether a name means the case: its number or the first parts of it, a pattern, its group, or its step."""
    names = (case.id, case.group, case.word.name, case.word.label, GROUPS[case.group][0])
    return case.id.startswith(f"{name}.") or any(fnmatchcase(each.lower(), name.lower()) for each in names)
