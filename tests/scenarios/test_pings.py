"""Ping and Pong frames, to the byte. Modules: `pings`, `pongs`."""

import time

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import closes_cleanly, scene
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.server import RunningServer
from wsecho.scenarios.language.data import generated


@pytest.mark.parametrize(
    ("url", "frames"),
    [
        ("/ws/ping", server_frame(PING)),
        ("/ws/ping/hello", server_frame(PING, b"hello")),
        ("/ws/ping/hex:00ff/pong/b64:AP8", server_frame(PING, b"\x00\xff") + server_frame(PONG, b"\x00\xff")),
        ("/ws/ping/size:125", server_frame(PING, generated(1, 125))),
        ("/ws/pong", server_frame(PONG)),
        ("/ws/message/a/pong/unasked", server_frame(TEXT, b"a") + server_frame(PONG, b"unasked")),
        (
            "/ws/ping-between",
            server_frame(TEXT, b"Hel", fin=False) + server_frame(PING, b"between") + server_frame(CONTINUATION, b"lo"),
        ),
        (
            "/ws/ping-flood/250/message/after",
            b"".join(server_frame(PING, b"%d" % number) for number in range(1, 251)) + server_frame(TEXT, b"after"),
        ),
    ],
)
def test_what_is_sent_first_and_then_the_echo(shared_server: RunningServer, url: str, frames: bytes) -> None:
    with scene(shared_server, url, early=client_frame(TEXT, b"early")) as connection:
        assert connection.receive(len(frames)) == frames
        # Pongs are for pings of the steps, and for none.
        connection.send(client_frame(PONG, b"hello") + client_frame(PONG, b"other"))
        assert connection.receive(7) == server_frame(TEXT, b"early")


def test_a_ping_has_a_longest_payload_and_a_flood_a_budget(server: RunningServer) -> None:
    assert server.get("/ws/ping/size:126")[0] == 400
    assert server.get("/ws/ping-flood/1000001")[0] == 400
    assert server.get("/ws/ping-flood/600000/ping-flood/600000")[0] == 400


def test_others_are_served_during_a_flood(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/ping-flood/300000") as flooded, scene(shared_server, "/ws/delay/0") as other:
        flooded.receive(100)
        for _ in range(10):
            other.send(client_frame(TEXT, b"a"))
            assert other.receive(3) == server_frame(TEXT, b"a")


def test_on_ping_goes_on_behind_the_ping(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/on-ping/message/pinged/on-ping/close/1001") as connection:
        sent = client_frame(TEXT, b"a") + client_frame(PING, b"p") + client_frame(TEXT, b"b") + client_frame(PING)
        connection.send(sent)
        frames = server_frame(TEXT, b"a") + server_frame(PONG, b"p") + server_frame(TEXT, b"pinged")
        frames += server_frame(TEXT, b"b") + server_frame(PONG) + server_close(1001, "")
        closes_cleanly(connection, frames, b"\x03\xe9")


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("off", b""),
        ("wrong", server_frame(PONG, bytes((0xFF, 0x00, 0x9E)))),
        ("empty", server_frame(PONG)),
        ("0s", server_frame(PONG, b"\x00\xffa")),
    ],
)
@pytest.mark.parametrize("path", ["/ws", "/ws/delay/60/", "/ws/on-ping/message/z", "/ws/on-close/close", "/ws/mute"])
def test_the_pong_that_the_url_asks_for(shared_server: RunningServer, path: str, option: str, answer: bytes) -> None:
    expected = answer + (server_frame(TEXT, b"z") if "message" in path else b"")
    with scene(shared_server, f"{path.removesuffix('/')}?pong={option}") as connection:
        connection.send(client_frame(PING, b"\x00\xffa"))
        assert connection.receive(len(expected)) == expected
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_close(1000, "")


def test_a_wrong_pong_to_an_empty_ping_is_not_empty(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws?pong=wrong") as connection:
        connection.send(client_frame(PING))
        assert connection.receive(3) == server_frame(PONG, b"\xff")


def test_late_pongs_come_in_order_and_between_frames(shared_server: RunningServer) -> None:
    payload = b"x" * 100_000
    frame, echo = client_frame(BINARY, payload, mask=bytes(4)), server_frame(BINARY, payload)
    before = time.monotonic()
    with scene(shared_server, "/ws?pong=300ms") as connection:
        connection.send(client_frame(PING, b"one") + client_frame(PING, b"two") + frame[:50_000])
        started = connection.receive(40_000)
        # Longer than the pongs take: they must not come into the frame.
        time.sleep(max(0.0, before + 0.6 - time.monotonic()))
        connection.send(frame[50_000:])
        pongs = server_frame(PONG, b"one") + server_frame(PONG, b"two")
        rest = connection.receive(len(echo) + len(pongs) - len(started))
        assert started + rest == echo + pongs
        connection.send(client_frame(PING, b"three"))
        assert connection.receive(7) == server_frame(PONG, b"three")
        # The event loop counts from the begin of its iteration.
        assert time.monotonic() - before >= 0.89


def test_only_so_many_pings_wait_for_a_late_pong(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws?pong=1s") as connection:
        connection.send(b"".join(client_frame(PING, b"%03d" % number) for number in range(100)))
        pongs = b"".join(server_frame(PONG, b"%03d" % number) for number in range(36, 100))
        assert connection.receive(len(pongs)) == pongs


def test_nothing_is_sent_behind_a_close_frame(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws?pong=100ms") as connection:
        connection.send(client_frame(PING) + client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_close(1000, "")


@pytest.mark.parametrize("option", ["off", "wrong", "1s"])
def test_a_ping_that_breaks_a_rule_is_refused(shared_server: RunningServer, option: str) -> None:
    with scene(shared_server, f"/ws?pong={option}") as connection:
        connection.send(client_frame(PING, b"a", fin=False))
        assert connection.receive_all()[2:4] == (1002).to_bytes(2, "big")


def test_a_frozen_peer_sends_no_late_pong(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/after/1/freeze?pong=200ms") as connection:
        connection.send(client_frame(PING) + client_frame(TEXT, b"a"))
        assert connection.receive(3) == server_frame(TEXT, b"a")
        connection.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.receive(1)


def test_errors_name_what_the_option_accepts(server: RunningServer) -> None:
    status, _, body = server.get("/ws?pong=sometimes")
    assert (status, body.decode()) == (
        400,
        "the option 'pong', 'sometimes', is not off, wrong, empty, or a duration such as 500ms, 2s or 5m\n",
    )


def test_pings_of_the_client_are_counted_whatever_the_answer(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws?pong=off") as connection:
        connection.send(client_frame(PING) + client_frame(CLOSE, b"\x03\xe8"))
        connection.receive_all()
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics["websocket_wire_received_bytes_total"] == 6 + 8
    assert metrics["websocket_wire_sent_bytes_total"] == 4
