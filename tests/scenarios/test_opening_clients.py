"""Real clients perform the rows about the opening handshake, and report what the rows expect.

Where a client is known to differ, it is written here. A row that separates clients must not separate all of them from
what it expects.
"""

import pytest

from tests.scenarios.opening_clients import OPENERS, differences, perform
from tests.shared.server import RunningServer
from wsecho.scenarios.catalogue import WORDS
from wsecho.scenarios.language.word import Row

ALL_ROWS = [row for word in WORDS if word.group in ("B", "D", "I", "K") for row in word.rows]
ROWS = [row for row in ALL_ROWS if "tls" not in row.needs]
TLS_ROWS = [row for row in ALL_ROWS if "tls" in row.needs]
# What a client does wrong, by the number of the row.
KNOWN = {
    # Accepts the handshake, or refuses one that it must accept.
    "aiohttp": {"23.4.1", "28.3.1", "28.6.1", "28.7.1", "28.8.1", "28.9.1"},
    "websockets": {"23.10.1"},
    "ws": set(),
}


@pytest.mark.parametrize("client", OPENERS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_what_a_client_reports_is_what_a_row_expects(server: RunningServer, client: str, row: Row) -> None:
    outcome = perform(client, server, row)
    found = differences(row, outcome)
    assert bool(found) == (row.number in KNOWN[client]), (found, outcome)


# aiohttp leaves the transport of a TLS connection to the garbage collector.
@pytest.mark.parametrize("client", ["websockets", "ws"])
@pytest.mark.parametrize("row", TLS_ROWS, ids=lambda row: row.number)
def test_the_same_by_tls(tls_server: RunningServer, client: str, row: Row) -> None:
    assert not differences(row, perform(client, tls_server, row))


def test_each_row_is_performed_as_expected_by_two_clients() -> None:
    for row in ALL_ROWS:
        assert sum(row.number not in numbers for numbers in KNOWN.values()) >= 2, row.number
