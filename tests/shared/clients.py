"""Clients of a server at a port that do one thing and leave."""

import select
from contextlib import suppress

from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import PATIENCE, RunningServer


def echoes(port: int) -> None:
    with RawConnection(port).open() as connection:
        connection.send(client_frame(TEXT, b"hello"))
        assert connection.receive(7) == server_frame(TEXT, b"hello")


BAD_HANDSHAKE = HANDSHAKE.replace(b"Version: 13", b"Version: 12")


def address_of(connection: RawConnection) -> str:
    host, port = connection.socket.getsockname()
    return f"{host}:{port}"


def is_served(server: RunningServer) -> bool:
    """Return whether a new client gets its WebSocket. A client that is refused must learn so within a moment."""
    try:
        with RawConnection(server.port) as client:
            client.send(HANDSHAKE)
            return client.receive(len(SWITCHED)) == SWITCHED
    except ConnectionError:
        return False


def refused(server: RunningServer, request: bytes = BAD_HANDSHAKE) -> str:
    """Send a request, read the answer to its end, and return the client's address as log lines show it."""
    with RawConnection(server.port) as connection:
        connection.send(request)
        assert connection.receive_all().startswith(b"HTTP/1.1 4")
        return address_of(connection)


def come_and_go(port: int, count: int) -> None:
    """Make this many connections, one after the other, each with a closing handshake."""
    for _ in range(count):
        with RawConnection(port).open() as connection:
            connection.send(client_frame(8, b"\x03\xe8"))
            assert connection.receive(4) == b"\x88\x02\x03\xe8"
            assert connection.receive_all() == b""


def send_until_cut_off(connection: RawConnection, data: bytes) -> None:
    """Send and read nothing, until the server ends the connection.

    Each piece has a time limit of its own: the server takes it when it has lent memory. The buffers of the kernel may
    be so large that all is sent before the end.
    """
    with suppress(ConnectionError), connection:
        for start in range(0, len(data), 1 << 20):
            connection.send(data[start : start + (1 << 20)])
        ends = select.poll()
        ends.register(connection.socket, select.POLLRDHUP)
        assert ends.poll(PATIENCE * 1000), "the server has not ended the connection"
