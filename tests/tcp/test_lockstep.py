"""In any sequence of steps, the server's own TCP transport does what aiofastnet's does.

`fuzz/tcp_transport.py` runs more sequences. Modules: `transports`.
"""

import random

import pytest

from tests.shared.tcp_lockstep import Step, check, random_steps

# Both directions under back-pressure, and every way to an end.
START: Step = ("start", 5)
SEQUENCES: dict[str, list[Step]] = {
    "a peer that reads nothing, then everything": [("limits", 0), ("write", 300_000), ("pause", 0), ("iterate", 5)],
    "both close": [("write", 70_000), ("write_eof", 0), ("peer_sends", 4096), ("peer_ends", 0), ("iterate", 5)],
    "an answer after the end": [("keep_open", 0), ("peer_ends", 0), ("iterate", 5), ("write", 300_000), ("close", 0)],
    "a pause after the end": [("keep_open", 0), ("peer_ends", 0), ("iterate", 5), ("pause", 0), ("resume", 0)],
    "a hang-up while paused": [("pause", 0), ("peer_sends", 1000), ("peer_ends", 0), ("write_eof", 0), ("iterate", 30)],
    "a reset while paused": [("pause", 0), ("peer_sends", 1000), ("peer_resets", 0), ("iterate", 30)],
    "a reset before unsent bytes": [("write", 300_000), ("peer_resets", 0), ("iterate", 5), ("write", 20)],
    "an end inside a read": [("on", "buffer_updated", ("close", 0)), ("peer_sends", 300_000), ("iterate", 5)],
    "a write inside back-pressure": [("limits", 0), ("on", "resume_writing", ("write", 300_000)), ("write", 300_000)],
    "a write inside the pause": [("limits", 0), ("on", "pause_writing", ("write", 4096)), ("write", 300_000)],
    "a half-close inside back-pressure": [("limits", 0), ("on", "pause_writing", ("write_eof", 0)), ("write", 300_000)],
    "a change of limits under way": [("write", 300_000), ("limits", 0), ("limits", 1 << 20), ("limits", 0)],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_both_do_the_same(name: str) -> None:
    check([START, *SEQUENCES[name]])


@pytest.mark.parametrize("seed", range(40))
def test_both_do_the_same_in_random_sequences(seed: int) -> None:
    check(random_steps(random.Random(seed)))
