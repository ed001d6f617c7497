"""Which client a connection belongs to, and that the connection is counted for that client until it ends."""

import pytest

from tests.shared.requests import request_of
from wsecho.http.addresses import Address
from wsecho.proxies.client import Client
from wsecho.proxies.connections_per_address import ANSWERED_ABOVE_LIMIT, ConnectionsPerAddress
from wsecho.proxies.proxy_header import ProxyHeader
from wsecho.proxies.trusted_proxies import TrustedProxies, parse_trusted

CLIENT: Address = ("192.0.2.1", 4711)
PROXY: Address = ("10.0.0.1", 4711)
PROXIES = TrustedProxies([parse_trusted("10.0.0.0/8")])


def is_free(connections_per_address: ConnectionsPerAddress) -> bool:
    """Tell whether CLIENT has no connection, where the limit is one."""
    owner = connections_per_address.add(CLIENT)
    free = not connections_per_address.is_exceeded(owner)
    connections_per_address.remove(owner)
    return free


def test_a_client_is_counted_from_its_first_word_to_its_last() -> None:
    connections_per_address = ConnectionsPerAddress(1)
    client = Client(PROXIES, connections_per_address, CLIENT)
    assert not is_free(connections_per_address)
    asked = request_of(("X-Forwarded-For", "203.0.113.9"))
    client.identify(asked)
    assert (asked.peer, asked.client, asked.scheme, asked.client_key) == (CLIENT, CLIENT, "http", "192.0.2.1")
    client.answered()
    assert not is_free(connections_per_address)
    assert not client.has_too_many
    client.release()
    client.release()
    assert is_free(connections_per_address)


def test_a_proxys_client_is_counted_while_its_request_lasts() -> None:
    connections_per_address = ConnectionsPerAddress(1)
    client = Client(PROXIES, connections_per_address, PROXY)
    assert (client.client_key, client.log_fields) == ("", {"peer": PROXY})
    asked = request_of(("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https"))
    client.identify(asked)
    assert (asked.peer, asked.client, asked.scheme) == (PROXY, ("192.0.2.1",), "https")
    assert not is_free(connections_per_address)
    client.answered()
    assert is_free(connections_per_address)
    client.release()
    assert is_free(connections_per_address)


def test_whoever_a_connection_is_passed_to_gives_it_back() -> None:
    connections_per_address = ConnectionsPerAddress(1)
    client = Client(PROXIES, connections_per_address, PROXY, ProxyHeader(28, CLIENT))
    client_key = client.client_key
    client.hand_over()
    client.release()
    assert not is_free(connections_per_address)
    connections_per_address.remove(client_key)
    assert is_free(connections_per_address)


@pytest.mark.parametrize(
    ("source", "expected"),
    [(CLIENT, CLIENT), (PROXY, ("203.0.113.9",)), (None, ("10.0.0.9", 1))],
)
def test_behind_a_proxy_header_the_named_one_counts(source: Address | None, expected: Address) -> None:
    client = Client(PROXIES, ConnectionsPerAddress(), ("10.0.0.9", 1), ProxyHeader(28, source))
    asked = request_of(("X-Forwarded-For", "203.0.113.9"))
    client.identify(asked)
    assert asked.client == expected
    assert client.log_fields.get("client", asked.peer) == (source or asked.peer)


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
    asked = request_of(*fields)
    Client(PROXIES, ConnectionsPerAddress(), ("10.0.0.9", 1), ProxyHeader(28, PROXY, is_encrypted)).identify(asked)
    assert asked.scheme == scheme
    asked = request_of(("X-Forwarded-Proto", "http"))
    Client(PROXIES, ConnectionsPerAddress(), ("10.0.0.9", 1), ProxyHeader(28, CLIENT, is_encrypted)).identify(asked)
    assert asked.scheme == ("https" if is_encrypted else "http")


def test_a_proxy_that_names_nobody_is_told_of_once() -> None:
    proxies = TrustedProxies([parse_trusted("10.0.0.0/8")])

    def tells(peer: Address | None, *values: str) -> bool:
        client = Client(proxies, ConnectionsPerAddress(), peer)
        client.identify(request_of(*(("X-Forwarded-For", value) for value in values)))
        return client.should_warn_about_proxy()

    assert not tells(CLIENT)
    assert not tells(None)
    assert not tells(PROXY, "192.0.2.1")
    assert not tells(PROXY, "192.0.2.1, 10.0.0.7")
    assert tells(PROXY)
    assert not tells(PROXY)
    # No client can connect from these addresses, so no proxy has added them.
    for host, value in (("10.0.0.2", "192.0.2.1, 0.0.0.0"), ("10.0.0.3", "ff02::1"), ("10.0.0.4", "192.0.2.1, x")):
        assert tells((host, 1), value)
    assert sum(tells((f"10.0.1.{number}", 1)) for number in range(200)) < 100


def test_one_that_is_far_too_many_is_known() -> None:
    connections_per_address = ConnectionsPerAddress(1)
    clients = [Client(PROXIES, connections_per_address, CLIENT) for _ in range(ANSWERED_ABOVE_LIMIT + 2)]
    assert [client.has_far_too_many for client in clients] == [True] * len(clients)
    clients.pop().release()
    assert not clients[0].has_far_too_many
    assert clients[0].has_too_many
