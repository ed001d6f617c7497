"""The limit of connections for each client address."""

import pytest

from wsecho.http.addresses import Address, unmapped
from wsecho.proxies.connections_per_address import ANSWERED_ABOVE_LIMIT, ConnectionsPerAddress

CLIENT: Address = ("192.0.2.1", 4711)


def test_so_many_may_be_taken_and_one_more_is_too_many() -> None:
    connections_per_address = ConnectionsPerAddress(3)
    owners = [connections_per_address.add(CLIENT) for _ in range(3)]
    assert owners == ["192.0.2.1"] * 3
    assert not connections_per_address.is_exceeded("192.0.2.1")
    connections_per_address.add(CLIENT)
    assert connections_per_address.is_exceeded("192.0.2.1")
    assert not connections_per_address.is_exceeded("192.0.2.2")
    for _ in range(ANSWERED_ABOVE_LIMIT - 1):
        connections_per_address.add(CLIENT)
    assert not connections_per_address.is_far_exceeded("192.0.2.1")
    connections_per_address.add(CLIENT)
    assert connections_per_address.is_far_exceeded("192.0.2.1")
    for _ in range(3 + 1 + ANSWERED_ABOVE_LIMIT - 3):
        connections_per_address.remove("192.0.2.1")
    assert not connections_per_address.is_exceeded("192.0.2.1")


def test_without_a_limit_nothing_is_counted() -> None:
    connections_per_address = ConnectionsPerAddress()
    assert [
        connections_per_address.add(CLIENT),
        connections_per_address.add(None),
        ConnectionsPerAddress(1).add(None),
    ] == ["", "", ""]
    connections_per_address.remove("")
    assert not connections_per_address.is_exceeded("")
    assert not connections_per_address.is_far_exceeded("")


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
    connections_per_address = ConnectionsPerAddress(5)
    assert (
        connections_per_address.add(unmapped(peer))
        == connections_per_address.add(peer)
        == connections_per_address.add(expected)
    )
