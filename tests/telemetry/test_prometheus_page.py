"""The metrics page: names, formats, and numbers that equal what happened on the wire."""

import asyncio
import contextlib
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Serve
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, client_frame, server_close, server_frame
from tests.shared.memory import resident_memory
from tests.shared.processes import children, used_seconds, wait_until
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import RunningServer
from wsecho import __version__
from wsecho.counting.shared_page import SharedPage
from wsecho.telemetry import metrics
from wsecho.telemetry.prometheus_page import PrometheusPage

COUNTERS = {
    "websocket_connections_total",
    "websocket_messages_received_total",
    "websocket_messages_sent_total",
}
HISTOGRAMS = {"websocket_message_size_bytes", "websocket_connection_duration_seconds"}
PROMETHEUS_ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def test_the_six_metrics_have_exactly_their_names_and_no_labels(server: RunningServer) -> None:
    status, headers, body = server.get("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    types = dict(line.split()[2:4] for line in body.decode().splitlines() if line.startswith("# TYPE"))
    charter = {
        "websocket_active_connections": "gauge",
        **dict.fromkeys(COUNTERS, "counter"),
        **dict.fromkeys(HISTOGRAMS, "histogram"),
    }
    assert charter.items() <= types.items()
    for name in COUNTERS | {"websocket_active_connections"}:
        assert f"\n{name} " in body.decode()


def test_openmetrics_is_given_to_those_who_ask_for_it(server: RunningServer) -> None:
    for accept in (
        PROMETHEUS_ACCEPT,
        'Application/OpenMetrics-Text; version="99.0"',
        "application/openmetrics-text;q=x",
    ):
        _, headers, body = server.get("/metrics", Accept=accept)
        assert headers["content-type"] == (
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
        )
    assert body.endswith(b"# EOF\n")
    families = {family.name: family for family in parse_openmetrics(body.decode())}
    names = {name.removesuffix("_total") for name in COUNTERS} | HISTOGRAMS | {"websocket_active_connections"}
    assert names <= families.keys()
    assert families["websocket_message_size_bytes"].unit == "bytes"
    assert families["websocket_connection_duration_seconds"].unit == "seconds"


@pytest.mark.parametrize(
    "accept",
    [
        *("text/plain;version=1..", "text/plain;version=x", "*/*", "a" * 4000, ";;;=,", "\xe9"),
        *("application/openmetrics-text;q=0", "text/plain, application/openmetrics-text;q=0.1"),
    ],
)
def test_whatever_is_asked_for_gets_a_page_in_a_known_format(server: RunningServer, accept: str) -> None:
    status, headers, _ = server.get("/metrics", Accept=accept)
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_promtool_finds_nothing_to_complain_about(server: RunningServer) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package: prometheus)")
    page = server.get("/metrics")[2]
    check = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_a_real_prometheus_scrapes_every_metric(server: RunningServer, tmp_path: Path) -> None:
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.skip("prometheus is not installed (Debian package: prometheus)")
    from tests.shared.prometheus import RunningPrometheus

    with RunningPrometheus(prometheus, tmp_path, server.port) as running:
        assert running.wait_for_value("up") == 1
        for name in COUNTERS | {"websocket_active_connections"} | {f"{name}_count" for name in HISTOGRAMS}:
            assert running.wait_for_value(name) == server.metrics()[name]


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


def test_after_every_client_has_gone_the_books_balance(serve: Serve, codec_name: str) -> None:
    """However the clients went: orderly, by a reset, in the middle of a message, or thrown out."""
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


def test_every_scrape_is_consistent_while_messages_flow(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with RawConnection(server.port).open() as connection:
        last = 0.0
        for _ in range(30):
            connection.send(client_frame(TEXT, b"tick") * 50)
            seen = server.metrics()
            assert seen["websocket_messages_received_total"] >= seen["websocket_messages_sent_total"] >= last
            last = seen["websocket_messages_sent_total"]


def test_a_crowd_that_asks_for_the_metrics_shares_two_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[SharedPage] = []
    take = SharedPage.totals
    monkeypatch.setattr(SharedPage, "totals", lambda shared_page: looks.append(shared_page) or take(shared_page))

    async def crowd() -> list[tuple[str, bytes]]:
        telemetry = PrometheusPage(SharedPage(1), Resource.get_empty())
        impatient = asyncio.create_task(telemetry.page(""))
        first = asyncio.create_task(telemetry.page(""))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        later = [asyncio.create_task(telemetry.page("")) for _ in range(100)]
        impatient.cancel()
        return await asyncio.gather(first, *later)

    assert all(page.endswith(b"\n") for _, page in asyncio.run(crowd()))
    assert len(looks) == 2


def test_who_has_gone_is_made_no_metrics_page(serve: Serve) -> None:
    server = serve()
    before = used_seconds(server.pid)
    for _ in range(100):
        server.metrics()
    made = used_seconds(server.pid)
    for _ in range(5):
        crowd = [RawConnection(server.port) for _ in range(200)]
        for client in crowd:
            client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        for client in crowd:
            client.socket.close()
    assert server.metrics()["websocket_connections_total"] == 0
    # A thousand clients have come and gone for less than a thousand pages would cost.
    assert used_seconds(server.pid) - made < 5 * (made - before)


def test_no_client_can_add_a_series(serve: Serve) -> None:
    """100,000 requests with whatever a peer may choose: paths, methods, headers, subprotocols, close codes."""
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


def test_the_page_tells_of_the_processes_behind_it(serve: Serve) -> None:
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
        # What asks is one of them, each time, as soon as the one before it has ended.
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
