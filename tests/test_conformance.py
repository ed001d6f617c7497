"""The Autobahn cases on both codecs, without the two long sections, which `make conformance` runs as well."""

import pytest

from tests.conformance import EXPECTED_CASES, count_cases, judge
from tests.server import RunningServer

# permessage-deflate: 1,000 messages a case, some minutes a codec.
LONG_SECTIONS = ("12", "13")


@pytest.mark.timeout(300)
def test_every_autobahn_case_is_ok(shared_server: RunningServer) -> None:
    verdicts = judge(shared_server, left_out=[f"{section}.*" for section in LONG_SECTIONS])
    expected = {section: count for section, count in EXPECTED_CASES.items() if section not in LONG_SECTIONS}
    assert count_cases(verdicts) == expected
    assert [verdict for verdict in verdicts if not verdict.passes] == []
