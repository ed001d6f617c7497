"""What a client is to do: the rows of the catalogue, and the cases that the server judges."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wsecho.conformance.cases import Case, all_cases
from wsecho.scenarios.catalogue import WORDS
from wsecho.scenarios.language import act
from wsecho.scenarios.language.act import Act
from wsecho.scenarios.language.word import Row, Word

# No client waits longer than so many seconds.
CAP = 12.0
_SLACK = 1.0
# Without these, a row cannot be performed by every client in the same way.
_NOT_PERFORMED = {"privilege", "subprotocols"}
# What only some clients can do, around what all can do.
_SPECIAL = re.compile(
    r"(?:authenticate as (?P<user>\w+) with (?P<password>\w+), |send the token (?P<token>\w+) in Authorization, |"
    r"offer the subprotocols (?P<one>\w+) and (?P<other>\w+), )?(?P<plain>.+?)(?P<repeats> each second)?"
)


@dataclass(frozen=True, slots=True)
class Task:
    """What a runner reads, as JSON.

    The client connects to `url`, sends `messages` as text, and `echoes` what arrives, if it is to. After so many
    messages as `reads` says, it closes with 1000 (`closes`) or is done; with None, it reads until the end. It gives up
    after `limit` seconds.

    Only some clients can do the rest: add `headers` to the handshake, offer `subprotocols`, begin with a ping
    (`pings`), send the messages again each second (`repeats`), offer permessage-deflate (`deflate`), and end by a time
    limit of their own, in seconds, what is not answered. None stands for the default of the client.
    """

    number: str
    url: str
    messages: tuple[str, ...]
    echoes: bool
    closes: bool
    reads: int | None
    limit: float
    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocols: tuple[str, ...] = ()
    pings: bool = False
    repeats: bool = False
    deflate: bool | None = None
    opening_timeout: float | None = None
    closing_timeout: float | None = None


def rows() -> list[tuple[Word, Row]]:
    """Return the rows that any client can perform, in the order of their numbers."""
    found = [
        (word, row)
        for word in WORDS
        for row in word.rows
        if act.parse(row.act) and not _NOT_PERFORMED & {*row.needs} and not _takes_long(row)
    ]
    return sorted(found, key=lambda each: [int(part) for part in each[1].number.split(".")])


def _takes_long(row: Row) -> bool:
    """Return whether a row can say nothing before the table gives up."""
    return row.expect["within"] > CAP and row.demand in ("load", "unspecified")


def task_of(row: Row, plain: str, encrypted: str, client: str) -> Task:
    """Return a row as a task. `plain` and `encrypted` are the addresses of servers; `client` is the client's name."""
    special = _SPECIAL.fullmatch(row.act)
    assert special
    role = Act() if special["plain"] in ("ping", "connect until it opens") else act.parse(special["plain"])
    assert role, row.act
    url = (encrypted if "tls" in row.needs else plain) + row.url
    if "/next" in row.url:
        # Others perform the row too, and must not be counted.
        url += f"{'&' if '?' in url else '?'}key={client}.{row.number}"
    expected = row.expect.get("echoes", len(row.expect.get("messages", ())))
    reads_on = {"close_code", "clean"} & row.expect.keys() and not role.closes
    messages = tuple(payload.decode() for payload in role.payloads())
    limit = min(row.expect["within"] + _SLACK, CAP)
    return Task(
        *(row.number, url, messages, role.echoes, role.closes, None if reads_on else expected, limit),
        headers=_authorization(special),
        subprotocols=(special["one"], special["other"]) if special["one"] else (),
        pings=special["plain"] == "ping",
        repeats=bool(special["repeats"]),
    )


def _authorization(special: re.Match[str]) -> dict[str, str]:
    if special["user"]:
        credentials = f"{special['user']}:{special['password']}".encode()
        return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}
    return {"Authorization": f"Bearer {special['token']}"} if special["token"] else {}


def judged() -> list[Case]:
    """Return the cases that the server judges."""
    return all_cases()


def task_of_case(case: Case, address: str, client: str) -> Task:
    """Return a case as a task: the client echoes until the end."""
    url = f"{address}/runCase?casetuple={case.id}&agent={client}"
    return Task(case.id, url, (), echoes=True, closes=False, reads=None, limit=case.seconds + CAP)


def encoded(tasks: list[Task]) -> str:
    """Return what a runner reads from standard input."""
    return json.dumps([asdict(task) for task in tasks])


@dataclass(slots=True)
class Outcome:
    """What a client tells its application. What it cannot tell is None.

    Messages are text, or `hex:` and the bytes. Without an end of the connection, `close_code` is None. `body` and
    `headers`, whose names are in lower case, are those of a refusal.
    """

    number: str
    opened: bool = False
    messages: list[str] | None = None
    status: int | None = None
    body: str | None = None
    headers: dict[str, str] | None = None
    close_code: int | None = None
    reason: str | None = None
    clean: bool | None = None
    seconds: float = 0.0
    unfinished: bool = False


def decoded(line: str) -> Outcome:
    """Return what a runner has printed."""
    found: dict[str, Any] = json.loads(line)
    return Outcome(**found)
