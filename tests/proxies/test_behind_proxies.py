"""A running server behind trusted proxies: header fields, the PROXY protocol, connections per address.

The tests send what proxies would send. Modules: `trusted_proxies`, `forwarded`, `proxy_header`, `client`,
`connections_per_address`.
"""

import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from tests.conftest import Serve
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.processes import wait_until
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer
from wsecho.proxies.connections_per_address import ANSWERED_ABOVE_LIMIT

STRANGER = "127.0.0.9"
LINE = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"
BINARY = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24"
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1") * 2
    + struct.pack("!HH", 56324, 443)
)
LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
REFUSED = 'websocket_refused_connections_total{reason="address"}'
NO_HEADER = 'websocket_refused_connections_total{reason="proxy_header"}'


@pytest.fixture(scope="module")
def trusting() -> Iterator[RunningServer]:
    """Run a server that trusts proxies at 127.0.0.1 and in 10.0.0.0/8."""
    yield from running("--trusted-proxy", "127.0.0.1,10.0.0.0/8")


@pytest.fixture(scope="module")
def announced() -> Iterator[RunningServer]:
    """Run a server that requires a PROXY header, and accepts connections from 127.0.0.1 and 10.0.0.0/8 only."""
    yield from running(
        *("--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8", "--proxy-protocol"),
        *("--admin-port", "0", "--log-level", "debug"),
    )


def running(*options: str) -> Iterator[RunningServer]:
    server = RunningServer(*options)
    yield server
    assert server.stop() == 0
    complaints = server.complaints()
    server.close()
    assert not complaints


def info(server: RunningServer, *fields: str, preface: bytes = b"", source: str = "") -> dict[str, Any]:
    """Return what the server says about a request with these header fields."""
    lines = ["GET /info HTTP/1.1", "Host: here", *fields, "Connection: close", "", ""]
    with RawConnection(server.port, preface=preface, source=source, tls=server.client_tls) as client:
        client.send("\r\n".join(lines).encode())
        head, _, body = client.receive_all().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return dict(json.loads(body))


def echoes(client: RawConnection, text: bytes = b"hello") -> bool:
    client.send(client_frame(TEXT, text))
    return client.receive(2 + len(text)) == server_frame(TEXT, text)


# Header fields


def test_a_trusted_proxy_says_who_the_client_is(trusting: RunningServer) -> None:
    told = info(trusting, "X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https")
    assert (told["client"], told["scheme"]) == (["192.0.2.1"], "https")
    assert told["peer"][0] == "127.0.0.1"
    assert info(trusting)["client"][0] == "127.0.0.1"


def test_what_anybody_else_says_is_ignored(trusting: RunningServer, server: RunningServer) -> None:
    for told in (
        info(trusting, "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", source=STRANGER),
        info(server, "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1;proto=https", source=STRANGER),
        info(trusting, "X-Forwarded-For: 192.0.2.1", source=STRANGER),
    ):
        assert (told["client"], told["scheme"]) == (told["peer"], "http")
        assert told["client"][0] == STRANGER
        # /info still shows what was sent, so that an operator can test a proxy with it.
        assert told["forwarded"]["x_forwarded_for"] == ["192.0.2.1"]


def test_forwarded_counts_where_it_was_chosen(serve: Serve) -> None:
    server = serve("--trusted-proxy", "*", "--forwarded-header", "forwarded")
    told = info(server, 'Forwarded: for="[2001:db8::1]:4711";proto=https', "X-Forwarded-For: 203.0.113.9")
    assert (told["client"], told["scheme"]) == (["2001:db8::1", 4711], "https")


def test_a_client_behind_a_proxy_is_named_in_the_log(serve: Serve) -> None:
    server = serve("--trusted-proxy", "127.0.0.1")
    with RawConnection(server.port) as client:
        client.send(HANDSHAKE.replace(b"Version: 13\r\n", b"Version: 8\r\nX-Forwarded-For: 192.0.2.1\r\n"))
        assert client.receive_all().startswith(b"HTTP/1.1 426 ")
    line = server.wait_for_log("handshake refused")
    assert line["client"] == "192.0.2.1"
    assert line["peer"].startswith("127.0.0.1:")
    with RawConnection(server.port).open(HANDSHAKE[:-2] + b"X-Forwarded-For: 2001:db8::1\r\n\r\n") as client:
        client.send(client_frame(3))
        client.receive_all()
    assert server.wait_for_log("protocol error")["client"] == "2001:db8::1"


# The PROXY protocol


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (LINE, ["192.0.2.1", 56324]),
        (BINARY, ["2001:db8::1", 56324]),
        *((header, None) for header in (LOCAL, b"PROXY UNKNOWN\r\n", LOCAL.replace(b"\x20", b"\x21"))),
    ],
)
def test_a_proxy_header_says_who_the_client_is(announced: RunningServer, header: bytes, client: list[object]) -> None:
    told = info(announced, "X-Forwarded-For: 203.0.113.9", preface=header)
    # Where the PROXY header names no client, nobody knows who sent the header fields. The proxy did not look at them.
    assert told["client"] == (client or told["peer"])
    assert told["peer"][0] == "127.0.0.1"


@pytest.mark.parametrize("header", [LINE, BINARY, LOCAL, b"PROXY UNKNOWN\r\n"])
@pytest.mark.parametrize("pieces", ["at once", "byte by byte", "header alone"])
def test_a_websocket_opens_behind_a_header_however_it_is_cut(
    announced: RunningServer, header: bytes, pieces: str
) -> None:
    message = client_frame(TEXT, b"hello")
    sent = header + HANDSHAKE + message
    parts = {
        "at once": [sent],
        "byte by byte": [sent[at : at + 1] for at in range(len(sent))],
        "header alone": [header, HANDSHAKE, message],
    }
    with RawConnection(announced.port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts[pieces]:
            client.send(part)
        expected = SWITCHED + server_frame(TEXT, b"hello")
        assert client.receive(len(expected)) == expected


def test_a_client_that_is_itself_a_proxy_of_ours_is_believed(announced: RunningServer) -> None:
    chained = LINE.replace(b"192.0.2.1", b"10.0.0.7")
    assert info(announced, "X-Forwarded-For: 203.0.113.9", preface=chained)["client"] == ["203.0.113.9"]


def test_the_header_comes_before_tls(serve: Serve) -> None:
    server = serve("--trusted-proxy", "127.0.0.1", "--proxy-protocol", "--tls-self-signed")
    with RawConnection(server.port, preface=BINARY, tls=server.client_tls).open() as client:
        assert echoes(client)
    told = info(server, preface=LINE)
    assert (told["client"], told["scheme"]) == (["192.0.2.1", 56324], "https")


@pytest.mark.parametrize(
    ("sent", "source", "reason"),
    [
        (HANDSHAKE, "", "the connection does not begin with a PROXY header"),
        (LINE.replace(b"443", b"70000"), "", "the PROXY header's line is not protocol, two addresses and two ports"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", "", "the PROXY header is longer than 4096 bytes"),
        (b"PROXY TCP4 192.0.2.1", "", "the connection ended within its PROXY header"),
        (LINE + HANDSHAKE, STRANGER, "only trusted proxies may connect here"),
    ],
)
def test_a_connection_without_a_good_header_is_cut_and_counted(
    serve: Serve, sent: bytes, source: str, reason: str
) -> None:
    server = serve("--trusted-proxy", "127.0.0.1", "--proxy-protocol", "--admin-port", "0")
    with RawConnection(server.port, preface=LINE).open() as bystander:
        with RawConnection(server.port, source=source) as client:
            try:
                client.send(sent)
                client.half_close()
                assert client.receive_all() == b""
            except OSError:
                pass  # The server aborted the connection while the rest was still being sent.
        line = server.wait_for_log("connection refused")
        assert line["reason"] == reason
        assert line["peer"].startswith(source or "127.0.0.1")
        assert echoes(bystander)
    assert admin_metrics(server)[NO_HEADER] == 1


def admin_metrics(server: RunningServer) -> dict[str, float]:
    """Return the metrics from the admin port, which needs no PROXY header."""
    http_url, server.http_url = server.http_url, f"http://127.0.0.1:{server.listening['admin_port']}"
    try:
        return server.metrics()
    finally:
        server.http_url = http_url


@pytest.mark.parametrize("sent", [b"", LINE[:-1], BINARY[:20], LINE])
def test_a_header_that_does_not_come_is_waited_for_no_longer_than_a_handshake(serve: Serve, sent: bytes) -> None:
    server = serve(
        *("--trusted-proxy", "127.0.0.1", "--proxy-protocol", "--admin-port", "0", "--handshake-timeout", "1s"),
    )
    with RawConnection(server.port, preface=sent) as client, suppress(ConnectionResetError):
        assert client.receive_all() == b""
    abandoned = 'websocket_handshakes_total{outcome="abandoned",reason="timeout",status_class="none"}'
    wait_until(lambda: admin_metrics(server)[abandoned] == 1)


def test_a_reset_within_the_header_leaves_nothing(serve: Serve) -> None:
    server = serve("--trusted-proxy", "127.0.0.1", "--proxy-protocol", "--admin-port", "0")
    before = admin_metrics(server)["process_open_fds"]
    for length in (0, 1, 20, len(LINE)):
        RawConnection(server.port, preface=LINE[:length]).reset()
    # This connection is behind them in the queue. When the server has answered it, it has accepted the others.
    with RawConnection(server.port, preface=LINE).open():
        pass
    wait_until(lambda: admin_metrics(server)["process_open_fds"] <= before)


def test_a_stop_does_not_wait_for_headers(serve: Serve) -> None:
    server = serve("--trusted-proxy", "127.0.0.1", "--proxy-protocol")
    with RawConnection(server.port, preface=LINE[:10]) as client, RawConnection(server.port, preface=LINE).open():
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        with suppress(ConnectionResetError):
            assert client.receive_all() == b""


def test_the_health_probe_announces_itself(serve: Serve) -> None:
    for options in ((), ("--tls-self-signed",)):
        server = serve("--trusted-proxy", "127.0.0.1", "--proxy-protocol", *options)
        for setting, code in (("on", 0), ("off", 1)):
            names = {"PORT": str(server.port), "WSECHO_PROXY_PROTOCOL": setting}
            command = [sys.executable, "-m", "wsecho.processes.health_probe"]
            done = subprocess.run(command, cwd=ROOT, env=names, timeout=PATIENCE, check=False, capture_output=True)
            assert done.returncode == code, done.stderr


def test_the_header_says_that_the_client_spoke_tls(announced: RunningServer) -> None:
    body = BINARY[16:] + b"\x20\x00\x05\x01" + bytes(4)
    header = BINARY[:14] + struct.pack("!H", len(body)) + body
    told = info(announced, preface=header)
    assert (told["client"], told["scheme"], told["tls"]) == (["2001:db8::1", 56324], "https", None)
    assert info(announced, preface=BINARY)["scheme"] == "http"
    # The server believes only proxies that may connect.
    with RawConnection(announced.port, preface=header, source=STRANGER) as client, suppress(OSError):
        assert client.receive_all() == b""


# Connections of one address


def refusal(client: RawConnection) -> str:
    client.send(HANDSHAKE)
    return client.receive_all().decode()


def test_an_address_may_have_so_many_connections_and_no_more(serve: Serve) -> None:
    server = serve("--max-connections-per-address", "3")
    with ExitStack() as stack:
        first, *_ = [stack.enter_context(RawConnection(server.port).open()) for _ in range(3)]
        with RawConnection(server.port) as client:
            head, _, body = refusal(client).partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 429 Too Many Requests\r\n")
        assert {"Retry-After: 5", "Connection: close"} <= set(head.split("\r\n"))
        assert body == "too many connections are open from 127.0.0.1\n"
        assert server.wait_for_log("handshake refused")["status"] == 429
        # The address still gets pages, other addresses can connect, and open connections stay open.
        status, headers, _ = server.get("/health")
        assert (status, headers["connection"]) == (200, "close")
        assert echoes(stack.enter_context(RawConnection(server.port, source=STRANGER).open()))
        assert echoes(first)
        seen = server.metrics()
        assert seen[REFUSED] == 1
        assert seen['websocket_handshakes_total{outcome="refused",reason="address",status_class="4xx"}'] == 1
        first.socket.close()
        server.wait_for_metrics(websocket_active_connections=3)
        assert echoes(stack.enter_context(RawConnection(server.port).open()))


def test_silent_connections_of_one_address_are_limited_too(serve: Serve) -> None:
    server = serve("--max-connections-per-address", "2")
    with ExitStack() as stack:
        held = [stack.enter_context(RawConnection(server.port)) for _ in range(2 + ANSWERED_ABOVE_LIMIT)]
        for _ in range(20):
            with RawConnection(server.port) as client, suppress(ConnectionResetError):
                assert client.receive_all() == b""
        assert echoes(stack.enter_context(RawConnection(server.port, source=STRANGER).open()))
        for client in held[2:]:
            client.socket.close()
        wait_until(lambda: metrics_from(server, STRANGER)[REFUSED] == 20)
    server.wait_for_metrics(websocket_active_connections=0)
    assert server.metrics()[REFUSED] == 20


@pytest.mark.parametrize("options", [(), ("--tls-self-signed",)])
def test_those_far_beyond_the_limit_are_cut_once_whatever_they_send(serve: Serve, options: tuple[str, ...]) -> None:
    server = serve("--max-connections-per-address", "1", "--admin-port", "0", *options)
    with ExitStack() as stack:
        for _ in range(1 + ANSWERED_ABOVE_LIMIT):
            stack.enter_context(RawConnection(server.port))
        for _ in range(20):
            with RawConnection(server.port) as client, suppress(OSError):
                client.send(HANDSHAKE)
                assert client.receive_all() == b""
        assert echoes(stack.enter_context(RawConnection(server.port, source=STRANGER, tls=server.client_tls).open()))
        seen = admin_metrics(server)
        assert seen[REFUSED] == 20
        assert seen['websocket_handshakes_total{outcome="refused",reason="address",status_class="4xx"}'] == 0


def metrics_from(server: RunningServer, source: str) -> dict[str, float]:
    """Return the metrics of WebSockets, requested from another address."""
    with RawConnection(server.port, source=source) as client:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        lines = client.receive_all().decode().splitlines()
    return {name: float(value) for name, value in (line.split(" ") for line in lines if line.startswith("websocket_"))}


def handshake_for(client: str) -> bytes:
    return HANDSHAKE[:-2] + f"X-Forwarded-For: {client}\r\n\r\n".encode()


def test_behind_a_proxy_its_clients_are_counted_and_not_the_proxy(serve: Serve) -> None:
    server = serve("--max-connections-per-address", "2", "--trusted-proxy", "127.0.0.1")
    with ExitStack() as stack:
        for number in range(10):
            stack.enter_context(RawConnection(server.port).open(handshake_for(f"192.0.2.{number}")))
        stack.enter_context(RawConnection(server.port).open(handshake_for("192.0.2.1")))
        with RawConnection(server.port) as client:
            client.send(handshake_for("192.0.2.1"))
            answer = client.receive_all()
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert answer.endswith(b"from 192.0.2.1\n")
        # An IPv6 network of 64 bits is one client.
        for number in (1, 2):
            stack.enter_context(RawConnection(server.port).open(handshake_for(f"2001:db8::{number}")))
        with RawConnection(server.port) as client:
            client.send(handshake_for("2001:db8::3"))
            assert client.receive_all().endswith(b"from 2001:db8::/64\n")
        # A proxy's connection for the requests of many clients counts for none of them.
        with RawConnection(server.port) as client:
            for _ in range(5):
                client.send(b"GET /health HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n")
                head = b""
                while not head.endswith(b"\r\n\r\nok\n"):
                    head += client.receive(1)
                assert b"Connection: keep-alive" in head
            stack.enter_context(RawConnection(server.port).open(handshake_for("192.0.2.9")))
    server.wait_for_metrics(websocket_active_connections=0)
    with RawConnection(server.port).open(handshake_for("192.0.2.1")) as client:
        assert echoes(client)


def test_the_limit_knows_clients_by_their_proxy_header(serve: Serve) -> None:
    server = serve(
        *("--max-connections-per-address", "1", "--trusted-proxy", "127.0.0.1", "--proxy-protocol"),
    )
    with RawConnection(server.port, preface=LINE).open(), RawConnection(server.port, preface=BINARY).open() as other:
        with RawConnection(server.port, preface=LINE) as client:
            assert refusal(client).endswith("from 192.0.2.1\n")
        assert echoes(other)
