"""The Autobahn cases, all that do not need compression, on both codecs; `python -m tests.conformance` prints them."""

import pytest

from tests.conformance import EXPECTED_CASES, count_cases, judge
from tests.server import RunningServer


@pytest.mark.timeout(300)
def test_every_autobahn_case_is_ok(shared_server: RunningServer) -> None:
    verdicts = judge(shared_server)
    assert count_cases(verdicts) == EXPECTED_CASES
    assert [verdict for verdict in verdicts if not verdict.passes] == []
