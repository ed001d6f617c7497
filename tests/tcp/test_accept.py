"""Transports that accept their own connections: whose address they have, and that their descriptors are closed."""

import errno
import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.shared.processes import descriptors
from tests.shared.server import PATIENCE
from tests.shared.tcp_transports import Connections, Recorder, reset


@pytest.fixture
def epoll() -> Iterator[Connections]:
    connections = Connections("epoll")
    yield connections
    connections.close()
    assert not connections.loop.errors


@contextmanager
def listening_at(
    address: tuple[str, int] | str, family: socket.AddressFamily = socket.AF_INET
) -> Iterator[socket.socket]:
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(address)
        listening.listen()
        listening.setblocking(False)
        yield listening


def accept(epoll: Connections, listening: socket.socket) -> tuple[Any, Any]:
    """Return what was accepted, as soon as a connection waits: its client may know of it a moment earlier."""
    assert select.select([listening], [], [], PATIENCE)[0]
    transport, peer = epoll.transports.accept(listening)
    return transport, peer


@pytest.mark.parametrize(
    ("family", "host", "client_host"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
        # A client that comes by IPv4 has an IPv4 address on a socket for both families, too.
        (socket.AF_INET6, "::", "127.0.0.1"),
    ],
)
def test_an_accepted_connection_is_that_of_its_client(
    epoll: Connections, family: socket.AddressFamily, host: str, client_host: str
) -> None:
    with listening_at((host, 0), family) as listening:
        assert epoll.transports.accept(listening) is None
        with socket.create_connection((client_host, listening.getsockname()[1]), timeout=PATIENCE) as client:
            transport, peer = accept(epoll, listening)
            assert peer == transport.get_extra_info("peername") == client.getsockname()
            assert epoll.transports.accept(listening) is None
            assert not os.get_inheritable(transport.get_extra_info("descriptor"))
            recorder = Recorder()
            epoll.recorders.append(recorder)
            epoll.transports.start(transport, recorder)
            assert recorder.transport is transport
            client.sendall(b"there")
            epoll.settle()
            transport.write(b"back")
            assert recorder.received == b"there"
            assert client.recv(10) == b"back"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.10.99.100", "127.109.110.199", "127.200.250.254"])
def test_addresses_are_shown_as_the_system_shows_them(epoll: Connections, host: str) -> None:
    with listening_at(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname(), timeout=PATIENCE, source_address=(host, 0))
        with client:
            transport, peer = accept(epoll, listening)
            assert peer == transport.get_extra_info("peername") == client.getsockname()
            transport.close()


def test_a_client_of_a_unix_socket_has_no_address(epoll: Connections, tmp_path: Path) -> None:
    with listening_at(str(tmp_path / "socket"), socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        client.connect(listening.getsockname())
        transport, peer = accept(epoll, listening)
        assert peer is transport.get_extra_info("peername") is None
        transport.close()


def test_the_address_of_a_client_that_has_gone_is_known(epoll: Connections) -> None:
    with listening_at(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        address = client.getsockname()
        reset(client)
        transport, peer = accept(epoll, listening)
        assert peer == address
        recorder = Recorder()
        epoll.transports.start(transport, recorder)
        epoll.recorders.append(recorder)
        epoll.settle()
        assert recorder.events == ["connection_made", "connection_lost"]


def test_what_was_not_started_is_closed_at_once_or_with_its_last_reference(epoll: Connections) -> None:
    with listening_at(("127.0.0.1", 0)) as listening:
        before = descriptors(os.getpid())
        for is_closed in (True, False):
            with socket.create_connection(listening.getsockname(), timeout=PATIENCE) as client:
                transport, _ = accept(epoll, listening)
                if is_closed:
                    transport.close()
                    assert transport.get_extra_info("descriptor") == -1
                    transport.close()
                else:
                    del transport
                assert client.recv(1) == b""
        # Another thread of this process may have closed one meanwhile.
        assert descriptors(os.getpid()) <= before


def test_an_error_of_the_listening_socket_is_raised(epoll: Connections) -> None:
    with socket.socket() as never_listened, pytest.raises(OSError, match=os.strerror(errno.EINVAL)) as raised:
        epoll.transports.accept(never_listened)
    assert raised.value.errno == errno.EINVAL
