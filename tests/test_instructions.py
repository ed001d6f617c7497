"""The compiled codec gets no dearer unnoticed: instructions per message against committed figures."""

import json

import pytest

from benchmarks import instructions

LARGEST_RISE = 1.10


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    try:
        return instructions.measure()
    except instructions.MeasurementError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("read", instructions.READS)
def test_a_message_costs_no_more_instructions_than_it_did(measured: dict[str, float], read: str) -> None:
    committed = json.loads(instructions.COMMITTED.read_text())
    if committed["compiler"] != instructions.compiler():
        pytest.skip(f"the figures are of {committed['compiler']}, this is {instructions.compiler()}")
    was, now = committed["instructions_per_message"][read], measured[read]
    assert now <= was * LARGEST_RISE, (
        f"{read}: {now:.0f} instructions a message, {was:.0f} before; if it must be, make instructions"
    )
