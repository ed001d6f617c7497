"""The listening socket accepts more cheaply than the standard library's, with the same result."""

import os
import socket
import struct

import pytest

from wsecho.processes.listening_socket import ListeningSocket


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_an_accepted_socket_is_as_the_standard_librarys(family: socket.AddressFamily, host: str) -> None:
    with ListeningSocket(family, socket.SOCK_STREAM) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        listening.listen()
        with socket.create_connection((host, listening.getsockname()[1])) as client:
            accepted, peer = listening.accept()
            with accepted, socket.socket(fileno=os.dup(accepted.fileno())) as standard:
                assert peer == accepted.getpeername() == standard.getpeername() == client.getsockname()
                assert (accepted.family, accepted.type, accepted.proto) == (family, standard.type, 0)
                assert not accepted.get_inheritable()


def test_a_client_that_comes_by_ipv4_has_an_ipv4_address_on_a_socket_for_both_families() -> None:
    with ListeningSocket(socket.AF_INET6, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(("::ffff:127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(("127.0.0.1", listening.getsockname()[1])) as client:
            accepted, peer = listening.accept()
            with accepted:
                assert peer == accepted.getpeername() == client.getsockname()
                assert accepted.family == socket.AF_INET6


def test_an_accepted_socket_still_knows_a_peer_that_has_gone() -> None:
    with ListeningSocket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()) as client:
            address = client.getsockname()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getpeername() == address


def test_a_non_blocking_socket_reports_that_no_client_waits() -> None:
    with ListeningSocket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
