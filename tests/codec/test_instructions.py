"""The cost of messages and connections in instructions and bytes, compared with committed figures."""

import json
import platform
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import connection_costs, instructions
from benchmarks.servers import BenchmarkError

LARGEST_RISE = 1.10
# A sweep more or less adds some instructions.
LARGEST_RISE_OF_A_HANDSHAKE = 1.03


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(instructions.COMMITTED.read_text())
    if figures["compiler"] != instructions.compiler():
        pytest.skip(f"the figures are of {figures['compiler']}, this is {instructions.compiler()}")
    return figures


@pytest.mark.parametrize("read", instructions.READS)
def test_a_message_costs_no_more_instructions_than_it_did(committed: dict[str, Any], read: str) -> None:
    try:
        now = instructions.measure(read)
    except instructions.MeasurementError as reason:
        pytest.skip(str(reason))
    was = committed["instructions_per_message"][read]
    assert now <= was * LARGEST_RISE, (
        f"{read}: {now:.0f} instructions a message, {was:.0f} before; if it must be, make instructions"
    )


@pytest.mark.parametrize(
    ("measure", "largest_rise"),
    [
        (connection_costs.instructions_per_handshake, LARGEST_RISE_OF_A_HANDSHAKE),
        # It depends a little on how full the allocator's pages are after the start.
        (connection_costs.bytes_per_idle_connection, LARGEST_RISE),
    ],
)
def test_a_connection_costs_no_more_than_it_did(
    committed: dict[str, Any], measure: Callable[[], float], largest_rise: float
) -> None:
    if committed["python"] != platform.python_version():
        pytest.skip(f"the figures are of Python {committed['python']}, this is {platform.python_version()}")
    try:
        now = measure()
    except BenchmarkError as reason:
        pytest.skip(str(reason))
    was = committed[measure.__name__]
    assert now <= was * largest_rise, (
        f"{measure.__name__}: {now:.0f}, {was:.0f} before; if it must be, make instructions"
    )
