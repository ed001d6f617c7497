"""Exceptions that only the event loop catches: internal errors are counted and logged, those of peers are not."""

import asyncio
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.counting.row import PLACES
from wsecho.counting.shared_page import SharedPage
from wsecho.processes.loop_errors import LoopErrors


@pytest.mark.parametrize(
    ("context", "event", "place"),
    [
        ({"exception": ConnectionResetError()}, "connection lost", None),
        ({"exception": ConnectionResetError}, "connection lost", None),
        ({"exception": ValueError()}, "unexpected error", "callback"),
        ({"exception": ValueError(), "transport": None}, "unexpected error", "connection"),
        ({"exception": MemoryError(), "transport": None}, "out of memory for a connection", "connection"),
        ({"exception": MemoryError(), "place": "sweep"}, "out of memory", "sweep"),
        ({"exception": OSError(), "place": "accept"}, "unexpected error", "accept"),
    ],
)
def test_an_internal_error_is_counted_at_its_place_and_logged(
    context: dict[str, Any], event: str, place: str | None
) -> None:
    row = SharedPage(workers=1).rows[0]
    loop = asyncio.new_event_loop()
    with capture_logs() as lines:
        LoopErrors(ConnectionCounters(row), structlog.get_logger()).handle(loop, {"message": "failed", **context})
    loop.close()
    assert [line["event"] for line in lines] == [event]
    assert [name for name, count in zip(PLACES, row.internal_errors, strict=True) if count] == (
        [place] if place else []
    )
