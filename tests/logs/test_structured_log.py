"""The log: what it says, what it never says, and that nobody waits for who reads it."""

import contextlib
import fcntl
import itertools
import json
import logging
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Serve
from tests.shared.frames import BINARY, TEXT, client_frame, server_close, server_frame
from tests.shared.free_port import free_port
from tests.shared.processes import wait_until
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer, started
from wsecho.http.request import Request
from wsecho.logs import structured_log, writer
from wsecho.logs.cloud_logging import CloudRun
from wsecho.logs.fields import MAX_FIELD, MAX_TRACEBACK, shown, shown_address, shown_traceback
from wsecho.logs.rate_limits import MAX_LINES, SECONDS, LogLimits
from wsecho.logs.writer import ATOMIC_WRITE, LogWriter, pieces
from wsecho.processes import control

WSECHO = [sys.executable, "-m", "wsecho"]
LOCAL = ["--host", "127.0.0.1", "--port", "0"]
BAD_HANDSHAKE = HANDSHAKE.replace(b"Version: 13", b"Version: 12")
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


def all_lines(server: RunningServer) -> list[dict[str, Any]]:
    """Stop the server and return its whole log."""
    server.stop()
    server.complaints()
    return server.logs


def with_event(event: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == event]


def address_of(connection: RawConnection) -> str:
    host, port = connection.socket.getsockname()
    return f"{host}:{port}"


def refused(server: RunningServer, request: bytes = BAD_HANDSHAKE) -> str:
    """Send a request, read the answer to its end, and return the address it came from."""
    with RawConnection(server.port) as connection:
        connection.send(request)
        assert connection.receive_all().startswith(b"HTTP/1.1 4")
        return address_of(connection)


def echoes(port: int) -> None:
    with RawConnection(port).open() as connection:
        connection.send(client_frame(TEXT, b"still here"))
        assert connection.receive(12) == server_frame(TEXT, b"still here")


def come_and_go(port: int, count: int) -> None:
    """Make so many connections, one after the other, each to its orderly end."""
    for _ in range(count):
        with RawConnection(port).open() as connection:
            connection.send(client_frame(8, b"\x03\xe8"))
            assert connection.receive(4) == b"\x88\x02\x03\xe8"
            assert connection.receive_all() == b""


# What the server says of its peers


def test_a_refused_handshake_is_said_with_its_reason_and_peer(serve: Serve) -> None:
    server = serve()
    peer = refused(server, BAD_HANDSHAKE.replace(b"GET / ", b"GET /chat?room=1 "))
    line = server.wait_for_log("handshake refused")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert list(line)[:3] == ["severity", "event", "reason"]
    assert line == {
        "severity": "INFO",
        "event": "handshake refused",
        "peer": peer,
        "path": "/chat",
        "status": 426,
        "reason": "Sec-WebSocket-Version must be given once, as 13",
    }


@pytest.mark.parametrize(
    ("request_bytes", "status", "reason"),
    [
        (b"GET /\x07 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not an HTTP/1.1 request"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n", 414, "the request line is longer than"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "the Host header must be given once"),
        (b"GET / HT", 408, "the request took too long"),
    ],
)
def test_what_is_no_request_is_said_with_its_reason_and_peer(
    serve: Serve, request_bytes: bytes, status: int, reason: str
) -> None:
    server = serve("--handshake-timeout", "1s")
    peer = refused(server, request_bytes)
    line = server.wait_for_log("request refused")
    assert (line["severity"], line["peer"], line["status"]) == ("INFO", peer, status)
    assert line["reason"].startswith(reason)


def test_a_protocol_error_is_said_with_its_rule_and_peer(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(3))
        close = server_close(1002, "reserved opcode")
        assert connection.receive(len(close)) == close
        line = server.wait_for_log("protocol error")
        assert line["peer"] == address_of(connection)
    assert (line["severity"], line["code"], line["reason"]) == ("INFO", 1002, "reserved opcode")


def test_an_error_that_no_close_can_follow_is_said_as_1006(serve: Serve) -> None:
    server = serve()
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(TEXT, b"x" * 100_000 + b"\xff"))
        connection.receive_all()
    assert server.wait_for_log("protocol error")["code"] == 1006


def test_an_answer_that_is_no_refusal_is_not_said(serve: Serve) -> None:
    server = serve("--log-level", "debug")
    for path in ("/", "/metrics", "/nothing-here", "/ws"):
        server.get(path)
    assert [line["event"] for line in all_lines(server)] == ["listening", "draining", "stopped"]


def test_a_connections_beginning_and_end_are_one_debug_line_each(serve: Serve, codec_name: str) -> None:
    server = serve("--log-level", "debug", "--codec", codec_name)
    with RawConnection(server.port) as connection:
        connection.send(HANDSHAKE.replace(b"GET / ", b"GET /here?now "))
        opened = server.wait_for_log("websocket opened")
        connection.half_close()
        closed = server.wait_for_log("websocket closed")
        peer = address_of(connection)
    assert (opened["severity"], opened["peer"], opened["path"]) == ("DEBUG", peer, "/here")
    assert (closed["severity"], closed["peer"], closed["code"]) == ("DEBUG", peer, 1006)
    assert 0 <= closed["seconds"] < PATIENCE
    assert len(all_lines(server)) == 5


def test_a_usual_day_says_nothing_of_connections(serve: Serve) -> None:
    server = serve()
    come_and_go(server.port, 3)
    assert [line["event"] for line in all_lines(server)] == ["listening", "draining", "stopped"]


def test_a_thousand_bad_handshakes_are_few_lines_and_a_number(serve: Serve) -> None:
    server = serve()
    for _ in range(1000):
        refused(server)
    lines = all_lines(server)
    told = with_event("handshake refused", lines)
    left_out = with_event("log lines suppressed", lines)
    assert len(told) + sum(line["lines"] for line in left_out) == 1000
    assert {(line["of"], line["severity"]) for line in left_out} == {("handshake refused", "INFO")}
    # A window of ten for each line that tells of the others, and at both ends one that had none left out.
    assert len(told) <= MAX_LINES * (len(left_out) + 2)
    assert len(lines) < 500


def test_what_was_left_out_is_said_while_the_server_runs(serve: Serve) -> None:
    server = serve()
    crowd = [RawConnection(server.port) for _ in range(10 * MAX_LINES)]
    for connection in crowd:
        connection.send(BAD_HANDSHAKE)
    assert server.wait_for_log("log lines suppressed")["of"] == "handshake refused"
    for connection in crowd:
        connection.socket.close()


def test_no_secret_and_no_payload_is_ever_said(serve: Serve) -> None:
    secret = b"open-sesame"
    server = serve("--log-level", "debug")
    with_secrets = HANDSHAKE.replace(b"GET / ", b"GET /?access_token=" + secret + b"#" + secret + b" ").replace(
        b"\r\n\r\n",
        b"\r\nAuthorization: Bearer " + secret + b"\r\nCookie: session=" + secret + b"\r\nX-Forwarded-For: " + secret
        # Browsers can put a token nowhere else.
        + b"\r\nSec-WebSocket-Protocol: bearer, " + secret + b"\r\n\r\n",
    )  # fmt: skip
    with RawConnection(server.port) as connection:
        connection.send(with_secrets)
        assert connection.receive(12) == b"HTTP/1.1 101"
        connection.send(client_frame(BINARY, secret) + client_frame(8, b"\x0f\xa0" + secret))
        connection.receive_all()
    for broken in (
        with_secrets.replace(b"Version: 13", b"Version: " + secret),
        with_secrets.replace(b"bearer, ", b"bearer@ "),
        with_secrets.replace(b"Key: ", b"Key: " + secret),
        with_secrets.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: =" + secret + b"\r\n\r\n"),
        with_secrets.replace(b"HTTP/1.1", b"HTTP/1.1 " + secret),
        with_secrets.replace(b"Cookie:", b"Cookie " + secret + b":"),
        with_secrets.replace(b"Host: here", b"Host: user:" + secret + b"@here"),
        b"GET http://user:" + secret + b"@here/?" + secret + b" HTTP/1.1\r\nUpgrade: websocket\r\nHost: here\r\n\r\n",
        secret + b" / HTTP/1.1\r\n\r\n",
    ):
        refused(server, broken)
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(TEXT, secret + b"\xff"))
        connection.receive_all()
    lines = all_lines(server)
    assert secret.decode() not in json.dumps(lines)
    kinds = ("websocket opened", "websocket closed", "handshake refused", "request refused", "protocol error")
    assert [len(with_event(kind, lines)) for kind in kinds] == [2, 2, 4, 5, 1]


# Where the log goes


COLOR = re.compile(r"\x1b\[[\d;]*m")


@contextmanager
def watched(*options: str, **environment: str) -> Iterator[Callable[[str], str]]:
    """A server on a terminal. What is yielded returns what the terminal has shown once a line with a text is there."""
    terminal, its_end = pty.openpty()
    variables = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    command = [*WSECHO, *LOCAL, *options]
    with (
        open(terminal, "rb", buffering=0) as screen,
        started(command, stdout=its_end, env=variables | environment) as process,
    ):
        os.close(its_end)
        text = b""

        def shown_with(awaited: str) -> str:
            nonlocal text
            while awaited.encode() not in text or not text.endswith(b"\n"):
                text += read_some(screen)
            return text.decode().replace("\r\n", "\n")

        yield shown_with
        process.send_signal(signal.SIGTERM)
        shown_with("stopped")
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("environment", "colored"),
    [({}, True), ({"TERM": "xterm-256color"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False)],
    ids=["none", "xterm", "dumb", "no color"],
)
def test_on_a_terminal_lines_are_for_people(environment: dict[str, str], *, colored: bool) -> None:
    with watched(**environment) as shown_with:
        text = shown_with("connections ")
    assert re.search(r"\[info +\] listening .*port=\d+", COLOR.sub("", text))
    assert ("\x1b" in text) is colored


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
        ["stop", "Ctrl+C, and again to wait for nobody"],
        ["connections", "--log-level debug shows each"],
    ]


def test_what_the_start_says_is_true_with_tls_and_an_admin_port() -> None:
    with watched("--tls-self-signed", "--admin-port", "0", "--log-level", "Debug", NO_COLOR="1") as shown_with:
        text = shown_with("connections ")
    port, admin_port = re.findall(r"port=(\d+)", text)
    assert f"client   https://127.0.0.1:{port}\n" in text
    assert f"WebSocket     wss://127.0.0.1:{port}\n" in text
    assert f"metrics       http://127.0.0.1:{admin_port}/metrics\n" in text
    assert "connections   one line below as each comes and goes\n" in text


def answers(port: int) -> bool:
    try:
        with RawConnection(port) as connection:
            connection.send(b"GET /health HTTP/1.0\r\n\r\n")
            return connection.receive_all().endswith(b"ok\n")
    except ConnectionError:
        return False


@pytest.mark.parametrize("options", [("--log-format", "JSON"), ("--log-level", "warn", "--log-format", "text")])
def test_what_the_start_says_is_for_who_reads_it_at_once(options: tuple[str, ...]) -> None:
    terminal, its_end = pty.openpty()
    port = free_port()
    command = [*WSECHO, "--host", "127.0.0.1", "--port", str(port), *options]
    with open(terminal, "rb", buffering=0) as screen, started(command, stdout=its_end) as process:
        os.close(its_end)
        # Whoever is answered comes after all that is said at the start.
        wait_until(lambda: process.poll() is not None or answers(port))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        shown = b""
        with contextlib.suppress(OSError):
            while more := screen.read(4096):
                shown += more
    assert (b"listening" in shown) is ("JSON" in options)
    assert b"Ctrl+C" not in shown


def test_what_the_start_says_is_not_in_a_text_log_that_nobody_watches() -> None:
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
    assert control._url("ws", address) == url


def test_the_reason_is_what_comes_first() -> None:
    with started([*WSECHO, *LOCAL, "--log-format", "text"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = re.search(r" port=(\d+)", process.stdout.readline())
        assert found
        with RawConnection(int(found[1])) as connection:
            connection.send(BAD_HANDSHAKE)
            connection.receive_all()
        with RawConnection(int(found[1])) as connection:
            connection.send(b"rubbish\r\n\r\n")
            connection.receive_all()
        lines = [process.stdout.readline().partition("] ")[2] for _ in range(2)]
        assert lines[0].startswith("handshake refused: Sec-WebSocket-Version must be given once, as 13 peer=127.0.0.1:")
        assert lines[1].startswith("request refused: not an HTTP/1.1 request")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def read_some(stream: IO[bytes]) -> bytes:
    """Return what comes next, at most 4 KiB."""
    readable, _, _ = select.select([stream], [], [], PATIENCE)
    assert readable, "nothing came in time"
    return stream.read(4096)


@contextmanager
def talkative_server(**settings: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server whose log is read by hand, with the smallest of pipes; its port."""
    with started([*WSECHO, *LOCAL, "--log-level", "debug"], stdout=subprocess.PIPE, **settings) as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        yield process, json.loads(process.stdout.readline())["port"]


def test_a_log_that_is_not_read_stops_neither_echoes_nor_the_end() -> None:
    with talkative_server() as (process, port):
        come_and_go(port, 50)  # twice what the pipe holds
        with RawConnection(port).open() as connection:
            connection.send(client_frame(TEXT, b"hi"))
            assert connection.receive(4) == server_frame(TEXT, b"hi")
            process.send_signal(signal.SIGTERM)
            close = server_close(1001, "server is shutting down")
            assert connection.receive(len(close)) == close
        assert process.wait(PATIENCE) == 0


def test_a_log_that_is_read_again_says_how_much_is_missing_and_where() -> None:
    connections = writer.MAX_LINES // 2 + 200
    with talkative_server() as (process, port):
        assert process.stdout is not None
        come_and_go(port, connections)
        lines = []
        # The gap is told without a further line to push it.
        while not lines or lines[-1]["event"] != "log lines lost":
            lines.append(json.loads(process.stdout.readline()))
        told = {"websocket opened", "websocket closed"}
        assert len([line for line in lines if line["event"] in told]) + lines[-1]["lines"] == 2 * connections
        assert lines[-1]["lines"] > 0
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as page:
            assert f"\nwsecho_log_lines_dropped_total {lines[-1]['lines']}.0\n" in page.read().decode()
        echoes(port)
        process.send_signal(signal.SIGTERM)
        rest = [json.loads(line) for line in process.stdout]
        assert [line["event"] for line in rest if line["event"] in told] == ["websocket opened", "websocket closed"]
        times = [line["time"] for line in lines[:-1] + rest]
        assert times == sorted(times)
        assert process.wait(PATIENCE) == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare for a small disk")
def test_a_full_disk_stops_no_echo_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    port = free_port()
    server = [*WSECHO, "--host", "127.0.0.1", "--port", str(port), "--log-level", "debug"]
    script = 'mount -t tmpfs -o size=64k none "$0" && exec "$@" > "$0/log"'
    with started(["unshare", "--mount", "sh", "-c", script, str(tmp_path), *server]) as process:
        disk = Path(f"/proc/{process.pid}/root{tmp_path}")
        wait_for_text(disk / "log", "listening")
        fill(disk / "filler")
        come_and_go(port, 100)
        echoes(port)
        (disk / "filler").unlink()
        lines = wait_for_text(disk / "log", "log lines lost").splitlines()
        echoes(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    good = [json.loads(line) for line in lines if line.endswith("}")]
    # The disk filled up in the middle of a line, or just between two.
    assert len(lines) - len(good) in (0, 1)
    missing = with_event("log lines lost", good)
    told = [line for line in good if line["event"] in ("websocket opened", "websocket closed")]
    assert len(told) + missing[0]["lines"] == 202
    assert len(missing) == 1


def fill(filler: Path) -> None:
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as disk:
        while True:
            disk.write(bytes(4096))


def wait_for_text(file: Path, text: str) -> str:
    """Return what is in the file once `text` is a whole line's part."""
    for _ in range(int(PATIENCE / 0.02)):
        content = file.read_text() if file.exists() else ""
        if text in content and content.endswith("\n"):
            return content
        threading.Event().wait(0.02)
    raise AssertionError(f"{text!r} did not come: {content}")


def test_a_closed_standard_output_is_no_error() -> None:
    port = free_port()
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *WSECHO, "--host", "127.0.0.1", "--port", str(port)]
    with started(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["event"] == "listening"
        echoes(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert [json.loads(line)["event"] for line in process.stderr] == ["draining", "stopped"]


# Cloud Run


def test_on_cloud_run_a_connections_lines_belong_to_its_trace(serve: Serve) -> None:
    environment = {"K_SERVICE": "echo", "GOOGLE_CLOUD_PROJECT": "my-project"}
    server = serve("--log-level", "debug", environment=environment)
    assert server.listening["message"] == "listening"
    assert "logging.googleapis.com/trace" not in server.listening
    with RawConnection(server.port) as connection:
        field = f"traceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n"
        connection.send(HANDSHAKE.replace(b"\r\n\r\n", b"\r\n" + field.encode()) + client_frame(3))
        connection.receive_all()
    refused(server, BAD_HANDSHAKE.replace(b"\r\n\r\n", f"\r\nX-Cloud-Trace-Context: {TRACE}/1;o=0\r\n\r\n".encode()))
    lines = all_lines(server)
    for event, why in (("websocket opened", ""), ("protocol error", ": reserved opcode"), ("websocket closed", "")):
        (line,) = with_event(event, lines)
        assert line["message"] == event + why
        assert trace_of(line) == (f"projects/my-project/traces/{TRACE}", SPAN, True)
    (line,) = with_event("handshake refused", lines)
    assert trace_of(line) == (f"projects/my-project/traces/{TRACE}", "0000000000000001", False)


def trace_of(fields: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(fields.get(f"logging.googleapis.com/{name}") for name in ("trace", "spanId", "trace_sampled"))


def test_elsewhere_a_trace_is_not_mentioned(serve: Serve) -> None:
    server = serve("--log-level", "debug", environment={"GOOGLE_CLOUD_PROJECT": "my-project"})
    refused(server, BAD_HANDSHAKE.replace(b"\r\n\r\n", f"\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n".encode()))
    assert TRACE not in json.dumps(all_lines(server))
    assert "message" not in server.listening


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-00"}, (TRACE, SPAN, False)),
        ({"traceparent": f"00-{TRACE}-{SPAN}-03"}, (TRACE, SPAN, True)),
        ({"traceparent": f"cc-{TRACE}-{SPAN}-01-more"}, (TRACE, SPAN, True)),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01-more"}, None),
        ({"traceparent": f"ff-{TRACE}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{TRACE.upper()}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{'0' * 32}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{TRACE}-{'0' * 16}-01"}, None),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01\n"}, None),
        ({"traceparent": ""}, None),
        ({"x-cloud-trace-context": f"{TRACE}/255;o=1"}, (TRACE, "00000000000000ff", True)),
        ({"x-cloud-trace-context": f"{TRACE}/255"}, (TRACE, "00000000000000ff", False)),
        ({"x-cloud-trace-context": f"{TRACE.upper()}/{2**64 - 1};o=1"}, (TRACE, "f" * 16, True)),
        ({"x-cloud-trace-context": f"{TRACE}/{2**64};o=1"}, None),
        ({"x-cloud-trace-context": f"{TRACE}/0;o=1"}, None),
        ({"x-cloud-trace-context": TRACE}, None),
        ({"traceparent": "none", "x-cloud-trace-context": f"{TRACE}/1;o=1"}, (TRACE, "0000000000000001", True)),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01", "x-cloud-trace-context": f"{TRACE}/1"}, (TRACE, SPAN, True)),
    ],
)
def test_a_trace_is_read_as_its_specification_says(
    headers: dict[str, str], found: tuple[str, str, bool] | None
) -> None:
    request = Request("GET", "/", "/", "", "1.1", tuple(headers.items()), keep_alive=True, has_body=False)
    expected = (f"projects/p/traces/{found[0]}", *found[1:]) if found else (None, None, None)
    assert trace_of(CloudRun("p").trace_fields(request)) == expected
    assert CloudRun("").trace_fields(request) == {}


# One line, printable, short


@pytest.fixture(scope="module", params=["json", "text"])
def pipe_log(request: pytest.FixtureRequest) -> Iterator[tuple[structured_log.Output, IO[bytes], str]]:
    """A log that writes into a pipe; its reading end; its style."""
    read, write = os.pipe()
    with open(read, "rb") as stream:
        is_text = request.param == "text"
        yield (
            structured_log.Output(logging.DEBUG, as_text=is_text, descriptor=write, cloud_run=CloudRun("p")),
            stream,
            request.param,
        )
        os.close(write)


ANYTHING = st.text(st.characters(exclude_categories=()), max_size=700) | st.binary(max_size=700).map(
    lambda data: data.decode("latin-1")
)


@given(ANYTHING, ANYTHING)
def test_whatever_a_peer_sends_a_line_is_one_line(
    pipe_log: tuple[structured_log.Output, IO[bytes], str], path: str, reason: str
) -> None:
    output, stream, style = pipe_log
    output.log.debug("websocket opened", peer=("::1", 4711, 0, 0), path=path, reason=reason)
    output.log.debug("the next line")
    line = stream.readline().decode()
    assert b"the next line" in stream.readline()
    assert line.removesuffix("\n").isprintable()
    assert len(line.encode()) <= ATOMIC_WRITE
    if style == "json":
        fields = json.loads(line)
        assert list(fields) == ["severity", "time", "event", "message", "reason", "peer", "path"]
        assert fields["peer"] == "[::1]:4711"
        for said, sent in ((fields["path"], path), (fields["reason"], reason)):
            assert said.isprintable()
            assert len(said.encode()) <= MAX_FIELD
            assert said == sent or not sent.isprintable() or len(sent.encode()) > MAX_FIELD


@given(ANYTHING)
def test_a_traceback_is_short_and_printable(text: str) -> None:
    said = shown_traceback(text)
    assert all(line.isprintable() for line in said.split("\n"))
    assert len(said.encode()) <= MAX_TRACEBACK


def test_an_error_is_one_line_with_the_end_of_its_traceback(
    pipe_log: tuple[structured_log.Output, IO[bytes], str],
) -> None:
    output, stream, style = pipe_log
    try:
        raise ValueError('"\\' * 2000 + "\x1b[2J the end")
    except ValueError:
        output.log.exception("request failed", peer=("::1", 1), path='"' * 300)
    output.log.debug("the next line")
    said = b"".join(itertools.takewhile(lambda line: b"the next line" not in line, stream)).decode()
    assert "\\x1b[2J the end" in (json.loads(said)["exception"] if style == "json" else said)
    if style == "json":
        assert said.count("\n") == 1
        assert len(said) <= ATOMIC_WRITE


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, 7),
        (True, True),
        (None, None),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (b"\xff", "b'\\xff'"),
        ([1, "\n"], "[1, '\\n']"),
        ("a\nb\x7f\x9b\u2028\u202e\udc80", "a\\nb\\x7f\\x9b\\u2028\\u202e\\udc80"),
        ("naïve ☃", "naïve ☃"),
        ("x" * MAX_FIELD, "x" * MAX_FIELD),
        ("x" * (MAX_FIELD + 1), "x" * (MAX_FIELD - 3) + "…"),
        ("é" * 129, "é" * 126 + "…"),
    ],
)
def test_a_field_is_shown_as_what_it_is_as_far_as_it_may(value: Any, said: Any) -> None:
    assert shown(value) == said


def test_addresses() -> None:
    assert shown_address(("192.0.2.1", 80)) == "192.0.2.1:80"
    assert shown_address(("2001:db8::1", 80, 0, 0)) == "[2001:db8::1]:80"
    assert shown_address("/run/socket") == "/run/socket"
    assert shown_address(None) == shown_address("") == "unknown"


# How often


def test_ten_of_a_kind_pass_within_a_second_and_the_others_are_counted() -> None:
    limits = LogLimits()
    assert [limits.admits("info", "a", 5.0) for _ in range(MAX_LINES + 3)] == [True] * MAX_LINES + [False] * 3
    assert limits.admits("info", "b", 5.0)
    assert limits.admits("error", "a", 5.0)
    assert limits.take_suppressed(5.0 + SECONDS - 0.01) == []
    # A second later ten more pass, told or not.
    assert [limits.admits("info", "a", 5.0 + SECONDS) for _ in range(MAX_LINES + 1)] == [True] * MAX_LINES + [False]
    assert limits.take_suppressed(5.0 + SECONDS) == [("info", "a", 4)]
    assert limits.take_suppressed(9.0) == []


def test_a_flood_without_end_is_told_every_second() -> None:
    limits = LogLimits()
    told = []
    for tick in range(100):
        for _ in range(20):
            limits.admits("info", "a", tick / 10)
        told += limits.take_suppressed(tick / 10)
    assert len(told) == 9


# The writer


def notice(lost: int) -> bytes:
    return f"lost {lost}\n".encode()


def test_lines_of_several_processes_are_whole_and_in_order_and_none_is_there_twice() -> None:
    script = """if True:
        import os
        from wsecho.logs.writer import LogWriter
        writer = LogWriter(1, lambda lost: b"lost %d\\n" % lost)
        def write(name):
            for number in range(2000):
                writer.put(b"%s %d %s\\n" % (name, number, name * (number % 700)))
        write(b"a")
        for name in (b"b", b"c", b"d"):
            if not os.fork():
                write(name)
                os._exit(not writer.flush(20))
        for _ in range(3):
            assert os.wait()[1] == 0
        assert writer.flush(20)
    """
    with started([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [line.split() for line in process.stdout]
        assert process.wait(PATIENCE) == 0
    for name in "abcd":
        of_one = [line for line in lines if line[0] == name]
        assert [int(line[1]) for line in of_one] == list(range(2000))
        assert all("".join(line[2:]) == name * (int(line[1]) % 700) for line in of_one)
    assert len(lines) == 8000


def test_a_writer_at_rest_has_no_thread_and_the_next_line_wakes_it() -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    writer, threads = LogWriter(write, notice), threading.active_count()
    assert writer.stop_thread(PATIENCE)
    with open(read, "rb") as stream:
        for number in range(3):
            writer.put(b"%d\n" % number)
            assert writer.stop_thread(PATIENCE)
            assert threading.active_count() == threads
            assert stream.readline() == b"%d\n" % number
        for number in range(2000):
            writer.put(b"%d\n" % number)
        assert not writer.stop_thread(0.01)  # nobody reads
        assert [int(stream.readline()) for _ in range(2000)] == list(range(2000))
    os.close(write)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_lines_that_cannot_be_written_are_counted_and_told_once_they_can() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(descriptor, notice)
    counts: list[int] = []
    writer.dropped = counts.append
    for _ in range(3):
        writer.put(b"into the void\n")
        assert writer.flush(PATIENCE)
    assert sum(counts) == 3
    read, write = os.pipe()
    os.dup2(write, descriptor)
    with open(read, "rb") as stream:
        assert stream.readline() == b"lost 3\n"
        writer.put(b"here again\n")
        assert stream.readline() == b"here again\n"
    assert sum(counts) == 3
    os.close(descriptor)
    os.close(write)


def test_a_reader_that_has_gone_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LogWriter(write, notice)
    counts: list[int] = []
    writer.dropped = counts.append
    writer.put(b"to nobody\n")
    assert writer.flush(PATIENCE)
    assert counts == [1]
    read, other = os.pipe()
    os.dup2(other, write)
    with open(read, "rb") as stream:
        assert stream.readline() == b"lost 1\n"
        # The number of a descriptor is soon another file's: nobody may write to it any more.
        assert writer.stop_thread(PATIENCE)
    os.close(write)
    os.close(other)


def test_an_output_that_does_not_block_is_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    writer = LogWriter(write, notice)
    for number in range(2000):
        writer.put(b"%d\n" % number)
    assert not writer.flush(0.01)
    with open(read, "rb") as stream:
        assert [int(stream.readline()) for _ in range(2000)] == list(range(2000))
    os.close(write)


def test_pieces_are_what_a_pipe_takes_whole() -> None:
    lines = [b"x" * size + b"\n" for size in (1, ATOMIC_WRITE - 3, 1, ATOMIC_WRITE + 10, 5, 5)]
    found = list(pieces(lines))
    assert b"".join(found) == b"".join(lines)
    assert [len(piece) for piece in found] == [ATOMIC_WRITE, 2, ATOMIC_WRITE + 11, 12]


def test_a_filtered_line_costs_no_processing() -> None:
    read, write = os.pipe()
    output = structured_log.Output(logging.INFO, as_text=False, descriptor=write, cloud_run=None)
    output.log.debug("never said", peer=object())
    output.log.info("said")
    output.writer.flush(PATIENCE)
    with open(read, "rb") as stream:
        os.close(write)
        assert [json.loads(line)["event"] for line in stream] == ["said"]


def test_the_documentation_names_what_is_said() -> None:
    text = (ROOT / "docs/logs.md").read_text()
    sources = "".join(file.read_text() for file in (ROOT / "wsecho").rglob("*.py"))
    said = set(re.findall(r"\blog\.(?:debug|info|warning|error|exception)\(\s*\"([^\"]+)\"", sources))
    said |= set(re.findall(r"\)\.(?:info|exception)\(\s*\"([^\"]+)\"", sources))
    assert len(said) >= 10
    assert {event for event in said if f"`{event}`" not in text} == set()
