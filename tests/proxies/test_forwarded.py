"""Reading Forwarded (RFC 7239) and X-Forwarded-For: nodes, elements, and their order."""

import pytest

from tests.shared.requests import request_of
from wsecho.http.addresses import Address
from wsecho.proxies.forwarded import FORWARDED, X_FORWARDED_FOR, Hop, hops, parse_node


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        ("192.0.2.1:4711", ("192.0.2.1", 4711)),
        ("192.0.2.1:_hidden", ("192.0.2.1",)),
        ("192.0.2.1:65536", ("192.0.2.1",)),
        ("2001:DB8::1", ("2001:db8::1",)),
        ("[2001:db8::1]", ("2001:db8::1",)),
        ("[2001:db8::1]:80", ("2001:db8::1", 80)),
        ("::ffff:192.0.2.1", ("192.0.2.1",)),
        *(
            (text, None)
            for text in ("", "unknown", "_hidden", "localhost", "192.0.2", "192.0.2.1:", "[::1", "::1]", "1")
        ),
        *((text, None) for text in ("fe80::1%eth0", "192.0.2.1 ", "192.0.2.01", "[192.0.2.1]x", "192.0.2.1:123456")),
        *((text, None) for text in ("0.0.0.0", "::", "224.0.0.1", "[ff02::1]:80", "255.255.255.255", "::ffff:0.0.0.0")),
    ],
)
def test_an_address_as_proxies_write_it(text: str, address: Address | None) -> None:
    assert parse_node(text) == address


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.1", Hop(("192.0.2.1",), None)),
        ('For="[2001:db8:cafe::17]:4711"', Hop(("2001:db8:cafe::17", 4711), None)),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", Hop(("192.0.2.60",), "http")),
        ('by=_me ; proto="HTTPS"; for="192.0.2.1:80" ;', Hop(("192.0.2.1", 80), "https")),
        ("proto=https", Hop(None, "https")),
        ("for=unknown;proto=https", Hop(None, "https")),
        ("for=192.0.2.1;for=192.0.2.2", Hop(None, None)),
        ("for=192.0.2.1;proto", Hop(None, None)),
        ('for="192.0.2.1', Hop(None, None)),
        ("proto=gopher", Hop(None, None)),
    ],
)
def test_one_element_of_forwarded(value: str, expected: Hop) -> None:
    assert list(hops(request_of(("Forwarded", value)), FORWARDED)) == [expected]


def test_elements_are_counted_over_all_fields_in_order() -> None:
    fields = request_of(("Forwarded", "for=192.0.2.1, for=192.0.2.2"), ("Forwarded", "for=192.0.2.3"))
    assert [hop.client for hop in hops(fields, FORWARDED)] == [("192.0.2.3",), ("192.0.2.2",), ("192.0.2.1",)]
    fields = request_of(("X-Forwarded-For", "192.0.2.1,192.0.2.2 "), ("x-forwarded-for", "192.0.2.3"))
    assert [hop.client for hop in hops(fields, X_FORWARDED_FOR)] == [("192.0.2.3",), ("192.0.2.2",), ("192.0.2.1",)]
