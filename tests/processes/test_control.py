"""How a worker is told to stop, to stop at once and to reload, and what a person at a terminal sees at the start.

Modules: `control`, `prefork`.
"""

import contextlib
import os
import pty
import re
import signal
import subprocess

import pytest

from tests.conftest import Serve
from tests.shared.commands import LOCAL, WSECHO
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.free_port import free_port
from tests.shared.processes import children, wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, RunningServer, started
from tests.shared.terminal import watched
from tests.shared.workers import SHUTDOWN_CLOSE, clients, echoes, is_free, leave, patched, take_out
from wsecho.processes import control


def test_a_second_signal_ends_a_drain_at_once(serve: Serve) -> None:
    server = serve("--close-timeout", "15s", "--drain-timeout", "15s")
    with RawConnection(server.port).open():
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_for_log("stopped")["cut_off"] == 1
        assert server.wait() == 0


def in_a_group_of_its_own() -> None:
    """Prepare a server to which a terminal or a service manager sends signals as a process group."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("to_all", [False, True])
def test_a_stop_sends_a_close_to_the_clients_of_every_worker(
    serve: Serve, number: signal.Signals, to_all: bool
) -> None:
    server = serve("--workers", "2", preexec_fn=in_a_group_of_its_own)
    workers = children(server.pid)
    with clients(server, 30) as connections:
        for connection in connections:
            connection.send(client_frame(TEXT, b"last message"))
        server.wait_for_metrics(websocket_messages_sent_total=30)
        if to_all:
            os.killpg(server.pid, number)
        else:
            os.kill(server.pid, number)
        for connection in connections:
            assert connection.receive(14) == server_frame(TEXT, b"last message")
            leave(connection)
    assert server.wait() == 0
    stopped = [server.wait_for_log("stopped") for _ in workers]
    assert sorted((line["worker"], line["cut_off"]) for line in stopped) == [(0, 0), (1, 0)]
    assert is_free(server.port)


def test_a_second_signal_ends_the_drain_of_every_worker(serve: Serve) -> None:
    server = serve("--workers", "2", "--close-timeout", "60s", "--drain-timeout", "60s")
    with clients(server, 30) as connections:
        server.process.send_signal(signal.SIGTERM)
        for connection in connections:
            assert connection.receive(len(SHUTDOWN_CLOSE)) == SHUTDOWN_CLOSE
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert sum(server.wait_for_log("stopped")["cut_off"] for _ in range(2)) == 30


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_loads_again_and_everyone_stays(serve: Serve, workers: int) -> None:
    server = serve("--workers", str(workers))
    with clients(server, 10) as connections:
        server.process.send_signal(signal.SIGHUP)
        told = {server.wait_for_log("reloaded").get("worker") for _ in range(workers + (workers > 1))}
        assert told == ({None} if workers == 1 else {None, 0, 1})
        assert all(echoes(connection) for connection in connections)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_cannot_be_loaded_again_stays_as_it_was(workers: int) -> None:
    command = patched(
        "prepare = prefork.prepare;"
        "prefork.prepare = lambda *a: (f := prepare(*a), f.reloads.append(lambda: open('/no/such/file')))[0]"
    )
    server = RunningServer("--workers", str(workers), command=command)
    with RawConnection(server.port).open() as connection:
        server.process.send_signal(signal.SIGHUP)
        for _ in range(workers + (workers > 1)):
            assert "/no/such/file" in server.wait_for_log("not reloaded")["error"]
        assert echoes(connection)
    assert server.stop() == 0
    assert set(take_out(server, "not reloaded")) == {"not reloaded"}
    server.close()


def test_a_second_signal_also_ends_a_drain_delay(serve: Serve) -> None:
    server = serve("--drain-delay", "60s", "--drain-timeout", "61s")
    with RawConnection(server.port).open() as client:
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        server.process.send_signal(signal.SIGTERM)
        assert client.receive(len(SHUTDOWN_CLOSE)) == SHUTDOWN_CLOSE
        assert server.wait() == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_on_a_terminal_the_start_says_what_there_is_to_do(workers: str) -> None:
    with watched("--workers", workers, NO_COLOR="1") as shown_with:
        first, *lines = shown_with("connections ").splitlines()
    found = re.search(r"listening +url=http://(127\.0\.0\.1:\d+) ", first)
    assert found
    assert found[1] != "127.0.0.1:0"
    assert [line.split(maxsplit=1) for line in lines if line.startswith("    ")] == [
        ["test", f"client   http://{found[1]}"],
        ["WebSocket", f"ws://{found[1]}"],
        ["metrics", f"http://{found[1]}/metrics"],
        ["stop", "Ctrl+C; a second time to stop at once"],
        ["connections", "--log-level debug shows each"],
    ]


def test_hints_at_the_start_are_right_with_tls_and_an_admin_port() -> None:
    with watched("--tls-self-signed", "--admin-port", "0", "--log-level", "Debug", NO_COLOR="1") as shown_with:
        text = shown_with("connections ")
    port, admin_port = re.findall(r"port=(\d+)", text)
    assert f"client   https://127.0.0.1:{port}\n" in text
    assert f"WebSocket     wss://127.0.0.1:{port}\n" in text
    assert f"metrics       http://127.0.0.1:{admin_port}/metrics\n" in text
    assert "connections   a line below when each opens or closes\n" in text


def answers(port: int) -> bool:
    try:
        with RawConnection(port) as connection:
            connection.send(b"GET /health HTTP/1.0\r\n\r\n")
            return connection.receive_all().endswith(b"ok\n")
    except ConnectionError:
        return False


@pytest.mark.parametrize("options", [("--log-format", "JSON"), ("--log-level", "warn", "--log-format", "text")])
def test_hints_at_the_start_are_only_in_the_text_format_at_level_info(options: tuple[str, ...]) -> None:
    terminal, its_end = pty.openpty()
    port = free_port()
    command = [*WSECHO, "--host", "127.0.0.1", "--port", str(port), *options]
    with open(terminal, "rb", buffering=0) as screen, started(command, stdout=its_end) as process:
        os.close(its_end)
        # The server answers only after it has written everything that it writes at the start.
        wait_until(lambda: process.poll() is not None or answers(port))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        shown = b""
        with contextlib.suppress(OSError):
            while more := screen.read(4096):
                shown += more
    assert (b"listening" in shown) is ("JSON" in options)
    assert b"Ctrl+C" not in shown


def test_hints_at_the_start_are_only_on_a_terminal() -> None:
    with started([*WSECHO, *LOCAL, "--log-format", "text"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert "listening" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert "Ctrl+C" not in process.stdout.read()
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("0.0.0.0", 8080), "ws://localhost:8080"),
        (("::", 8080, 0, 0), "ws://localhost:8080"),
        (("192.0.2.1", 80), "ws://192.0.2.1:80"),
        (("::1", 8080, 0, 0), "ws://[::1]:8080"),
        ("/run/echo.sock", "unix:/run/echo.sock"),
        (b"\0echo", "unix:@echo"),
    ],
)
def test_an_address_is_shown_as_it_can_be_opened(address: tuple[str | int, ...] | str | bytes, url: str) -> None:
    assert control.url_of("ws", address) == url
