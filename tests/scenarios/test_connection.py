"""The connection of a scenario around its steps: what it says of itself, limits, slow readers, the drain, what is left.

Modules: `connection`, `websocket`, `opening`, `wire`, `scenario`, `incoming`, `outgoing`, `reading`, `changes`,
`endings`, `headers`, `shaping`, `peer`.
"""

import json
import os
import select
import signal
import threading
from pathlib import Path
from time import monotonic

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import head, request, scene
from tests.shared.frames import CLOSE, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import RawConnection, exchange
from tests.shared.server import PATIENCE, RunningServer


def test_the_answer_says_which_scenario_it_is(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/delay/0/message/a?seed=12&key=said") as connection:
        assert connection.told["scenario"] == "/ws/delay/0s/message/a?key=said&seed=12"
        assert (connection.told["seed"], connection.told["attempt"]) == ("12", "1")
        first = connection.told["connection"]
    with scene(shared_server, "/ws/delay/0/message/a?key=said") as connection:
        assert connection.told["attempt"] == "2"
        assert connection.told["connection"] != first


def test_a_long_scenario_is_not_said(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/message/" + "a" * 1100))
        answer = head(connection)
        assert "Wsecho-Scenario" not in answer
        assert "Wsecho-Seed" in answer


def test_phases_by_key_and_without_one_by_url(serve: Serve) -> None:
    server = serve()
    for url in (
        "/ws/times/2/reject/503/next?key=a",
        "/ws/times/2/reject/503/next?key=b",
        "/ws/times/2/reject/503/next",
    ):
        assert [exchange(server, request(url)).split()[1] for _ in range(2)] == [b"503"] * 2
        with scene(server, url, early=client_frame(TEXT, b"a")) as connection:
            assert connection.told["attempt"] == "3"
            assert connection.receive(3) == server_frame(TEXT, b"a")


def test_a_slow_reader_is_waited_for_and_cut_off(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--stall-timeout", "200ms")
    with RawConnection(server.port, receive_buffer=4096) as connection:
        connection.send(request("/ws/message/size:16MiB/message/size:16MiB/close"))
        head(connection)
        server.wait_for_metrics(**{'websocket_timeouts_total{limit="stall"}': 1, "websocket_active_connections": 0})


def test_a_silent_client_is_pinged_unless_the_url_says_no(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--ping-interval", "100ms", "--ping-timeout", "100ms")
    with scene(server, "/ws/delay/60") as connection, scene(server, "/ws/delay/60?pings=off") as quiet:
        assert connection.receive(2) == bytes((0x80 | PING, 8))
        assert connection.receive(8)
        quiet.send(client_frame(PING, b"still here"))
        assert quiet.receive(12) == server_frame(PONG, b"still here")


def test_short_frames_that_wait_are_bounded_by_their_number(shared_server: RunningServer) -> None:
    frames = 5000
    with scene(shared_server, "/ws/delay/500ms") as connection:
        connection.send(client_frame(TEXT, b"") * frames + client_frame(PING, b"?"))
        # The server has stopped to read, so that the ping does not overtake them.
        expected = server_frame(TEXT, b"") * frames + server_frame(PONG, b"?")
        assert connection.receive(len(expected)) == expected


def test_limits_of_age_hold(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--max-lifetime", "300ms")
    with scene(server, "/ws/delay/60/message/never", early=client_frame(TEXT, b"held")) as connection:
        frames = server_frame(TEXT, b"held") + server_close(1001, "connection has reached its maximum age")
        assert connection.receive(len(frames)) == frames
        connection.send(client_frame(CLOSE, b"\x03\xe9"))
        assert connection.receive_all() == b""


def test_the_limit_of_age_holds_for_a_handshake_that_is_not_answered(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--max-lifetime", "300ms")
    for url in ("/ws/wait/forever?key=age", "/ws/wait/60/reject/503?key=age", "/ws/handshake/truncated?keep&key=age"):
        with RawConnection(server.port) as connection:
            connection.send(request(url))
            connection.receive_all()
    seen = json.loads(server.get("/seen?key=age")[2])
    assert [one["tcp"]["timeout"] for one in seen["connections"]] == [True] * 3
    assert server.metrics()['websocket_timeouts_total{limit="lifetime"}'] == 3


def test_a_drain_ends_every_scenario(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with (
        scene(server, "/ws/delay/60/message/never") as delayed,
        scene(server, "/ws/after/5/close") as echoing,
        RawConnection(server.port) as waiting,
    ):
        waiting.send(request("/ws/wait/forever"))
        server.wait_for_metrics(**{'wsecho_scenarios_total{step="wait"}': 1})
        server.process.send_signal(signal.SIGTERM)
        assert waiting.receive_all().startswith(b"HTTP/1.1 503 ")
        for connection in (delayed, echoing):
            frame = server_close(1001, "server is shutting down")
            assert connection.receive(len(frame)) == frame
            connection.send(client_frame(CLOSE, b"\x03\xe9"))
            assert connection.receive_all() == b""
    assert server.wait() == 0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
def test_clients_that_leave_in_any_state_leave_nothing(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws/delay/0"):
        pass
    server.wait_for_metrics(websocket_active_connections=0)
    descriptors = Path(f"/proc/{server.pid}/fd")
    before = len(os.listdir(descriptors))
    urls = (
        *(
            "/ws/delay/60",
            "/ws/after/9",
            "/ws/message/size:1MiB/delay/60",
            "/ws/close/1000",
            "/ws/end",
            "/ws/wait/forever",
        ),
        *("/ws/after/60/close", "/ws/bytes/hex:00", "/ws/message/a"),
        *("/ws?latency=1s&jitter=1s", "/ws?chunk=1", "/ws?fragment=1&drop=50", "/ws/flood/100000/10KiB?rate=64KiB"),
        *("/ws/flood/100000/10KiB", "/ws/tick/1s", "/ws/sink", "/ws/burst/100/64KiB/close?latency=1s"),
        *("/ws/close-hold/1000", "/ws/close-cross/4000", "/ws/on-close/mute", "/ws/on/never", "/ws/on-ping/close"),
        *("/ws/cut", "/ws/freeze", "/ws/mute", "/ws/idle/15m", "/ws/stall", "/ws?pong=15m", "/ws/ping-flood/1000"),
    )
    leaving = (RawConnection.reset, RawConnection.half_close, lambda connection: connection.socket.close())
    for url in urls:
        for leave in leaving:
            for frames in (b"", client_frame(TEXT, b"x" * 200)[:-1], client_frame(TEXT, b"x" * 100_000, mask=bytes(4))):
                with RawConnection(server.port) as connection:
                    connection.send(request(url) + frames)
                    if "forever" not in url:
                        head(connection)
                    leave(connection)
    server.wait_for_metrics(websocket_active_connections=0)
    # A client from which nothing is read is noticed after two seconds.
    deadline = monotonic() + PATIENCE
    while len(os.listdir(descriptors)) > before and monotonic() < deadline:
        threading.Event().wait(0.01)
    assert len(os.listdir(descriptors)) <= before


@pytest.mark.skipif(not hasattr(select, "POLLRDHUP"), reason="the system does not tell that a peer has ended its side")
def test_a_client_that_leaves_while_nothing_is_read_is_noticed(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    # More than is held, so that the server has stopped reading, and little enough for the rest to fit in the kernel.
    with scene(server, "/ws/delay/15m") as connection:
        connection.send(client_frame(TEXT, b"x" * 90_000, mask=bytes(4)))
    server.wait_for_metrics(websocket_active_connections=0)
