"""Real clients perform the rows about frames that are wrong, compression, fragments and volume.

Where a client is known to differ from what a row expects, it is written here.
"""

import pytest

from tests.scenarios.acting_clients import ACTORS, differences, perform
from tests.shared.server import RunningServer
from wsecho.scenarios.language.word import Row
from wsecho.scenarios.steps import deflate, fragments, malformed, volume

ROWS = [
    row
    for family in (malformed, deflate, fragments, volume)
    for word in family.WORDS
    for row in word.rows
    if row.demand in ("must", "should") and "two connections" not in row.needs
]
# The first fragment of a message that is not valid is enough for no client.
FAILS_LATE = {"26.17.1"}
KNOWN: dict[str, set[str]] = {
    "websockets": FAILS_LATE,
    # Accepts masked frames, close codes above 4999, and a compressed Ping frame.
    "aiohttp": FAILS_LATE | {"26.1.1", "26.2.1", "20.81.1", "20.82.1", "30.4.1"},
    "ws": FAILS_LATE,
}


@pytest.mark.parametrize("client", ACTORS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_what_a_client_reports_is_what_a_row_expects(server: RunningServer, client: str, row: Row) -> None:
    differs = row.number in KNOWN[client]
    found = differences(row, perform(client, server, row, is_impatient=differs))
    assert bool(found) == differs, found
