"""The cost of the compiled codec: instructions for each message, compared with committed figures."""

import json

import pytest

from benchmarks import instructions

LARGEST_RISE = 1.10


@pytest.mark.parametrize("read", instructions.READS)
def test_a_message_costs_no_more_instructions_than_it_did(read: str) -> None:
    committed = json.loads(instructions.COMMITTED.read_text())
    if committed["compiler"] != instructions.compiler():
        pytest.skip(f"the figures are of {committed['compiler']}, this is {instructions.compiler()}")
    try:
        now = instructions.measure(read)
    except instructions.MeasurementError as reason:
        pytest.skip(str(reason))
    was = committed["instructions_per_message"][read]
    assert now <= was * LARGEST_RISE, (
        f"{read}: {now:.0f} instructions a message, {was:.0f} before; if it must be, make instructions"
    )
