"""A peer's host or cable goes without a word: its connection is found out by pings, and ended."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.conftest import Serve
from tests.faults.bystander import undisturbed
from tests.faults.namespaces import SERVER_ADDRESS, Host, RemoteConnection, two_hosts
from tests.shared.frames import BINARY, TEXT, client_frame, server_frame
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer

OPTIONS = ("--host", "0.0.0.0", "--ping-interval", "500ms", "--ping-timeout", "4s")


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with two_hosts() as both:
        yield both


def echoed(connection: RawConnection) -> bool:
    connection.send(client_frame(TEXT, b"hello"))
    return connection.receive_past_pings(7) == server_frame(TEXT, b"hello")


def wait_for_the_end_of_all_but_the_bystander(server: RunningServer) -> None:
    """TCP alone would take a quarter of an hour."""
    wait_until(lambda: server.metrics()["websocket_active_connections"] == 1)


def test_peers_behind_a_cut_cable_are_gone_in_time(serve: Serve, hosts: tuple[Host, Host]) -> None:
    here, there = hosts

    def scenario() -> None:
        server = serve(*OPTIONS)
        with undisturbed(server) as bystander:
            remote = there.call(lambda: [RemoteConnection(server.port).open() for _ in range(20)])
            assert all(echoed(connection) for connection in remote)
            there.run("ip", "link", "set", "cable", "down")
            wait_for_the_end_of_all_but_the_bystander(server)
            bystander.must_be_served()
            seen = server.metrics()
            assert seen['websocket_timeouts_total{limit="ping"}'] == 20
            assert seen['websocket_closes_total{code="1006",initiator="server"}'] == 20
            for connection in remote:
                connection.socket.close()

    here.call(scenario)


@pytest.mark.parametrize(
    ("unacknowledged", "limit", "options"),
    [
        (100, "ping", ()),
        # Whoever is slow to get there has been pinged before, and does not answer: that must not be what ends it.
        (8 << 20, "stall", ("--stall-timeout", "1500ms", "--ping-timeout", "0")),
    ],
)
def test_data_that_nobody_acknowledges_keeps_no_connection(
    serve: Serve, hosts: tuple[Host, Host], unacknowledged: int, limit: str, options: tuple[str, ...]
) -> None:
    """The peer's words arrive, ours do not: what fits into the system's buffers waits there, more stops the reading."""
    here, there = hosts

    def scenario() -> None:
        server = serve(*OPTIONS, *options)
        with undisturbed(server) as bystander:
            remote: RemoteConnection = there.call(lambda: RemoteConnection(server.port).open())
            assert echoed(remote)
            # Echoes are lost again and again; bare acknowledgements are shorter.
            there.run(*f"iptables -A INPUT -s {SERVER_ADDRESS} -m length --length 100: -j DROP".split())
            frame = client_frame(BINARY, bytes(unacknowledged))
            # More than fits into buffers is stuck until the server has given up.
            with contextlib.suppress(ConnectionError):
                remote.send(frame)
            wait_for_the_end_of_all_but_the_bystander(server)
            bystander.must_be_served()
            assert server.metrics()[f'websocket_timeouts_total{{limit="{limit}"}}'] == 1
            remote.socket.close()

    here.call(scenario)
