"""Clients of a server with several workers: which worker holds their connections, and how they end."""

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from tests.shared.frames import CLOSE, TEXT, client_frame, server_close, server_frame
from tests.shared.processes import client_ports
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer

Connection = TypeVar("Connection", bound=RawConnection)
SHUTDOWN_CLOSE = server_close(1001, "server is shutting down")


@contextmanager
def clients(server: RunningServer, count: int) -> Iterator[list[RawConnection]]:
    """Open this many WebSockets. With 30 of them and two workers, one worker gets none in one of 2^29 runs."""
    with ExitStack() as stack:
        yield [stack.enter_context(RawConnection(server.port)).open() for _ in range(count)]


def echoes(connection: RawConnection, text: bytes = b"hello") -> bool:
    """Send a message. Return whether it came back."""
    try:
        connection.send(client_frame(TEXT, text))
        return connection.receive(2 + len(text)) == server_frame(TEXT, text)
    except ConnectionError:
        return False


def leave(connection: RawConnection) -> None:
    """Read the server's Close frame, answer it, and wait for the end of the stream."""
    assert connection.receive(len(SHUTDOWN_CLOSE)) == SHUTDOWN_CLOSE
    connection.send(client_frame(CLOSE, b"\x03\xe9"))
    assert connection.receive_all() == b""
    connection.socket.close()


def is_free(port: int) -> bool:
    """Return whether nothing listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def held_by(server: RunningServer, pid: int, connections: list[Connection]) -> list[Connection]:
    """Return those connections that the worker `pid` holds."""
    ports = client_ports(pid, server.port)
    return [connection for connection in connections if connection.socket.getsockname()[1] in ports]


def take_out(server: RunningServer, *events: str) -> list[str]:
    """Remove the log lines that a test has provoked from the lines that must not appear, and return their events."""
    told = [line for line in server.complaints() if isinstance(line, dict) and line["event"] in events]
    server.logs = [line for line in server.logs if line not in told]
    return [line["event"] for line in told]


def patched(change: str) -> list[str]:
    """Return the command that starts a server in which `change` was executed before."""
    imports = "import sys; from wsecho import cli; from wsecho.processes import prefork, supervisor, worker"
    code = f"{imports}; {change}; sys.exit(cli.main())"
    return [sys.executable, "-c", code]
