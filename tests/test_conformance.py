"""The Autobahn cases in every setting, without the two long sections, which `make conformance` runs as well."""

import pytest

from tests.conformance import LONG_SECTIONS, SETTINGS, expected_verdicts, judge
from tests.conftest import Serve

SHORT_SECTIONS = tuple(sorted({verdict.section for verdict in expected_verdicts()} - set(LONG_SECTIONS)))


def test_the_whole_suite_is_expected_and_nothing_but_ok() -> None:
    expected = expected_verdicts()
    assert len(expected) == 517
    informational = {verdict.case for verdict in expected if verdict.behavior == "INFORMATIONAL"}
    assert informational == {"7.1.6", "7.13.1", "7.13.2"}
    assert {verdict.behavior for verdict in expected} == {"OK", "INFORMATIONAL"}
    assert {verdict.behavior_close for verdict in expected} == {"OK", "INFORMATIONAL"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_case_ends_as_it_must(serve: Serve, setting: str) -> None:
    verdicts = judge(serve(*SETTINGS[setting]), SHORT_SECTIONS)
    assert verdicts == expected_verdicts(SHORT_SECTIONS)
