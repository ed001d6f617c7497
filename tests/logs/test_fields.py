"""Fields of log lines: any value becomes short, printable text."""

from typing import Any

import pytest
from hypothesis import given

from tests.shared.texts import ANYTHING
from wsecho.logs.fields import MAX_FIELD, MAX_TRACEBACK, shown, shown_address, shown_traceback


@given(ANYTHING)
def test_a_traceback_is_short_and_printable(text: str) -> None:
    said = shown_traceback(text)
    assert all(line.isprintable() for line in said.split("\n"))
    assert len(said.encode()) <= MAX_TRACEBACK


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, 7),
        (True, True),
        (None, None),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (b"\xff", "b'\\xff'"),
        ([1, "\n"], "[1, '\\n']"),
        ("a\nb\x7f\x9b\u2028\u202e\udc80", "a\\nb\\x7f\\x9b\\u2028\\u202e\\udc80"),
        ("naïve ☃", "naïve ☃"),
        ("x" * MAX_FIELD, "x" * MAX_FIELD),
        ("x" * (MAX_FIELD + 1), "x" * (MAX_FIELD - 3) + "…"),
        ("é" * 129, "é" * 126 + "…"),
    ],
)
def test_a_field_is_shown_as_what_it_is_as_far_as_it_may(value: Any, said: Any) -> None:
    assert shown(value) == said


def test_addresses() -> None:
    assert shown_address(("192.0.2.1", 80)) == "192.0.2.1:80"
    assert shown_address(("2001:db8::1", 80, 0, 0)) == "[2001:db8::1]:80"
    assert shown_address("/run/socket") == "/run/socket"
    assert shown_address(None) == shown_address("") == "unknown"
