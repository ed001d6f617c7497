"""Three real clients perform the rows of the catalogue, and report what the rows expect.

Where a client is known to differ, it is written here. A row that separates clients must not separate all of them from
what it expects. The clients have short time limits and offer permessage-deflate; docs/compatibility.md is about their
defaults.
"""

from collections.abc import Iterable
from dataclasses import replace
from time import sleep

import pytest

from tests.compatibility.clients import CLIENTS, Client
from tests.compatibility.performance import differences, perform
from tests.compatibility.tasks import Outcome, Task, task_of
from tests.conftest import Serve
from tests.shared.server import PATIENCE, RunningServer
from wsecho.scenarios.catalogue import WORDS
from wsecho.scenarios.language.word import Row
from wsecho.scenarios.run.endings import may_vanish

# Seconds that a client gives a handshake, and the answer to its Close frame.
OPENING_TIMEOUT = CLOSING_TIMEOUT = 6.0
# Rows of so many seconds are about clients that may never end.
LONG = 10
MOST_TRIES = 10
UNTIL_IT_OPENS = "connect until it opens"
ROWS = {
    row.number: row
    for word in WORDS
    for row in word.rows
    # These have tests of their own: test_load.py, and tests/scenarios/test_phases.py.
    if row.demand != "load"
    and row.act != UNTIL_IT_OPENS
    and "two connections" not in row.needs
    and ("privilege" not in row.needs or may_vanish())
}
# The first fragment of a message that is not valid is enough for no client.
FAILS_LATE = {"26.17.1"}
# What a client does otherwise, by the number of the row.
KNOWN = {
    "websockets": FAILS_LATE
    # Waits for the end of TCP for ever, if the server has begun to close.
    | {"20.6.1"}
    # Takes a 103 response for the last one.
    | {"23.10.1"},
    "aiohttp": FAILS_LATE
    # Reports 1006 for a Close frame without a code.
    | {"20.2.1"}
    # Accepts masked frames, close codes above 4999, and a compressed Ping frame.
    | {"26.1.1", "26.2.1", "20.81.1", "20.82.1", "30.4.1"}
    # Accepts a handshake that is wrong, or refuses one that it must accept.
    | {"23.4.1", "28.3.1", "28.6.1", "28.7.1", "28.8.1", "28.9.1"},
    "ws": FAILS_LATE,
}


def installed(name: str) -> Client:
    client = next(client for client in CLIENTS if client.name == name)
    if client.version() is None:
        pytest.skip(f"{name} is not installed (ws: Debian packages nodejs, npm; then `make test`)")
    return client


def task(row: Row, client: str, plain: RunningServer, encrypted: RunningServer) -> Task:
    """Return a row as a task for a client that leaves where the row says nothing about the end."""
    made = task_of(row, plain.ws_url, encrypted.ws_url, client)
    is_long = row.slow >= LONG
    if is_long and row.demand == "unspecified":
        made = replace(made, reads=len(row.expect.get("messages", ())))
    return replace(
        made,
        deflate=True,
        opening_timeout=OPENING_TIMEOUT,
        closing_timeout=CLOSING_TIMEOUT,
        limit=row.expect["within"] if is_long or row.number in KNOWN[client] else PATIENCE,
    )


def found(rows: Iterable[Row], outcomes: dict[str, Outcome]) -> dict[str, list[str]]:
    """Return where outcomes are not what the rows expect."""
    compared = {row.number: [*differences(row, outcomes[row.number])] for row in rows}
    return {number: faults for number, faults in compared.items() if faults}


@pytest.mark.parametrize("name", KNOWN)
def test_what_a_client_reports_is_what_the_rows_expect(server: RunningServer, serve: Serve, name: str) -> None:
    client = installed(name)
    encrypted = serve("--tls-self-signed")
    outcomes = perform(client, [task(row, name, server, encrypted) for row in ROWS.values()])
    faults = found(ROWS.values(), outcomes)
    assert {*faults} == KNOWN[name], faults


@pytest.mark.parametrize("name", KNOWN)
def test_a_client_that_is_told_when_to_come_again_gets_in(server: RunningServer, name: str) -> None:
    client = installed(name)
    (row,) = (row for word in WORDS for row in word.rows if row.act == UNTIL_IT_OPENS)
    for number in range(MOST_TRIES):
        outcomes = perform(client, [task(row, name, server, server)])
        if outcomes[row.number].opened:
            break
        refused = outcomes[row.number]
        assert refused.status == 503
        assert refused.headers
        # The client itself starts late, and may miss each of the two seconds in the same way.
        sleep(int(refused.headers["retry-after"]) + number % 4)
    assert found([row], outcomes) == {}


def test_each_row_is_performed_as_expected_by_two_clients() -> None:
    for number in ROWS.keys() - FAILS_LATE:
        assert sum(number not in numbers for numbers in KNOWN.values()) >= 2, number
