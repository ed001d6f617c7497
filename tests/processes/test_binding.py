"""Listening sockets: host names with several addresses, ports in use, socket options, and one socket per worker."""

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.shared.commands import run
from tests.shared.processes import children, open_files
from tests.shared.server import PATIENCE
from wsecho.processes import binding
from wsecho.processes.listening_socket import Sockets


def test_the_backlog_is_as_long_as_it_was_asked_to_be() -> None:
    from wsecho.processes.binding import bind

    ((listening,),) = bind("127.0.0.1", 0, 321)
    with listening:
        # Linux reports the backlog of a listening socket in tcpi_sacked, the eighth 32-bit number of TCP_INFO.
        facts = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        assert int.from_bytes(facts[28:32], sys.byteorder) == 321


def test_what_is_sent_never_waits_for_an_acknowledgement() -> None:
    from wsecho.processes.binding import bind

    ((listening,),) = bind("127.0.0.1", 0, 1)
    with listening, socket.create_connection(listening.getsockname(), PATIENCE):
        listening.settimeout(PATIENCE)
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_two_colons_are_all_addresses_of_both_families() -> None:
    # No server is started, because it could be reached from other machines for a moment.
    ((listening,),) = binding.bind("::", 0, backlog=5)
    with listening:
        port = listening.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, port), timeout=PATIENCE) as client:
                accepted, peer = listening.accept()
                accepted.close()
                assert peer == client.getsockname()
                assert peer[0] == host


@pytest.mark.parametrize("error", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_two_colons_are_all_addresses_of_ipv4_where_there_is_no_ipv6(
    monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def bind(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(error, os.strerror(error))
        # Bind to the loopback address instead of all addresses, so that no other machine can reach it.
        assert address[0] == "0.0.0.0"
        return really(family, ("127.0.0.1", address[1]), shared=shared)

    really = binding._bound
    monkeypatch.setattr(binding, "_bound", bind)
    ((listening,),) = binding.bind("::", 0, 5)
    with listening:
        assert listening.family == socket.AF_INET


def name_of(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[int, str]) -> str:
    """Return a host name that resolves to `addresses` in this order."""
    found = [(family, socket.SOCK_STREAM, 6, "", (host, 0)) for family, host in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    return "some.name"


# Addresses of networks for documentation, which no machine has, and an address family that no system has any more.
NOT_HERE = [(socket.AF_INET, "198.51.100.7"), (socket.AF_INET6, "2001:db8::7"), (socket.AF_IPX, "::1")]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_name_that_is_listed_twice_is_listened_on_once(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    name = name_of(monkeypatch, *[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2")] * 2)
    bound = binding.bind(name, 0, 5, workers)
    addresses = [[each.getsockname() for each in sockets] for sockets in bound]
    binding.close([Sockets(sockets, []) for sockets in bound])
    port = addresses[0][0][1]
    assert addresses == [[("127.0.0.1", port), ("127.0.0.2", port)]] * workers


@pytest.mark.parametrize("missing", NOT_HERE, ids=str)
@pytest.mark.parametrize("is_first", [True, False])
def test_an_address_that_the_system_does_not_have_is_left_out(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[int, str], is_first: bool
) -> None:
    here = (socket.AF_INET, "127.0.0.1")
    name = name_of(monkeypatch, *([missing, here] if is_first else [here, missing]))
    bound = binding.bind(name, 0, 5, 2)
    assert [[each.getsockname()[0] for each in sockets] for sockets in bound] == [["127.0.0.1"]] * 2
    binding.close([Sockets(sockets, []) for sockets in bound])


def test_a_name_of_none_of_our_addresses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=r"^cannot listen on some\.name port 80.* Cannot assign requested address$"):
        binding.bind(name_of(monkeypatch, *NOT_HERE), 80, 5)


def test_a_port_in_use_for_one_of_the_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    name = name_of(monkeypatch, (socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2"))
    with socket.create_server(("127.0.0.2", 0)) as other, pytest.raises(OSError, match="Address already in use"):
        binding.bind(name, other.getsockname()[1], 5)


def test_the_system_chooses_another_port_where_one_is_not_free_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    name = name_of(monkeypatch, (socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2"))
    taken: list[int] = []

    def bind(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
        if address[0] == "127.0.0.2" and len(taken) < 3:
            taken.append(address[1])
            raise OSError(errno.EADDRINUSE, "")
        return really(family, address, shared=shared)

    really = binding._bound
    monkeypatch.setattr(binding, "_bound", bind)
    ((first, second),) = binding.bind(name, 0, 5)
    assert first.getsockname()[1] == second.getsockname()[1]
    assert 0 not in taken
    binding.close([Sockets([first, second], [])])


def test_localhost_listens_on_one_port_for_both_families(serve: Serve) -> None:
    server = serve("--host", "localhost", "--port", "0", default_address=False)
    addresses = {info[4] for info in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM)}
    for address in addresses:
        with socket.create_connection(address[:2], timeout=PATIENCE):
            pass


def test_a_port_in_use_is_one_line_and_exit_code_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("-m", "wsecho", "--host", "127.0.0.1", "--port", str(port))
    assert (result.returncode, result.stdout) == (1, "")
    place = f"127.0.0.1 port {port}, as set by --host and --port"
    assert result.stderr == f"wsecho: cannot listen on {place}: Address already in use\n"


@pytest.mark.parametrize("host", ["a..b", "xn--.."])
def test_an_invalid_host_name_is_named_as_such(host: str) -> None:
    with pytest.raises(OSError, match=r"^cannot listen on .*: it is not a valid host name$"):
        binding.bind(host, 0, 5)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 64 + ".invalid"])
def test_an_unknown_host_is_one_line_and_exit_code_1(host: str) -> None:
    result = run("-m", "wsecho", "--host", host)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert host in result.stderr


def test_a_port_in_use_is_one_line_also_where_ports_can_be_shared(serve: Serve) -> None:
    for server in (serve("--workers", "2"), serve()):
        result = run("-m", "wsecho", "--host", "127.0.0.1", "--port", str(server.port), "--workers", "2")
        assert (result.returncode, result.stdout) == (1, "")
        place = f"127.0.0.1 port {server.port}, as set by --host and --port"
        assert result.stderr == f"wsecho: cannot listen on {place}: Address already in use\n"


def test_workers_listen_on_one_port_for_both_families(serve: Serve) -> None:
    server = serve("--host", "localhost", "--port", "0", "--workers", "2", default_address=False)
    addresses = {info[4] for info in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM)}
    for address in addresses:
        with socket.create_connection(address[:2], timeout=PATIENCE) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"


def test_workers_share_no_listening_socket(serve: Serve) -> None:
    server = serve("--workers", "2")
    listening = [set(open_files(pid)) for pid in children(server.pid)]
    inodes = {
        f"socket:[{row.split()[9]}]"
        for row in Path("/proc/net/tcp").read_text().splitlines()
        if f":{server.port:04X} 00000000:0000 0A" in row
    }
    assert [len(sockets & inodes) for sockets in listening] == [1, 1]
    assert not listening[0] & listening[1] & inodes
