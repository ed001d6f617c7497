"""Connections by client: what is taken is given back, whoever the caller is and however it goes."""

import pytest

from tests.test_forwarded import request
from wsecho.http.addresses import Address, unmapped
from wsecho.proxies.client import Caller
from wsecho.proxies.connections_per_address import TOLD_AT_ONCE, Shares
from wsecho.proxies.proxy_header import ProxyHeader
from wsecho.proxies.trusted_proxies import Proxies, parse_trusted

CLIENT: Address = ("192.0.2.1", 4711)
PROXY: Address = ("10.0.0.1", 4711)
PROXIES = Proxies([parse_trusted("10.0.0.0/8")])


def test_so_many_may_be_taken_and_one_more_is_too_many() -> None:
    shares = Shares(3)
    owners = [shares.take(CLIENT) for _ in range(3)]
    assert owners == ["192.0.2.1"] * 3
    assert not shares.is_exceeded("192.0.2.1")
    shares.take(CLIENT)
    assert shares.is_exceeded("192.0.2.1")
    assert not shares.is_exceeded("192.0.2.2")
    for _ in range(TOLD_AT_ONCE - 1):
        shares.take(CLIENT)
    assert not shares.is_far_exceeded("192.0.2.1")
    shares.take(CLIENT)
    assert shares.is_far_exceeded("192.0.2.1")
    for _ in range(3 + 1 + TOLD_AT_ONCE - 3):
        shares.give_back("192.0.2.1")
    assert not shares.is_exceeded("192.0.2.1")


def test_without_a_limit_nothing_is_counted() -> None:
    shares = Shares()
    assert [shares.take(CLIENT), shares.take(None), Shares(1).take(None)] == ["", "", ""]
    shares.give_back("")
    assert not shares.is_exceeded("")
    assert not shares.is_far_exceeded("")


def is_free(shares: Shares) -> bool:
    """Tell whether the client, who may have one connection, has none."""
    owner = shares.take(CLIENT)
    free = not shares.is_exceeded(owner)
    shares.give_back(owner)
    return free


def test_a_client_is_counted_from_its_first_word_to_its_last() -> None:
    shares = Shares(1)
    caller = Caller(PROXIES, shares, CLIENT)
    assert not is_free(shares)
    asked = request(("X-Forwarded-For", "203.0.113.9"))
    caller.identify(asked)
    assert (asked.peer, asked.client, asked.scheme, asked.share) == (CLIENT, CLIENT, "http", "192.0.2.1")
    caller.answered()
    assert not is_free(shares)
    assert not caller.has_too_many
    caller.leave()
    caller.leave()
    assert is_free(shares)


def test_a_proxys_client_is_counted_while_its_request_lasts() -> None:
    shares = Shares(1)
    caller = Caller(PROXIES, shares, PROXY)
    assert (caller.share, caller.log_fields) == ("", {"peer": PROXY})
    asked = request(("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https"))
    caller.identify(asked)
    assert (asked.peer, asked.client, asked.scheme) == (PROXY, ("192.0.2.1",), "https")
    assert not is_free(shares)
    caller.answered()
    assert is_free(shares)
    caller.leave()
    assert is_free(shares)


def test_whoever_a_connection_is_passed_to_gives_it_back() -> None:
    shares = Shares(1)
    caller = Caller(PROXIES, shares, PROXY, ProxyHeader(28, CLIENT))
    share = caller.share
    caller.passed_on()
    caller.leave()
    assert not is_free(shares)
    shares.give_back(share)
    assert is_free(shares)


@pytest.mark.parametrize(
    ("source", "client"),
    [(CLIENT, CLIENT), (PROXY, ("203.0.113.9",)), (None, ("10.0.0.9", 1))],
)
def test_behind_a_proxy_header_the_named_one_counts(source: Address | None, client: Address) -> None:
    caller = Caller(PROXIES, Shares(), ("10.0.0.9", 1), ProxyHeader(28, source))
    asked = request(("X-Forwarded-For", "203.0.113.9"))
    caller.identify(asked)
    assert asked.client == client
    assert caller.log_fields.get("client", asked.peer) == (source or asked.peer)


@pytest.mark.parametrize(
    ("is_encrypted", "fields", "scheme"),
    [
        (True, (), "https"),
        (False, (), "http"),
        (True, (("X-Forwarded-Proto", "http"),), "http"),
        (False, (("X-Forwarded-Proto", "https"),), "https"),
    ],
)
def test_a_proxy_header_says_the_scheme_until_a_proxy_behind_it_does(
    is_encrypted: bool, fields: tuple[tuple[str, str], ...], scheme: str
) -> None:
    asked = request(*fields)
    Caller(PROXIES, Shares(), ("10.0.0.9", 1), ProxyHeader(28, PROXY, is_encrypted)).identify(asked)
    assert asked.scheme == scheme
    asked = request(("X-Forwarded-Proto", "http"))
    Caller(PROXIES, Shares(), ("10.0.0.9", 1), ProxyHeader(28, CLIENT, is_encrypted)).identify(asked)
    assert asked.scheme == ("https" if is_encrypted else "http")


def test_a_proxy_that_names_nobody_is_told_of_once() -> None:
    proxies = Proxies([parse_trusted("10.0.0.0/8")])

    def tells(peer: Address | None, *values: str) -> bool:
        caller = Caller(proxies, Shares(), peer)
        caller.identify(request(*(("X-Forwarded-For", value) for value in values)))
        return caller.tells_of_silence()

    assert not tells(CLIENT)
    assert not tells(None)
    assert not tells(PROXY, "192.0.2.1")
    assert not tells(PROXY, "192.0.2.1, 10.0.0.7")
    assert tells(PROXY)
    assert not tells(PROXY)
    # Nobody connects from there, so no proxy has seen it.
    for host, value in (("10.0.0.2", "192.0.2.1, 0.0.0.0"), ("10.0.0.3", "ff02::1"), ("10.0.0.4", "192.0.2.1, x")):
        assert tells((host, 1), value)
    assert sum(tells((f"10.0.1.{number}", 1)) for number in range(200)) < 100


def test_one_that_is_far_too_many_is_known() -> None:
    shares = Shares(1)
    callers = [Caller(PROXIES, shares, CLIENT) for _ in range(TOLD_AT_ONCE + 2)]
    assert [caller.has_far_too_many for caller in callers] == [True] * len(callers)
    callers.pop().leave()
    assert not callers[0].has_far_too_many
    assert callers[0].has_too_many


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (("::ffff:192.0.2.1", 443, 0, 0), ("192.0.2.1", 443)),
        (("::ffff:0:1", 443, 0, 0), ("::ffff:0:1", 443, 0, 0)),
        (("2001:db8::1", 443, 0, 0), ("2001:db8::1", 443, 0, 0)),
        (("fe80::1%eth0", 443, 0, 2), ("fe80::1%eth0", 443, 0, 2)),
    ],
)
def test_a_peer_by_ipv4_is_the_same_on_a_socket_of_both_families(peer: Address, expected: Address) -> None:
    assert unmapped(peer) == expected
    shares = Shares(5)
    assert shares.take(unmapped(peer)) == shares.take(peer) == shares.take(expected)
