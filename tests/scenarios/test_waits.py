"""Waits and triggers."""

import time

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import closes_cleanly, request, scene
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer


def test_wait_leaves_the_handshake_unanswered(shared_server: RunningServer) -> None:
    before = time.monotonic()
    with scene(shared_server, "/ws/wait/300ms/message/a") as connection:
        # The event loop counts from the begin of its iteration.
        assert time.monotonic() - before >= 0.29
        assert connection.receive(3) == server_frame(TEXT, b"a")


def test_a_client_that_leaves_an_unanswered_handshake_leaves_nothing(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    abandoned = 'websocket_handshakes_total{outcome="abandoned",reason="by_scenario",status_class="none"}'
    for number, early in enumerate((b"", client_frame(TEXT, b"x" * 40_000)), start=1):
        with RawConnection(server.port) as connection:
            connection.send(request("/ws/wait/forever") + early)
        server.wait_for_metrics(**{abandoned: number})
    assert server.metrics()["websocket_connections_total"] == 0


def test_a_delay_holds_messages_and_answers_pings(shared_server: RunningServer) -> None:
    early = client_frame(TEXT, b"held") + client_frame(PING, b"p")
    # Longer than the client waits for anything.
    with scene(shared_server, "/ws/delay/15m", early=early) as connection:
        assert connection.receive(3) == server_frame(PONG, b"p")
    before = time.monotonic()
    with scene(shared_server, "/ws/delay/500ms", early=early) as connection:
        assert connection.receive(3) == server_frame(PONG, b"p")
        assert connection.receive(6) == server_frame(TEXT, b"held")
        assert time.monotonic() - before >= 0.49


def test_more_than_is_held_waits_in_the_socket(shared_server: RunningServer) -> None:
    messages = [bytes((number,)) * 50_000 for number in range(40)]
    with scene(shared_server, "/ws/delay/300ms") as connection:
        echoes = b"".join(server_frame(BINARY, message) for message in messages)
        for message in messages:
            connection.send(client_frame(BINARY, message, mask=bytes(4)))
        assert connection.receive(len(echoes)) == echoes


def test_a_close_during_a_delay_is_answered(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/delay/60/message/a") as connection:
        connection.send(client_frame(TEXT, b"held") + client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_close(1000, "")


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("url", "count"),
    [("/ws/after/3/close/1000", 3), ("/ws/after/9B/close/1000", 3), ("/ws/after/10B/close/1000", 4)],
)
def test_after_echoes_exactly_so_much(shared_server: RunningServer, url: str, count: int, early: bool) -> None:
    messages = [b"one", b"two", b"tri", b"for", b"fiv"]
    sent = b"".join(client_frame(TEXT, message) for message in messages)
    echoes = b"".join(server_frame(TEXT, message) for message in messages[:count])
    with scene(shared_server, url, early=sent if early else b"") as connection:
        if not early:
            connection.send(sent)
        closes_cleanly(connection, echoes + server_close(1000, ""), b"\x03\xe8")


def test_after_counts_fragmented_messages_and_pings_come_between(shared_server: RunningServer) -> None:
    sent = (
        client_frame(TEXT, b"a", fin=False)
        + client_frame(PING, b"p")
        + client_frame(CONTINUATION, b"b")
        + client_frame(TEXT, b"c")
    )
    echoed = server_frame(TEXT, b"a", fin=False) + server_frame(PONG, b"p") + server_frame(CONTINUATION, b"b")
    with scene(shared_server, "/ws/after/1/message/x/after/1/close/4000") as connection:
        for byte in sent:
            connection.send(bytes((byte,)))
        frames = echoed + server_frame(TEXT, b"x") + server_frame(TEXT, b"c") + server_close(4000, "")
        closes_cleanly(connection, frames, b"\x0f\xa0")


def test_after_a_time_a_message_in_progress_is_completed_first(shared_server: RunningServer) -> None:
    payload = b"y" * 100_000
    frame = client_frame(BINARY, payload)
    # The beginning comes with the handshake, because a busy client could send it too late.
    with scene(shared_server, "/ws/after/200ms/message/x/close/4000", early=frame[:50_000]) as connection:
        started = connection.receive(40_000)
        # Longer than the trigger waits, however busy the machine is: only then does the rest follow.
        time.sleep(0.5)
        connection.send(frame[50_000:])
        expected = server_frame(BINARY, payload) + server_frame(TEXT, b"x") + server_close(4000, "")
        rest = connection.receive(len(expected) - len(started))
        assert started + rest == expected


def test_an_echo_of_a_scenario_is_compressed_as_any_other(shared_server: RunningServer) -> None:
    field = "Sec-WebSocket-Extensions: permessage-deflate"
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/after/1/close/4000", field))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.receive(1)
        assert b"\r\nSec-WebSocket-Extensions: permessage-deflate" in head
        compressed = bytes.fromhex("f248cdc9c90700")  # RFC 7692 section 7.2.3.1
        connection.send(client_frame(TEXT, compressed, reserved=4))
        echo = bytes((0xC1, len(compressed))) + compressed
        closes_cleanly(connection, echo + server_close(4000, ""), b"\x0f\xa0")


def test_a_violation_ends_the_scenario(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/after/5/close/4000") as connection:
        connection.send(client_frame(TEXT, b"ok") + client_frame(TEXT, b"\xff") + client_frame(TEXT, b"no"))
        answer = connection.receive_all()
        assert answer.startswith(server_frame(TEXT, b"ok") + b"\x88")
        assert answer[6:8] == (1007).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("steps", "frames"),
    [
        ("close", server_close(4000, "why")),
        ("delay/100ms/close", server_close(4000, "why")),
        ("message/late/close", server_frame(TEXT, b"late") + server_close(4000, "why")),
        ("message/late", server_frame(TEXT, b"late") + server_close(4000, "why")),
        ("close/1001", server_close(1001, "")),
        ("close-empty", server_frame(CLOSE)),
        ("end", b""),
    ],
)
def test_on_close_leaves_the_answer_to_the_steps_behind_it(
    shared_server: RunningServer, steps: str, frames: bytes
) -> None:
    closing = client_frame(TEXT, b"last") + client_frame(CLOSE, (4000).to_bytes(2, "big") + b"why")
    # What follows a Close frame is no part of the connection (RFC 6455 section 5.5.1).
    behind = client_frame(PING, b"late") + client_frame(TEXT, b"late")
    with scene(shared_server, f"/ws/on-close/{steps}") as connection:
        connection.send(client_frame(TEXT, b"first"))
        assert connection.receive(7) == server_frame(TEXT, b"first")
        connection.send(closing + behind)
        assert connection.receive_all() == server_frame(TEXT, b"last") + frames


def test_a_close_frame_before_on_close_is_kept_for_it(shared_server: RunningServer) -> None:
    early = client_frame(TEXT, b"held") + client_frame(CLOSE, b"\x03\xe8")
    with scene(shared_server, "/ws/message/a/delay/100ms/on-close/message/b/close", early=early) as connection:
        frames = server_frame(TEXT, b"a") + server_frame(TEXT, b"held") + server_frame(TEXT, b"b")
        assert connection.receive_all() == frames + server_close(1000, "")


def test_a_client_that_waits_for_the_answer_is_not_pinged(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--ping-interval", "100ms", "--ping-timeout", "100ms")
    # The Close frame comes with the handshake, because a busy client could send it after the first ping.
    with scene(server, "/ws/on-close/delay/2s/close", early=client_frame(CLOSE, b"\x03\xe8")) as connection:
        assert connection.receive_all() == server_close(1000, "")


@pytest.mark.parametrize(("url", "text"), [("/ws/on/by%C3%A9", "byé".encode()), ("/ws/on/hex:", b"")])
def test_on_waits_for_exactly_this_text(shared_server: RunningServer, url: str, text: bytes) -> None:
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    near = (
        *(client_frame(TEXT, text + b"e"), client_frame(BINARY, text), client_frame(TEXT, b"e" + text)),
        client_frame(TEXT, b"x" * 100_000, mask=bytes(4)),
    )
    echoes = server_frame(TEXT, text + b"e") + server_frame(BINARY, text) + server_frame(TEXT, b"e" + text)
    echoes += server_frame(TEXT, b"x" * 100_000)
    whole = client_frame(TEXT, text[:2], fin=False) + client_frame(CONTINUATION, text[2:])
    with scene(shared_server, f"{url}/message/here/close/4000", offer) as connection:
        connection.send(b"".join(near) + whole + client_frame(TEXT, b"late"))
        echoes += server_frame(TEXT, text[:2], fin=False) + server_frame(CONTINUATION, text[2:])
        closes_cleanly(connection, echoes + server_frame(TEXT, b"here") + server_close(4000, ""), b"\x0f\xa0")
