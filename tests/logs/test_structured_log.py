"""Log lines: which events are logged, that secrets and payloads never are, and the format on a terminal."""

import ast
import itertools
import json
import logging
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given

from tests.conftest import Serve
from tests.shared.clients import BAD_HANDSHAKE, address_of, come_and_go, refused
from tests.shared.commands import LOCAL, WSECHO
from tests.shared.frames import BINARY, TEXT, client_frame, server_close
from tests.shared.log_lines import all_lines, with_event
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, ROOT, started
from tests.shared.terminal import watched
from tests.shared.texts import ANYTHING
from wsecho.logs import structured_log
from wsecho.logs.cloud_logging import CloudRun
from wsecho.logs.fields import MAX_FIELD
from wsecho.logs.writer import ATOMIC_WRITE

# What the server logs about its peers


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
def test_an_invalid_request_is_logged_with_its_reason_and_peer(
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


def test_an_error_that_no_close_can_follow_is_logged_as_1006(serve: Serve) -> None:
    server = serve()
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(TEXT, b"x" * 100_000 + b"\xff"))
        connection.receive_all()
    assert server.wait_for_log("protocol error")["code"] == 1006


def test_an_answer_that_is_no_refusal_is_not_logged(serve: Serve) -> None:
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


def test_no_secret_and_no_payload_is_ever_said(serve: Serve) -> None:
    secret = b"open-sesame"
    server = serve("--log-level", "debug")
    with_secrets = HANDSHAKE.replace(b"GET / ", b"GET /?access_token=" + secret + b"#" + secret + b" ").replace(
        b"\r\n\r\n",
        b"\r\nAuthorization: Bearer " + secret + b"\r\nCookie: session=" + secret + b"\r\nX-Forwarded-For: " + secret
        # Browsers can send a token in no other header.
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


# On a terminal


COLOR = re.compile(r"\x1b\[[\d;]*m")


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


# The format of one line


@pytest.fixture(scope="module", params=["json", "text"])
def pipe_log(request: pytest.FixtureRequest) -> Iterator[tuple[structured_log.Output, IO[bytes], str]]:
    """A log that writes into a pipe, the end of the pipe to read from, and the log format."""
    read, write = os.pipe()
    with open(read, "rb") as stream:
        is_text = request.param == "text"
        yield (
            structured_log.Output(logging.DEBUG, as_text=is_text, descriptor=write, cloud_run=CloudRun("p")),
            stream,
            request.param,
        )
        os.close(write)


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


def test_a_filtered_line_costs_no_processing() -> None:
    read, write = os.pipe()
    output = structured_log.Output(logging.INFO, as_text=False, descriptor=write, cloud_run=None)
    output.log.debug("never said", peer=object())
    output.log.info("said")
    output.writer.flush(PATIENCE)
    with open(read, "rb") as stream:
        os.close(write)
        assert [json.loads(line)["event"] for line in stream] == ["said"]


LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def logged_events(file: Path) -> Iterator[str]:
    """Yield the event of each call of a structlog logger in a module. Events are literals or constants of the module.

    The loggers of `logging`, module constants called `_log`, are left out: their lines have the event `opentelemetry`.
    """
    source = file.read_text()
    tree = ast.parse(source)
    constants = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    for call in ast.walk(tree):
        match call:
            case ast.Call(func=ast.Attribute(value=logger, attr=level), args=[event, *_]) if level in LEVELS:
                pass
            case ast.Call(func=ast.Call(func=ast.Name("getattr"), args=[logger, ast.Name("method")]), args=[event, *_]):
                pass
            case _:
                continue
        if ast.unparse(logger) not in constants:
            yield ast.literal_eval(constants.get(ast.unparse(event), event))


def all_logged_events() -> set[str]:
    return {event for file in (ROOT / "wsecho").rglob("*.py") for event in logged_events(file)}


def test_the_documentation_names_every_event() -> None:
    text = (ROOT / "docs/logs.md").read_text()
    said = all_logged_events()
    assert {"listening", "worker died", "handshake refused", "request failed", "log lines lost"} <= said
    assert {event for event in said if f"`{event}`" not in text} == set()


def test_the_documentation_names_no_event_that_does_not_exist() -> None:
    events = (ROOT / "docs/logs.md").read_text().partition("## Events")[2].partition("\n\nAn answer")[0]
    names = {name for row in re.findall(r"^\| (`.*?) \|", events, re.MULTILINE) for name in re.findall("`(.*?)`", row)}
    assert names - all_logged_events() == set()
