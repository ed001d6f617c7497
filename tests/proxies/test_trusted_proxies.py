"""Which proxies are trusted, and which client and scheme a request has according to their header fields.

Modules: `trusted_proxies`, `forwarded`.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared.requests import request_of
from wsecho.http.addresses import Address
from wsecho.proxies import forwarded
from wsecho.proxies.forwarded import FORWARDED, X_FORWARDED_FOR, parse_node
from wsecho.proxies.trusted_proxies import TrustedProxies, parse_trusted

PROXY: Address = ("10.0.0.1", 4711)


def origin(
    *headers: tuple[str, str], trusted: str = "10.0.0.0/8", field: str = X_FORWARDED_FOR
) -> tuple[object, object]:
    return TrustedProxies([parse_trusted(text) for text in trusted.split(",")], field).client_of(
        request_of(*headers), PROXY
    )


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        # What the client sent itself comes before what the proxy added.
        ("203.0.113.9, 192.0.2.1", ("192.0.2.1",)),
        ("10.0.0.9, 192.0.2.1", ("192.0.2.1",)),
        # A chain of proxies: the server believes each of them about the hop before it.
        ("203.0.113.9, 192.0.2.1, 10.0.0.3, 10.0.0.2", ("192.0.2.1",)),
        ("10.0.0.4, 10.0.0.3", ("10.0.0.4",)),
        ("192.0.2.1, unknown, 10.0.0.3", ("10.0.0.3",)),
        ("192.0.2.1, unknown", PROXY),
        ("", PROXY),
    ],
)
def test_the_client_is_the_first_that_is_no_proxy_of_ours(value: str, client: Address) -> None:
    assert origin(("X-Forwarded-For", value)) == (client, None)
    elements = ", ".join(f"for={node}" for node in value.split(", ") if node)
    assert origin(("Forwarded", elements), field=FORWARDED) == (client, None)


def test_a_quotation_that_the_client_opens_hides_nothing_of_what_the_proxy_says() -> None:
    assert origin(("Forwarded", 'for="10.0.0.9, for=192.0.2.1'), field=FORWARDED) == (("192.0.2.1",), None)
    assert origin(("Forwarded", 'host="x;, for=192.0.2.1;proto=https'), field=FORWARDED) == (("192.0.2.1",), "https")


def test_only_the_field_that_was_agreed_on_counts() -> None:
    both = (("Forwarded", "for=192.0.2.1;proto=https"), ("X-Forwarded-For", "192.0.2.2"), ("X-Forwarded-Proto", "http"))
    assert origin(*both) == (("192.0.2.2",), "http")
    assert origin(*both, field=FORWARDED) == (("192.0.2.1",), "https")


def test_the_scheme_is_the_last_one_of_x_forwarded_proto_and_the_clients_own_of_forwarded() -> None:
    assert origin(("X-Forwarded-Proto", "https")) == (PROXY, "https")
    assert origin(("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "http, WSS")) == (("192.0.2.1",), "https")
    assert origin(("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "x")) == (("192.0.2.1",), None)
    chain = ("Forwarded", "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http")
    assert origin(chain, field=FORWARDED) == (("192.0.2.1",), "https")


def test_with_an_asterisk_whoever_connects_is_the_only_proxy() -> None:
    proxies = TrustedProxies([parse_trusted("*")])
    assert proxies.include_peer(("203.0.113.1", 1))
    assert not proxies.include(("203.0.113.1", 1))
    headers = ("X-Forwarded-For", "192.0.2.1, 192.0.2.2, 10.0.0.1")
    assert proxies.client_of(request_of(headers), PROXY) == (("10.0.0.1",), None)
    assert origin(headers, trusted="*,10.0.0.0/8") == (("192.0.2.2",), None)


def test_who_is_a_proxy() -> None:
    proxies = TrustedProxies(
        [parse_trusted(text) for text in ("10.0.0.0/8", "2001:db8::/32", "fe80::/10", "192.0.2.7")]
    )
    for host in ("fe80::1%eth0", "10.255.0.1", "2001:db8::1", "192.0.2.7", "::ffff:10.0.0.1"):
        assert proxies.include_peer((host, 1))
    for host in ("11.0.0.1", "2001:db9::1", "192.0.2.8", "::1", "", "x"):
        assert not proxies.include_peer((host, 1))
    assert not proxies.include_peer(None)
    assert not TrustedProxies().include_peer(PROXY)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "proxy.example", "", "10.0.0.0-10.0.0.9"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a network such as"):
        parse_trusted(text)


def test_a_network_that_would_match_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="write it as an IPv4 network"):
        parse_trusted("::ffff:10.0.0.0/104")


@pytest.mark.parametrize("field", [FORWARDED, X_FORWARDED_FOR])
def test_of_a_list_that_is_too_long_the_end_is_read(field: str) -> None:
    element = "for={}" if field == FORWARDED else "{}"
    invented = element.format("192.0.2.9")
    for size in (31, 32, 33):
        chain = [element.format(f"10.0.0.{number}") for number in range(size, 0, -1)]
        # If all addresses that are read are proxies, the last of them is the client. Nothing before it is believed.
        expected = ("192.0.2.9",) if size < 32 else ("10.0.0.32",)
        assert origin((field, ",".join([invented, *chain])), field=field)[0] == expected
        assert origin((field, invented), *((field, one) for one in chain), field=field)[0] == expected
    for padding in (4096, 4097):
        end = "," + element.format("10.0.0.2")
        value = invented.rjust(padding - len(end)) + end
        assert origin((field, value), field=field)[0] == (("192.0.2.9",) if padding == 4096 else ("10.0.0.2",))
    assert origin((field, "x" * 5000), field=field)[0] == PROXY


@given(st.text(alphabet=' \t",;=:[]._%fork4:2a1\x00\xff', max_size=60), st.sampled_from([FORWARDED, X_FORWARDED_FOR]))
def test_whatever_a_client_sends_what_the_proxy_adds_is_what_counts(invented: str, field: str) -> None:
    added = "for=192.0.2.1" if field == FORWARDED else "192.0.2.1"
    for header in (f"{invented}, {added}", f"{invented},{added}"):
        assert origin((field, header), field=field)[0] == ("192.0.2.1",)


@pytest.mark.parametrize("field", [FORWARDED, X_FORWARDED_FOR])
def test_what_a_client_has_invented_is_not_even_read(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(forwarded, "parse_node", lambda text: read.append(text) or parse_node(text))
    element = "for={}" if field == FORWARDED else "{}"
    origin((field, ",".join([element.format("::")] * 1000)), (field, element.format("192.0.2.1")), field=field)
    assert read == ["192.0.2.1"]
