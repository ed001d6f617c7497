"""Dates in header fields, compared with the standard library's."""

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from wsecho.http.date import http_date

YEAR_9999 = 253_402_300_799


def test_the_example_of_the_specification() -> None:
    assert http_date(784111777.9) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(0, YEAR_9999))
def test_any_date_is_as_the_standard_library_writes_it(now: int) -> None:
    assert http_date(now) == formatdate(now, usegmt=True)
