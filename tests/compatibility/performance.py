"""Lets one client perform all tasks, and finds where it does something else than the rows expect."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.compatibility.clients import Client
from tests.compatibility.tasks import CAP, Outcome, Task, decoded, encoded
from tests.shared.server import ROOT
from wsecho.scenarios.language import act
from wsecho.scenarios.language.arguments import Size
from wsecho.scenarios.language.data import generated
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.language.word import Row

# Seconds for a client to start, and for each task: some are performed at the same time.
_START = 60.0
_PER_TASK = CAP / 4
_LONGEST_SHOWN = 80
# What stands in the table for a client that was not done when the table gave up.
LATE = f">{CAP:g} s"
# No certificate is verified, and no proxy is used.
_VARIABLES = {"NODE_TLS_REJECT_UNAUTHORIZED": "0", "NODE_NO_WARNINGS": "1", "NO_PROXY": "*", "no_proxy": "*"}


def perform(client: Client, tasks: list[Task]) -> dict[str, Outcome]:
    """Return the outcome of each task by its number. Where there is none, the client has crashed."""
    try:
        done = subprocess.run(
            client.command,
            cwd=ROOT,
            env=os.environ | _VARIABLES,
            input=encoded(tasks),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_START + len(tasks) * _PER_TASK,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired as error:
        done = (error.stdout or b"").decode()
    return {outcome.number: outcome for outcome in map(decoded, filter(None, done.splitlines()))}


@dataclass(slots=True)
class Cell:
    """A client in a row: what it did where that is not what the row expects, or, of a row that expects nothing, a fact.

    A client that was not done when the table gave up is `late`: what it would have done is not known.
    """

    faults: list[str] = field(default_factory=list)
    fact: str = ""
    is_late: bool = False

    @property
    def mark(self) -> str:
        """What stands in the table."""
        if self.fact:
            return self.fact
        if self.is_late:
            return LATE
        return "X" if self.faults else "."


def cell(row: Row, outcome: Outcome | None, verdict: dict[str, Any] | None) -> Cell:
    """Return what there is to say. `verdict` is the report of the server, if it has judged the row."""
    if outcome is None:
        return Cell(["it crashed"])
    if verdict and verdict["behavior"] == "UNIMPLEMENTED":
        return Cell(fact="-")
    if row.demand == "unspecified" and (isinstance(row.expect["opened"], list) or "close_code" in row.expect):
        return Cell(fact=_fact(row, outcome))
    if outcome.unfinished and row.expect["within"] >= CAP:
        return Cell([f"not done after {CAP:g} s"], is_late=True)
    return Cell(list(differences(row, outcome)) or list(_complaints(verdict)))


def _fact(row: Row, outcome: Outcome) -> str:
    if isinstance(row.expect["opened"], list):
        return "opens" if outcome.opened else "refuses"
    if outcome.unfinished:
        return LATE
    return "no code" if outcome.close_code is None else str(outcome.close_code)


def _complaints(verdict: dict[str, Any] | None) -> Iterator[str]:
    """Yield what the server has to say about a client that has failed a case."""
    if verdict and verdict["behavior"] == "FAILED":
        yield f"the server: {verdict['result']}"
    if verdict and verdict["behaviorClose"] in ("FAILED", "WRONG CODE", "UNCLEAN"):
        yield f"the server: {verdict['resultClose']}"


def differences(row: Row, outcome: Outcome) -> Iterator[str]:
    """Yield where the outcome is not what the row expects. What the client cannot tell is not compared."""
    expect = row.expect
    if outcome.opened not in _several(expect["opened"]):
        yield "it opens" if outcome.opened else "it does not open"
        return
    if "status" in expect and outcome.status is not None and outcome.status not in _several(expect["status"]):
        yield f"status {outcome.status}"
    if "body" in expect and outcome.body not in (None, expect["body"]):
        yield f"body {outcome.body!r}"
    for name, value in expect.get("headers", {}).items():
        if outcome.headers is not None and (found := outcome.headers.get(name.lower())) != value:
            yield f"{name} is {found!r}"
    if outcome.unfinished:
        yield f"not done after {outcome.seconds:.0f} s"
        return
    if not outcome.opened:
        return
    messages = _messages(row)
    if messages is not None and outcome.messages != messages:
        yield f"messages {outcome.messages!r:.{_LONGEST_SHOWN}}"
    for name, what in (("close_code", "code"), ("reason", "reason"), ("clean", "clean")):
        found = getattr(outcome, name)
        if name in expect and found is not None and found not in _several(expect[name]):
            yield f"{what} {found}"
    if "close_code" in expect and outcome.close_code is None and not _closes(row):
        yield "no code"


def _closes(row: Row) -> bool:
    role = act.parse(row.act)
    return role is not None and role.closes


def _several(expected: Any) -> list[Any]:
    return expected if isinstance(expected, list) else [expected]


def _messages(row: Row) -> list[str] | None:
    """Return the messages that the client must report, None if the row does not say."""
    role = act.parse(row.act)
    if "echoes" in row.expect and role:
        return [payload.decode() for payload in role.payloads()]
    if "messages" not in row.expect:
        return None
    return [_written(text, number) for number, text in enumerate(row.expect["messages"], start=1)]


def _written(text: str, number: int) -> str:
    size = text.removeprefix("size:")
    return generated(number, Size().parse(size, LOCAL)).decode() if size != text else text
