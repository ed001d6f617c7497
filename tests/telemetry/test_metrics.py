"""The values of metrics and their labels: they equal what happened on the wire, and no client can add a series."""

import contextlib
import os
import platform
import random
import resource
import signal
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Serve
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, client_frame, server_close, server_frame
from tests.shared.memory import resident_memory
from tests.shared.processes import children, wait_until
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import RunningServer
from wsecho import __version__
from wsecho.telemetry import metrics


def test_connections_count_from_their_101_to_their_end(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    assert server.metrics()["websocket_connections_total"] == 0
    with RawConnection(server.port) as begun:
        begun.send(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n")
        with RawConnection(server.port).open(), RawConnection(server.port).open():
            server.wait_for_metrics(
                websocket_connections_total=2,
                websocket_active_connections=2,
                websocket_connection_duration_seconds_count=0,
            )
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen["websocket_connections_total"] == seen["websocket_connection_duration_seconds_count"] == 2
    assert 0 < seen["websocket_connection_duration_seconds_sum"] < 60


def test_refused_handshakes_and_pages_are_no_connections(serve: Serve) -> None:
    server = serve()
    server.get("/")
    server.get("/ws")
    server.get("/nowhere", Upgrade="websocket")
    assert server.metrics()["websocket_connections_total"] == 0


def test_messages_count_once_with_their_payloads_bytes(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with RawConnection(server.port).open() as connection:
        frames = (
            client_frame(TEXT, b"x" * 64)
            + client_frame(BINARY, b"x" * 65)
            + client_frame(TEXT)
            + client_frame(TEXT, b"12", fin=False)
            + client_frame(PING, b"not a message")
            + client_frame(CONTINUATION, b"34", fin=False)
            + client_frame(CONTINUATION, b"5")
        )
        connection.send(frames)
        connection.receive(len(frames) - 7 * 4)
        seen = server.wait_for_metrics(websocket_messages_received_total=4, websocket_messages_sent_total=4)
    assert seen["websocket_message_size_bytes_count"] == 4
    assert seen["websocket_message_size_bytes_sum"] == 64 + 65 + 0 + 5
    assert seen['websocket_message_size_bytes_bucket{le="64.0"}'] == 3
    assert seen['websocket_message_size_bytes_bucket{le="256.0"}'] == 4


def test_a_message_counts_when_its_last_byte_has_come(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    payload = b"x" * 100_000
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(BINARY, payload)[:-1])
        reply = server_frame(BINARY, payload)
        assert connection.receive(len(reply) - 1) == reply[:-1]
        seen = server.metrics()
        assert seen["websocket_messages_received_total"] == seen["websocket_messages_sent_total"] == 0
        connection.send(client_frame(BINARY, payload)[-1:])
        connection.receive(1)
        server.wait_for_metrics(websocket_messages_received_total=1, websocket_messages_sent_total=1)


def test_after_every_client_has_left_the_counters_agree(serve: Serve, codec_name: str) -> None:
    """However the clients left: with a closing handshake, by a reset, in the middle of a message, or closed by the
    server.
    """
    server = serve("--codec", codec_name)
    message, count = client_frame(TEXT, b"counted"), 0
    for number in range(60):
        with RawConnection(server.port).open() as client:
            client.send(message * number)
            assert client.receive(9 * number) == server_frame(TEXT, b"counted") * number
            count += number
            match number % 6:
                case 0:
                    client.send(client_frame(CLOSE))
                    assert client.receive_all() == server_frame(CLOSE)
                case 1:
                    client.half_close()
                    assert client.receive_all() == b""
                case 2:
                    client.send(client_frame(BINARY, bytes(500_000))[:100_000])
                    client.reset()
                case 3:
                    client.send(client_frame(TEXT, b"half a message", fin=False))
                    client.reset()
                case 4:
                    client.send(client_frame(TEXT, b"\xff"))
                    assert client.receive_all() == server_close(1007, "text is not valid UTF-8")
                case 5:
                    client.send(client_frame(TEXT, b"half a header")[:1])
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen["websocket_connections_total"] == seen["websocket_connection_duration_seconds_count"] == 60
    assert seen["websocket_messages_received_total"] == seen["websocket_messages_sent_total"] == count
    assert seen["websocket_message_size_bytes_sum"] == count * len("counted")


def test_no_client_can_add_a_series(serve: Serve) -> None:
    """100,000 requests with everything that a peer can choose: paths, methods, headers, subprotocols, close codes."""
    server = serve()
    chance = random.Random(1)
    with RawConnection(server.port) as connection:
        for _ in range(100):
            requests = [_request(chance) for _ in range(950)]
            connection.send(b"".join(requests) + b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            _read_answers(connection, len(requests) + 1)
    for _ in range(5000):
        with RawConnection(server.port) as client:
            client.send(_handshake(chance))
            if client.receive(12) == b"HTTP/1.1 101":
                code = chance.randrange(1 << 16).to_bytes(2, "big")
                client.send(client_frame(CLOSE, code + bytes(chance.choices(range(128), k=5))))
            client.receive_all()
    server.wait_for_metrics(websocket_active_connections=0)
    page = server.get("/metrics")[2].decode()
    closed = {
        (metric.name.replace(".", "_"), label.replace(".", "_")): {*values, ""}
        for metric in (*metrics.METRICS, *metrics.HISTOGRAMS)
        for label, values in metrics.LABEL_VALUES.get(metric.name, {}).items()
    }
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            for label, value in sample.labels.items():
                name = family.name.removesuffix("_seconds") if family.name.startswith("http") else family.name
                known = closed.get((name, label)) or closed.get((f"{name}_total", label))
                ours = family.name in ("target_info", "wsecho_build_info", "wsecho_worker_up") or label == "le"
                assert ours or value in known, (family.name, label, value)
    assert len(page.splitlines()) < 2000


def test_the_page_describes_the_processes_of_the_server(serve: Serve) -> None:
    began = time.time()
    server = serve("--workers", "2", "--codec", "python")
    seen = server.metrics()
    build = f'wsecho_build_info{{codec="python",python="{platform.python_version()}",version="{__version__}"}}'
    assert seen[build] == seen['wsecho_worker_up{worker="0"}'] == seen['wsecho_worker_up{worker="1"}'] == 1
    assert abs(seen["process_start_time_seconds"] - began) < 60
    assert seen["process_cpu_seconds_total"] > 0.01
    assert seen["process_max_fds"] == resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    memory = sum(resident_memory(pid) for pid in (server.pid, *children(server.pid)))
    assert seen["process_resident_memory_bytes"] == pytest.approx(memory, rel=0.1)
    descriptors = seen["process_open_fds"]
    with RawConnection(server.port).open(), RawConnection(server.port).open():
        # The scrape itself uses one file descriptor in every measurement, once the connection of the previous one is
        # closed.
        server.wait_for_metrics(process_open_fds=descriptors + 2)


def test_a_worker_that_died_takes_its_connections_out_and_nothing_else() -> None:
    server = RunningServer("--workers", "2")
    with contextlib.ExitStack() as held:
        held.callback(server.close)
        clients = [held.enter_context(RawConnection(server.port).open()) for _ in range(20)]
        for client in clients:
            client.send(client_frame(TEXT, b"x"))
            client.receive(3)
        before = server.metrics()
        victim = children(server.pid)[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in children(server.pid))
        seen = server.wait_for_metrics(wsecho_worker_restarts_total=1)
        lost = seen["websocket_lost_connections_total"]
        assert 0 < lost < 20
        assert seen["websocket_active_connections"] == 20 - lost
        unchanged = ("websocket_connections_total", "websocket_messages_sent_total", "websocket_message_size_bytes_sum")
        assert {name: seen[name] for name in unchanged} == {name: before[name] for name in unchanged}
        for client in clients:
            client.socket.close()
        seen = server.wait_for_metrics(websocket_active_connections=0)
        assert seen["websocket_connection_duration_seconds_count"] + lost == 20


def _request(chance: random.Random) -> bytes:
    method = chance.choice(["GET", "POST", "OPTIONS", "PROPFIND", "DELETE"])
    path = chance.choice(
        ["/", "/health", "/ready", f"/{chance.getrandbits(64):x}", f"/info?{chance.getrandbits(64):x}"]
    )
    name, value = (f"{chance.getrandbits(32):x}" for _ in range(2))
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\nX-{name}: {value}\r\n\r\n".encode()


def _handshake(chance: random.Random) -> bytes:
    changes = {
        b"GET / ": f"GET /{chance.getrandbits(64):x} ".encode(),
        b"\r\n\r\n": f"\r\nSec-WebSocket-Protocol: p{chance.getrandbits(64):x}\r\n\r\n".encode(),
        b"Version: 13": b"Version: %d" % chance.randrange(20),
        b"GET": chance.choice([b"POST", b"PUT", b"PATCH"]),
        b"HTTP/1.1": b"HTTP/1.0",
    }
    handshake = HANDSHAKE
    for old in chance.sample(list(changes), chance.choice([0, 1, 1, 2])):
        handshake = handshake.replace(old, changes[old])
    return handshake


def _read_answers(connection: RawConnection, count: int) -> None:
    stream = connection.socket.makefile("rb")
    for _ in range(count):
        assert stream.readline().startswith(b"HTTP/1.1 ")
        length = 0
        while (line := stream.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        stream.read(length)
