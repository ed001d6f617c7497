"""What `/scenarios.json` says that a page sees of a row. Modules: `browser`."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.shared.server import RunningServer
from wsecho.scenarios.catalogue import SEQUENCES, WORDS
from wsecho.scenarios.language.browser import as_seen
from wsecho.scenarios.language.word import Row

ROWS = {row.number: row for row in (*(row for word in WORDS for row in word.rows), *SEQUENCES)}
# Rows that need what a page cannot do, or whose outcome depends on what a page cannot see.
INVISIBLE = {
    *("21.3.1", "21.4.1", "21.4.2", "21.5.1"),
    *("22.1.1", "22.1.3", "22.2.1", "22.2.2", "22.7.2", "22.7.3", "22.7.4", "22.7.5", "22.9.1", "22.9.2"),
    "27.3.2",
}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.number)
def test_every_row_says_what_a_page_sees(row: Row) -> None:
    seen = as_seen(row)
    assert seen["visible"] is (row.number not in INVISIBLE)
    assert seen["within"] >= row.expect["within"] > 0
    connections = [seen, *seen.get("attempts", ())]
    assert len(connections) == 1 + len(row.expect.get("attempts", ()))
    for one in connections:
        assert one["opens"] in (True, False, [True, False])
        assert all(0 <= code <= 4999 for code in one.get("close", {}).get("codes", ()))
        # What can be said of a connection that never opens is only that.
        assert one["opens"] is not False or not {"close", "messages", "subprotocol"} & one.keys()
    assert json.loads(json.dumps(seen)) == seen


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        ("20.1.2", {"opens": True, "close": {"codes": [1001], "clean": True, "reason": "going away"}, "messages": 0}),
        ("20.1.4", {"opens": True, "close": {"codes": [1000], "clean": True}, "messages": 1}),
        ("20.4.1", {"opens": True, "close": {"codes": [1006], "clean": False}, "messages": 0}),
        ("20.5.1", {"opens": True, "close": {"codes": [1008, 1006]}, "messages": 0}),
        ("21.1.1", {"opens": False}),
        ("21.2.1", {"opens": [True, False]}),
        ("22.5.1", {"opens": True, "messages": 8, "within": 30}),
        ("20.9.5", {"opens": True, "close": {"codes": [1006], "clean": False}, "messages": 0, "within": 75}),
        ("28.40.1", {"opens": True, "messages": 1, "subprotocol": ""}),
    ],
)
def test_what_is_expected_of_a_client_is_what_a_page_sees(number: str, seen: dict[str, Any]) -> None:
    if "messages" in seen:
        seen = seen | {"messages": {"least": seen["messages"], "most": seen["messages"]}}
    assert as_seen(ROWS[number]) == {"visible": True, "within": 5, **seen}


def test_a_sequence_says_what_a_page_sees_of_each_connection() -> None:
    first, second = as_seen(ROWS["24.1.3"])["attempts"]
    assert first == {"opens": True, "close": {"codes": [1012], "clean": True}}
    assert second == {"opens": True}


def test_what_a_row_says_of_browsers_goes_before_the_rest_of_it() -> None:
    row = replace(ROWS["20.1.4"], browser={"visible": False, "within": 7})
    assert as_seen(row) == as_seen(ROWS["20.1.4"]) | {"visible": False, "within": 7}


def test_the_catalogue_has_it(server: RunningServer) -> None:
    document = json.loads(server.get("/scenarios.json")[2])
    rows = [*(row for word in document["words"] for row in word["rows"]), *document["sequences"]]
    assert {row["number"]: row["browser"] for row in rows} == {row.number: as_seen(row) for row in ROWS.values()}
