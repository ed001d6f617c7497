"""Addresses in the one form in which they are compared and counted."""

import pytest

from wsecho.http.addresses import client_key, is_loopback


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),
        ("not an address:", "not an address:"),
    ],
)
def test_what_an_address_is_counted_under(host: str, counted: str) -> None:
    assert client_key(host) == counted


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("a", False)],
)
def test_which_hosts_are_on_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
