"""The words of the language: steps with their arguments, and options. The catalogue is a table of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wsecho.scenarios.language.arguments import Kind
from wsecho.scenarios.language.limits import Limits

# The values of the options of a plan, by name. An option that is not given has its default.
Options = Mapping[str, Any]
# When a step happens: before the 101 response, or after it.
Stage = Literal["opening", "open"]
# What a row of the catalogue tells about correct clients. `must` and `should` are the words of RFC 2119; `unspecified`
# rows give facts, never failures; `load` rows need time or memory.
Demand = Literal["must", "should", "unspecified", "load"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step may take at most: seconds, bytes and frames that the server sends."""

    seconds: float = 0.0
    bytes: int = 0
    frames: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.bytes + other.bytes, self.frames + other.frames)


def no_cost(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    """Return the cost of a step that sends next to nothing and waits for nothing."""
    return Cost(0.0, 128, 1)


def no_fault(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    """Return that a step can be performed with any values of its arguments and options."""
    return ""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a step, or an option. If an `optional` argument is left out, its value is `default`."""

    name: str
    kind: Kind
    meaning: str
    optional: bool = False
    default: Any = None


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario with a known outcome, for tests of clients.

    `number` is dotted and stable, `url` is path and query. `act` is what the harness does with the client;
    `wsecho.scenarios.language.act` reads what any harness can do. `expect` is what the client must report: `opened`,
    `messages`, `close_code` (or a list), `clean`, `within` (seconds). `judge` is what the server checks, as
    `wsecho.scenarios.language.judgement` reads it; rows with it are cases of `wsecho conformance`. `slow` are the
    seconds that it takes if more than one. `needs` and `cases` name requirements, and reports of clients that failed.
    `browser` says what is different for a web page, in the form of `wsecho.scenarios.language.browser`.
    """

    number: str
    url: str
    act: str
    expect: Mapping[str, Any]
    demand: Demand = "must"
    judge: tuple[str, ...] = ()
    slow: float = 0
    needs: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    browser: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Word:
    """A step.

    `name` is how it is written; names such as `handshake/no-reason` have two segments. `number` is dotted and stable,
    `group` is a letter of the catalogue's groups, `since` is the version that introduced it. `server` says in words
    what the server does, with the arguments by name in braces; `client` what a correct client does, and `rfc` where
    that is written. `run` performs the step: its parameters are the `Opening` or the `Peer` of
    `wsecho.scenarios.steps.peer`, then the arguments. Nothing may follow a step that `ends` what the server does.
    `options` are the names of the options that it reads. `fault` returns one line that says why the values of a
    step do not fit together; it is empty if they do. With `is_exact`, the 101 response has no fields of ours.
    Without `may_deflate`, permessage-deflate is not negotiated; a step that `needs_deflate` sends compressed messages
    that do not depend on each other. What a step that `collects` sends is one write, perhaps with that of later steps.
    A step that `keeps_close` finds a Close frame of the
    client unanswered, if one came before. For a step that `needs_privilege`, the 101 response says in the field
    Wsecho-Privilege whether the server has it; without it, the step does something else, which `server` names.
    """

    name: str
    number: str
    group: str
    server: str
    client: str
    rfc: str
    run: Callable[..., Awaitable[None]]
    stage: Stage = "open"
    arguments: tuple[Argument, ...] = ()
    options: tuple[str, ...] = ()
    cost: Callable[[tuple[Any, ...], Options, Limits], Cost] = no_cost
    fault: Callable[[tuple[Any, ...], Options, Limits], str] = no_fault
    ends: bool = False
    is_exact: bool = False
    may_deflate: bool = True
    needs_deflate: bool = False
    collects: bool = False
    keeps_close: bool = False
    needs_privilege: bool = False
    since: str = "0.1.0"
    rows: tuple[Row, ...] = ()

    @property
    def label(self) -> str:
        """The name under which the step is counted, one of `wsecho.counting.row.SCENARIO_STEPS`."""
        return self.name.partition("/")[0]
