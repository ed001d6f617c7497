"""Real clients perform the rows about ends, silence, pings, waits and messages, and report what the rows expect.

Where a client is known to differ, it is written here. A row that separates clients must not separate all of them from
what it expects.
"""

import pytest

from tests.conftest import Serve
from tests.scenarios.acting_clients import ACTORS, differences, perform
from tests.shared.certificates import Certificate
from tests.shared.server import RunningServer
from wsecho.scenarios.language.word import Row
from wsecho.scenarios.run.endings import may_vanish
from wsecho.scenarios.steps import ends, messages, pings, silence, waits

ROWS = [
    row
    for family in (ends, silence, pings, waits, messages)
    for word in family.WORDS
    for row in word.rows
    # A client may end a connection that costs it too much: `ws` does when too many pings wait for its pongs.
    if word.stage == "open" and row.demand != "load" and ("privilege" not in row.needs or may_vanish())
]
# What a client does otherwise, by the number of the row.
KNOWN: dict[str, set[str]] = {
    # Waits for the end of TCP for ever, if the server has begun to close.
    "websockets": {"20.6.1"},
    # Reports 1006 for a Close frame without a code.
    "aiohttp": {"20.2.1"},
    "ws": set(),
}


@pytest.mark.parametrize("client", ACTORS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_what_a_client_reports_is_what_a_row_expects(
    server: RunningServer, serve: Serve, certificate: Certificate, client: str, row: Row
) -> None:
    found = differences(row, perform(client, serve(*certificate.options) if "tls" in row.needs else server, row))
    assert bool(found) == (row.number in KNOWN[client]), found


def test_each_row_is_performed_as_expected_by_two_clients() -> None:
    for row in ROWS:
        assert sum(row.number not in numbers for numbers in KNOWN.values()) >= 2, row.number
