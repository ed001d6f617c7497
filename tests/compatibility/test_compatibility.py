"""The table of real clients: what is compared, what is written, and that a real client goes all the way."""

import re
import sys
from dataclasses import replace
from datetime import date

import pytest

from tests.compatibility.clients import CLIENTS, Client
from tests.compatibility.performance import LATE, Cell, cell, perform
from tests.compatibility.table import document
from tests.compatibility.tasks import CAP, Outcome, Task, judged, rows, task_of, task_of_case
from tests.conformance.runs import started
from tests.shared.server import PATIENCE, ROOT
from wsecho.scenarios.catalogue import WORDS
from wsecho.testing import Peer

ROWS = {row.number: row for _, row in rows()}
INSTALLED = ("websockets", "aiohttp", "websocket-client", "picows", "ws", "undici")
BY_NAME = {client.name: client for client in CLIENTS}


def task(number: str) -> Task:
    return task_of(ROWS[number], "ws://plain", "wss://encrypted", "test")


def test_most_rows_are_performed() -> None:
    assert len(ROWS) > 0.8 * sum(len(word.rows) for word in WORDS)
    assert all(task(number).limit <= CAP for number in ROWS)


def test_tasks_say_what_rows_say() -> None:
    assert task("20.1.1") == Task("20.1.1", "ws://plain/ws/close/1000", (), False, False, None, 6.0)
    assert task("31.3.1") == Task("31.3.1", "ws://plain/ws/echo", ("hello",), False, True, 1, 6.0)
    assert task("31.4.1").reads == 1
    assert task("20.8.1").url == "wss://encrypted/ws/message/last/cut"
    assert task("28.1.1").echoes
    assert task("29.1.1").limit == CAP
    case = judged()[0]
    assert task_of_case(case, "ws://run", "a").url == f"ws://run/runCase?casetuple={case.id}&agent=a"


@pytest.mark.parametrize("name", INSTALLED)
def test_a_client_performs_rows(wsecho: Peer, name: str) -> None:
    client = BY_NAME[name]
    if client.version() is None:
        pytest.skip(f"{name} is not installed")
    chosen = [ROWS[number] for number in ("20.1.2", "20.3.1", "20.9.1", "28.4.1", "31.3.1", "31.4.1", "31.5.1")]
    tasks = [replace(task_of(row, wsecho.url, "", name), limit=PATIENCE) for row in chosen]
    outcomes = perform(client, tasks)
    found = {row.number: cell(row, outcomes.get(row.number), None) for row in chosen}
    assert {number: each.faults for number, each in found.items() if each.mark != "."} == {}
    assert outcomes["20.1.2"].close_code == 1001
    assert outcomes["31.5.1"].messages == ["hex:00ff"]


def test_a_client_is_judged_by_the_server_too() -> None:
    with started("--only", "31.3.1") as run:
        (case,) = [case for case in judged() if case.id == "31.3.1"]
        outcome = perform(BY_NAME["websockets"], [task_of_case(case, run.url, "both")])["31.3.1"]
        assert outcome.messages == ["hello"]
        assert run.verdict("casetuple=31.3.1&agent=both") == "OK"


def test_a_client_that_crashes_has_no_outcome() -> None:
    crashing = Client("crash", lambda: "1", (sys.executable, "-c", "import sys; sys.exit(1)"))
    assert perform(crashing, [task("20.1.1")]) == {}
    assert cell(ROWS["20.1.1"], None, None).faults == ["it crashed"]


GOOD = {"opened": True, "messages": [], "status": 101, "close_code": 1000, "reason": "", "clean": True}


@pytest.mark.parametrize(
    ("number", "changes", "faults"),
    [
        ("20.1.1", {}, []),
        ("20.1.1", {"clean": None, "reason": None}, []),
        ("20.1.1", {"close_code": 1006, "clean": False}, ["code 1006", "clean False"]),
        ("20.1.1", {"close_code": None}, ["no code"]),
        ("20.1.1", {"messages": ["x"]}, ["messages ['x']"]),
        ("20.1.1", {"opened": False}, ["it does not open"]),
        ("20.1.1", {"unfinished": True, "seconds": 6.0}, ["not done after 6 s"]),
        ("28.1.1", {}, ["it opens"]),
        ("28.1.1", {"opened": False}, []),
        ("21.1.1", {"opened": False, "status": 503}, []),
        ("21.1.1", {"opened": False, "status": 500}, ["status 500"]),
        ("21.1.1", {"opened": False, "status": None}, []),
    ],
)
def test_what_differs_is_found(number: str, changes: dict[str, object], faults: list[str]) -> None:
    outcome = Outcome(number, **(GOOD | changes))  # type: ignore[arg-type]
    assert cell(ROWS[number], outcome, None).faults == faults


def test_rows_without_a_right_outcome_give_facts() -> None:
    row = next(row for row in ROWS.values() if row.expect["opened"] == [True, False])
    assert cell(row, Outcome(row.number, opened=True), None).mark == "opens"
    assert cell(row, Outcome(row.number), None).mark == "refuses"


def test_a_client_that_takes_longer_than_the_table_waits_is_late() -> None:
    assert cell(ROWS["29.1.1"], Outcome("29.1.1", unfinished=True), None).mark == LATE


def test_the_server_is_heard_where_the_client_sees_nothing() -> None:
    good = Outcome("20.1.1", **GOOD)  # type: ignore[arg-type]
    verdict = {"behavior": "OK", "behaviorClose": "WRONG CODE", "result": "", "resultClose": "It closed with 1."}
    assert cell(ROWS["20.1.1"], good, verdict).faults == ["the server: It closed with 1."]
    verdict |= {"behavior": "NON-STRICT", "behaviorClose": "INFORMATIONAL"}
    assert cell(ROWS["20.1.1"], good, verdict).mark == "."


def test_a_row_that_needs_what_the_client_does_not_offer_does_not_apply() -> None:
    verdict = {"behavior": "UNIMPLEMENTED", "behaviorClose": "OK", "result": "", "resultClose": ""}
    assert cell(ROWS["30.10.1"], Outcome("30.10.1", status=400), verdict).mark == "-"


def test_the_document_begins_with_what_separates_clients() -> None:
    some = [each for each in rows() if each[1].number in ("20.1.1", "20.1.2", "20.1.3", "20.1.4", "29.1.1")]
    bad = Cell(["code | <1006>"])
    cells = {
        "20.1.1": {"a": Cell(), "b": bad},
        "20.1.2": {"a": Cell(), "b": Cell()},
        "20.1.3": {"a": bad, "b": bad},
        "20.1.4": {"a": Cell(), "b": Cell(fact="-")},
        "29.1.1": {"a": Cell(fact="opens"), "b": Cell(fact="opens")},
    }
    missing = Client("c", lambda: None, ())
    text = document(some, {"a": "1.0", "b": "2.0"}, [missing], cells, date(2030, 1, 2))
    assert "Made on 2030-01-02" in text
    assert "| a | 1.0 | 3 | 1 |" in text
    assert "| c | not installed | | |" in text
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles == [
        "Rows that separate clients: 1",
        "Rows in which no client does what is expected: 1",
        "Free rows in which all clients do the same: 1",
        "Rows in which all clients do what is expected: 2",
        "What clients do instead",
    ]
    assert "| 20.1.1 | `/ws/close/1000` | must | . | X |" in text
    assert "| 20.1.1 | b | code \\| &lt;1006> |" in text


def test_the_committed_table_is_about_rows_that_exist() -> None:
    text = (ROOT / "docs/compatibility.md").read_text()
    named = re.findall(r"^\| ([\d.]+) \| `[^`]+` \|", text, re.MULTILINE)
    assert len(named) > 100
    assert {*named} <= {row.number for word in WORDS for row in word.rows}
    for client in CLIENTS:
        assert re.search(rf"^\| {client.name} \| ", text, re.MULTILINE)
