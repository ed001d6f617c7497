"""Which content coding a client gets for its Accept-Encoding (RFC 9110 section 12.5.3)."""

import pytest

from tests.shared.heads import head, read
from wsecho.http.content_codings import IDENTITY, preferred
from wsecho.http.request import Request


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        # As browsers, curl and proxies write it.
        ("gzip, deflate, br, zstd", "gzip"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "gzip"),
        ("deflate, gzip;q=0.001", "gzip"),
        ("gzip ; q=0.5 , identity ; Q=0.5", "gzip"),
        ("*", "gzip"),
        ("*;q=0.5", "gzip"),
        ("identity;q=0, *", "gzip"),
        ("identity;q=0.5, gzip;q=1.000", "gzip"),
        # Nothing that names gzip, or something that names identity with a larger weight.
        ("", IDENTITY),
        ("br", IDENTITY),
        ("identity", IDENTITY),
        ("gzip;q=0", IDENTITY),
        ("gzip;q=0.000, *", IDENTITY),
        ("gzip;q=0.5, identity", IDENTITY),
        ("gzip;q=0.5, *;q=0.8", IDENTITY),
        ("gzip;q=0.2, identity;q=0.3, *;q=0", IDENTITY),
        # Nothing is acceptable.
        ("*;q=0", IDENTITY),
        ("identity;q=0", IDENTITY),
        ("gzip;q=0, identity;q=0", IDENTITY),
        # What does not follow the grammar says nothing.
        ("gzip;q=2", IDENTITY),
        ("gzip;q=1.001", IDENTITY),
        ("gzip;q=0.1234", IDENTITY),
        ("gzip;q=-1", IDENTITY),
        ("gzip;q=", IDENTITY),
        ("gzip;level=9", IDENTITY),
        ("gzip q=1", IDENTITY),
        ("gzip;q=\xb2", IDENTITY),
        (";q=1, gzip", "gzip"),
        # The first of two elements counts.
        ("gzip;q=0, gzip", IDENTITY),
    ],
)
def test_the_coding_is_the_one_that_the_client_prefers(accepted: str, coding: str) -> None:
    request = read([head("GET / HTTP/1.1", "Host: a", f"Accept-Encoding: {accepted}")])
    assert isinstance(request, Request)
    assert preferred(request, ("gzip",)) == coding


def test_without_the_field_nothing_is_encoded() -> None:
    request = read([head("GET / HTTP/1.1", "Host: a")])
    assert isinstance(request, Request)
    assert preferred(request, ("gzip",)) == IDENTITY


def test_several_fields_are_one_list() -> None:
    request = read([head("GET / HTTP/1.1", "Host: a", "Accept-Encoding: br", "Accept-Encoding: gzip")])
    assert isinstance(request, Request)
    assert preferred(request, ("gzip",)) == "gzip"


def test_of_equally_welcome_codings_the_server_chooses() -> None:
    for accepted, coding in (("gzip, zstd", "zstd"), ("gzip, zstd;q=0.9", "gzip"), ("gzip;q=0.5, *", "zstd")):
        request = read([head("GET / HTTP/1.1", "Host: a", f"Accept-Encoding: {accepted}")])
        assert isinstance(request, Request)
        assert preferred(request, ("zstd", "gzip")) == coding
