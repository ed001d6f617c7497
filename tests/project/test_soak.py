"""A short soak test with smaller crowds: nothing is lost, nothing is left behind, nothing grows. It judges no speed."""

from tests.soak.hostile import Mix
from tests.soak.phases import Plan, soak


def test_a_minute_of_everything_loses_nothing_and_leaves_nothing() -> None:
    mix = Mix(drippers=50, slow_readers=20, bombs=5, violations=5)
    report = soak(Plan(seconds=45, connections=500, churn_rate=50, mix=mix))
    assert report.failures(truth_alone=True) == []
