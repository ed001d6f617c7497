"""Listening sockets that another program has opened and handed over: systemd's own program, and a parent process."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.free_port import free_port
from tests.shared.processes import children, client_ports, wait_until
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import PATIENCE, started
from wsecho.processes import socket_activation

# A program that hands file descriptors over, as 3, 4, ..., and then becomes the server.
HAND_OVER = """
import fcntl, os, sys
descriptors, variables, command = eval(sys.argv[1]), eval(sys.argv[2]), sys.argv[3:]
apart = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for descriptor in descriptors]
for number, descriptor in enumerate(apart, 3):
    os.dup2(descriptor, number)
    os.close(descriptor)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(descriptors))} | variables
os.execv(command[0], command)
"""
PACKAGE = (sys.executable, "-m", "wsecho")
# uvloop makes the sockets that it watches non-blocking; asyncio's own loop does not.
WITHOUT_UVLOOP = tuple(patched("sys.modules['uvloop'] = None"))


def opened(host: str = "127.0.0.1", *, listens: bool = True) -> socket.socket:
    """Return a socket on a port that the system chose. With an IPv6 address as `host`, it accepts IPv4 as well."""
    new = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if ":" in host:
        new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    new.bind((host, 0))
    if listens:
        new.listen()
    return new


def handing_over(*sockets: socket.socket, command: tuple[str, ...] = PACKAGE, **variables: str) -> dict[str, Any]:
    """Return the settings of a process to which `sockets` are handed over. `variables` replace the correct LISTEN_*
    variables.
    """
    descriptors = [each.fileno() for each in sockets]
    prefix = (sys.executable, "-c", HAND_OVER, repr(descriptors), repr(variables))
    return {"command": [*prefix, *command], "pass_fds": descriptors}


def echoes(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE)
    connection.sendall(HANDSHAKE + client_frame(TEXT, b"hello"))
    expected = SWITCHED + server_frame(TEXT, b"hello")
    return receive(connection, len(expected)) == expected


def receive(connection: socket.socket, count: int = 1 << 20) -> bytes:
    data = b""
    while len(data) < count and (piece := connection.recv(count - len(data))):
        data += piece
    return data


def info(connection: socket.socket) -> dict[str, Any]:
    """Return the page /info as the server makes it for this connection."""
    connection.settimeout(PATIENCE)
    with connection:
        connection.sendall(b"GET /info HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n\r\n")
        return dict(json.loads(receive(connection).partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize("listens", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_socket_that_was_handed_over_takes_the_place_of_host_and_port(
    serve: Serve, workers: int, listens: bool
) -> None:
    with opened(listens=listens) as ours:
        server = serve("--workers", str(workers), **handing_over(ours))
        assert server.port == ours.getsockname()[1]
        with ExitStack() as stack:
            connections = [stack.enter_context(RawConnection(server.port)) for _ in range(20)]
            assert all(echoes(connection.socket) for connection in connections)


@pytest.mark.parametrize("command", [PACKAGE, WITHOUT_UVLOOP], ids=["uvloop", "asyncio"])
def test_any_worker_accepts_from_a_socket_that_was_handed_over(serve: Serve, command: tuple[str, ...]) -> None:
    with opened() as ours, ExitStack() as stack:
        server = serve("--workers", "2", **handing_over(ours, command=command))
        first, second = children(server.pid)
        # While one worker is stopped, the other one accepts.
        for stopped, other in ((first, second), (second, first)):
            os.kill(stopped, signal.SIGSTOP)
            connection = stack.enter_context(RawConnection(server.port))
            assert echoes(connection.socket)
            assert client_ports(other, server.port) >= {connection.socket.getsockname()[1]}
            os.kill(stopped, signal.SIGCONT)


def test_sockets_are_told_apart_by_their_names(serve: Serve) -> None:
    with opened() as one, opened() as admin, opened("::1") as other, opened() as unnamed:
        settings = handing_over(one, admin, other, unnamed, LISTEN_FDNAMES="http:admin:other")
        server = serve(**settings)
        assert (server.port, server.listening["admin_port"]) == (one.getsockname()[1], admin.getsockname()[1])
        for public in (one, other, unnamed):
            with socket.create_connection(public.getsockname()[:2]) as connection:
                assert echoes(connection)
        assert server.get("/metrics")[0] == 404
        with RawConnection(admin.getsockname()[1]) as connection:
            connection.send(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert connection.receive(15) == b"HTTP/1.1 200 OK"


def test_an_admin_socket_alone_leaves_the_public_port_to_the_options(serve: Serve) -> None:
    with opened() as admin:
        server = serve(**handing_over(admin, LISTEN_FDNAMES="admin"))
        assert server.listening["admin_port"] == admin.getsockname()[1] != server.port
        assert server.get("/metrics")[0] == 404


def test_a_public_socket_leaves_the_admin_port_to_the_options(serve: Serve) -> None:
    with opened() as ours:
        server = serve("--admin-port", "0", **handing_over(ours))
        assert server.port == ours.getsockname()[1] != server.listening["admin_port"]


def test_an_admin_socket_keeps_the_metrics_from_the_public(serve: Serve) -> None:
    with opened() as admin:
        handed = serve("--public", **handing_over(admin, LISTEN_FDNAMES="admin"))
        assert [line for line in handed.logs if line["severity"] == "WARNING"] == []
    (warning,) = (line for line in serve("--public").logs if line["severity"] == "WARNING")
    assert warning["event"] == "anybody can read the metrics"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_of_a_unix_domain_socket_is_served_and_has_no_address(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a Unix domain socket must be short
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind("echo.sock")
        ours.listen()

        def connected() -> socket.socket:
            new = socket.socket(socket.AF_UNIX)
            new.settimeout(PATIENCE)
            new.connect("echo.sock")
            return new

        options = ["--workers", str(workers), "--trusted-proxy", "*", "--max-connections-per-address", "1"]
        settings = handing_over(ours)
        with started([*settings.pop("command"), *options], stdout=subprocess.PIPE, **settings) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["url"] == "unix:echo.sock"
            assert (seen := info(connected()))["peer"] is None
            assert seen["client"] == ["192.0.2.7"]
            with connected() as one, connected() as other:
                assert echoes(one)
                assert echoes(other)
                # The error is logged, and the log line has no address either.
                one.sendall(b"\xff\xff")
                assert receive(one)[:1] == b"\x88"
                process.send_signal(signal.SIGTERM)
                receive(other)
            rest, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0
            lines = [json.loads(line) for line in rest.splitlines()]
            (told,) = (line for line in lines if line["event"] == "protocol error")
            assert told["peer"] == "unknown"
            assert not [line for line in lines if line["severity"] == "ERROR"]


def test_an_ipv4_client_has_one_address_wherever_it_is_shown(serve: Serve) -> None:
    """The client connects to a socket for both families, where the kernel shows its address as an IPv6 address."""
    with opened("::ffff:127.0.0.1") as ours:
        server = serve(
            *("--log-level", "debug", "--trusted-proxy", "127.0.0.1", "--max-connections-per-address", "1"),
            **handing_over(ours),
        )
        seen = info(socket.create_connection(("127.0.0.1", server.port)))
        assert (seen["peer"][0], seen["client"]) == ("127.0.0.1", ["192.0.2.7"])
        with RawConnection(server.port) as connection:
            assert echoes(connection.socket)
            host, port = connection.socket.getsockname()
            assert server.wait_for_log("websocket opened")["peer"] == f"{host}:{port}"
            connection.send(b"\xff\xff")
            assert server.wait_for_log("protocol error")["peer"] == f"{host}:{port}"


def test_what_is_meant_for_another_process_is_left_alone(serve: Serve) -> None:
    with opened() as ours:
        server = serve(**handing_over(ours, LISTEN_PID="1"))
        assert server.port != ours.getsockname()[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_clients_wait_at_a_socket_of_somebody_else_from_one_server_to_the_next(serve: Serve, workers: int) -> None:
    with opened() as ours, RawConnection(ours.getsockname()[1]) as first:
        server = serve("--workers", str(workers), **handing_over(ours))
        assert echoes(first.socket)
        first.socket.close()
        assert server.stop() == 0
        with RawConnection(ours.getsockname()[1]) as between:
            between.send(HANDSHAKE)
            serve("--workers", str(workers), **handing_over(ours))
            assert between.receive(len(SWITCHED)) == SWITCHED


def refused(*sockets: Any, **variables: str) -> str:
    """Return the error line of a server that refuses these sockets and variables."""
    settings = handing_over(*sockets, **variables)
    with started(settings.pop("command"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **settings) as process:
        out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, errors.count("\n")) == (1, "", 1)
    return str(errors)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("file", "Socket operation on non-socket"),
        ("datagrams", "its family or type is not supported"),
        ("unbound", "it is not bound to an address"),
        ("connected", "Invalid argument"),
    ],
)
@pytest.mark.parametrize("name", ["http", "admin"])
def test_a_socket_that_cannot_accept_is_one_line_and_exit_code_1(kind: str, reason: str, name: str) -> None:
    with ExitStack() as stack:
        good = stack.enter_context(opened())
        if kind == "file":
            bad: Any = stack.enter_context(Path(os.devnull).open("rb"))
        else:
            bad = stack.enter_context(
                socket.socket(type=socket.SOCK_DGRAM if kind == "datagrams" else socket.SOCK_STREAM)
            )
        if kind == "connected":
            bad.connect(good.getsockname())
        assert refused(good, bad, LISTEN_FDNAMES=f"http:{name}") == (
            f"wsecho: file descriptor 4, handed over as '{name}' (LISTEN_FDS, LISTEN_FDNAMES), "
            f"cannot be used as a listening socket: {reason}\n"
        )


def test_a_descriptor_that_is_not_there_is_one_line_and_exit_code_1() -> None:
    with opened() as ours:
        assert "descriptor 4, handed over as 'unknown'" in (told := refused(ours, LISTEN_FDS="2"))
        assert told.endswith(": Bad file descriptor\n")


def test_a_count_that_is_none_is_one_line_and_exit_code_1() -> None:
    with opened() as ours:
        assert "LISTEN_FDS is 'two'" in refused(ours, LISTEN_FDS="two")
        assert "LISTEN_FDS is '999" in refused(ours, LISTEN_FDS="9" * 5000)


def test_the_variables_are_not_left_to_children(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
    for pid in (str(os.getpid()), "1"):
        environment = dict.fromkeys(names, "0") | {"LISTEN_PID": pid, "OTHER": "stays"}
        assert socket_activation.take(environment, 5) == ([], [])
        assert environment == {"OTHER": "stays"}


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="needs systemd-socket-activate")
@pytest.mark.parametrize("workers", [1, 2])
def test_systemd_hands_sockets_over(workers: int) -> None:
    public, admin = free_port(), free_port()
    listening = [f"--listen=127.0.0.1:{port}" for port in (public, admin)]
    command = ["systemd-socket-activate", *listening, "--fdname=http:admin", *PACKAGE, "--workers", str(workers)]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: is_listened_on(admin))
        # The program starts the server when the first client has come; that client waits for the start.
        with RawConnection(public) as connection:
            assert echoes(connection.socket)
        assert process.stdout is not None
        listening_line = json.loads(process.stdout.readline())
        assert (listening_line["port"], listening_line["admin_port"]) == (public, admin)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def is_listened_on(port: int) -> bool:
    """Return whether a process listens on a port of 127.0.0.1, without connecting to it."""
    return any(
        row.split()[1:4:2] == [f"0100007F:{port:04X}", "0A"] for row in Path("/proc/net/tcp").read_text().splitlines()
    )
