"""The Autobahn cases with every set of options, without the two long sections, which `make conformance` also runs."""

import pytest

from tests.autobahn import (
    FULL_SETTING,
    LONG_SECTIONS,
    SETTINGS,
    all_sections,
    expected_verdicts,
    is_sampled,
    judge,
    shares,
)
from tests.conftest import Serve

SHORT_SECTIONS = tuple(section for section in all_sections() if section not in LONG_SECTIONS)


def test_the_whole_suite_is_expected_and_nothing_but_ok() -> None:
    expected = expected_verdicts()
    assert len(expected) == 517
    informational = {verdict.case for verdict in expected if verdict.behavior == "INFORMATIONAL"}
    assert informational == {"7.1.6", "7.13.1", "7.13.2"}
    assert {verdict.behavior for verdict in expected} == {"OK", "INFORMATIONAL"}
    assert {verdict.behavior_close for verdict in expected} == {"OK", "INFORMATIONAL"}


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_case_ends_as_it_must(serve: Serve, setting: str) -> None:
    verdicts = judge(serve(*SETTINGS[setting]), [f"{section}.*" for section in SHORT_SECTIONS])
    assert verdicts == expected_verdicts(SHORT_SECTIONS)


def test_the_sample_has_all_data_all_offers_and_all_sizes() -> None:
    long = {verdict.case for verdict in expected_verdicts(LONG_SECTIONS)}
    sample = {case for case in long if is_sampled(case)}
    for part in (lambda case: case.rpartition(".")[0], lambda case: case.rpartition(".")[2]):
        assert set(map(part, sample)) == set(map(part, long))


@pytest.mark.parametrize("sample", [False, True])
def test_all_settings_run_all_sections_and_one_never_a_sample(sample: bool) -> None:
    run = {(share.setting, share.section): share for share in shares(all_sections(), sample=sample)}
    assert {(setting, section) for setting in SETTINGS for section in all_sections()} == set(run)
    for (setting, section), share in run.items():
        assert share.expected <= expected_verdicts((section,))
        may_be_part = sample and setting != FULL_SETTING and section in LONG_SECTIONS
        assert may_be_part or share.expected == expected_verdicts((section,))
