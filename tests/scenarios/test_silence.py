"""Peers that are half dead, to the byte and to the packet."""

import signal
import ssl
import sys
from time import monotonic

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import Scene, closes_cleanly, is_silent, scene
from tests.shared.frames import BINARY, CLOSE, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.server import RunningServer
from wsecho.scenarios.run.endings import may_vanish


def test_freeze_answers_nothing(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/message/a/after/1/freeze") as connection:
        connection.send(client_frame(TEXT, b"b") + client_frame(TEXT, b"c"))
        frames = server_frame(TEXT, b"a") + server_frame(TEXT, b"b")
        assert connection.receive(len(frames)) == frames
        connection.send(client_frame(PING) + client_frame(TEXT, b"d") + client_frame(CLOSE, b"\x03\xe8"))
        connection.half_close()
        assert is_silent(connection)


def test_freeze_reads_nothing_and_sends_no_ping(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--ping-interval", "100ms", "--ping-timeout", "100ms")
    with scene(server, "/ws/freeze") as connection:
        connection.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            connection.send(bytes(64 << 20))
        assert is_silent(connection)


def test_a_drain_ends_a_frozen_connection(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--drain-timeout", "10m")
    with scene(server, "/ws/freeze") as connection:
        server.process.send_signal(signal.SIGTERM)
        closes_cleanly(connection, server_close(1001, "server is shutting down"), b"\x03\xe9")
    assert server.wait() == 0


def test_vanish_sends_no_packet_and_resets_what_comes(shared_server: RunningServer, tls_server: RunningServer) -> None:
    for server in (shared_server, tls_server):
        with scene(server, "/ws/message/a/vanish") as connection:
            assert connection.receive(3) == server_frame(TEXT, b"a")
            if not may_vanish():
                assert connection.told["privilege"] == "lacking"
                continue
            assert connection.told["privilege"] == "granted"
            server.wait_for_metrics(websocket_active_connections=0)
            assert is_silent(connection)
            connection.send(client_frame(TEXT, b"b"))
            # Python's TLS tells a reset as an end.
            with pytest.raises((ConnectionResetError, ssl.SSLEOFError)):
                connection.receive_all()


def test_vanish_sends_no_reset_for_what_is_unread(shared_server: RunningServer) -> None:
    # More than is held, so that some of it stays unread, and little enough for the rest to fit in the kernel.
    with scene(shared_server, "/ws/delay/300ms/vanish", early=client_frame(BINARY, bytes(90_000))) as connection:
        if may_vanish():
            shared_server.wait_for_metrics(websocket_active_connections=0)
        assert is_silent(connection)


def test_without_the_privilege_vanish_is_freeze_and_says_so(serve: Serve, codec_name: str) -> None:
    without = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin") if may_vanish() else ()
    server = serve("--codec", codec_name, command=(*without, sys.executable, "-m", "wsecho"))
    with scene(server, "/ws/message/a/vanish") as connection:
        assert connection.told["privilege"] == "lacking"
        assert connection.receive(3) == server_frame(TEXT, b"a")
        connection.send(client_frame(PING))
        assert is_silent(connection)
        assert server.metrics()["websocket_active_connections"] == 1


def test_mute_answers_pings_and_the_close_frame(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/mute", "Sec-WebSocket-Extensions: permessage-deflate") as connection:
        connection.send(client_frame(TEXT, b"x" * 100_000) + client_frame(TEXT, b"y") + client_frame(PING, b"p"))
        assert connection.receive(3) == server_frame(PONG, b"p")
        connection.send(client_frame(TEXT, b"z") + client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_close(1000, "")


def test_mute_refuses_what_is_wrong(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/mute") as connection:
        connection.send(client_frame(TEXT, b"\xff"))
        assert connection.receive_all()[2:4] == (1007).to_bytes(2, "big")


def test_mute_counts_what_it_takes(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws/mute") as connection:
        connection.send(client_frame(TEXT, b"abc") + client_frame(CLOSE, b"\x03\xe8"))
        connection.receive_all()
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics["websocket_messages_received_total"] == 1
    assert metrics["websocket_messages_sent_total"] == 0


def test_a_close_frame_that_meets_a_mute_peer_is_never_answered(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/on-close/mute") as connection:
        connection.send(client_frame(TEXT, b"a") + client_frame(CLOSE, b"\x03\xe8") + client_frame(PING))
        assert connection.receive(3) == server_frame(TEXT, b"a")
        assert is_silent(connection)
        connection.half_close()
        assert connection.receive_all() == b""


def test_idle_goes_on_when_the_client_is_silent(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/idle/3s/close/1001") as connection:
        # Longer than the step waits, in pieces that are much shorter.
        for _ in range(16):
            connection.send(client_frame(PING) + client_frame(TEXT, b"a"))
            assert connection.receive(5) == server_frame(PONG) + server_frame(TEXT, b"a")
            assert is_silent(connection, 0.2)
        closes_cleanly(connection, server_close(1001, ""), b"\x03\xe9")


def test_idle_sends_no_ping(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--ping-interval", "100ms")
    with scene(server, "/ws/idle/700ms/abort") as connection:
        assert connection.is_reset()


def stalled(connection: Scene) -> int:
    """Send until the socket takes no more, and return how many bytes it took."""
    connection.socket.settimeout(0.3)
    taken = 0
    try:
        while True:
            taken += connection.socket.send(bytes(64 << 10))
    except TimeoutError:
        return taken


def test_stall_takes_nothing_and_loses_nothing(shared_server: RunningServer) -> None:
    messages = [bytes((number,)) * (256 << 10) for number in range(8)]
    frames = client_frame(PING) + b"".join(client_frame(BINARY, each, mask=bytes(4)) for each in messages)
    echoes = server_frame(PONG) + b"".join(server_frame(BINARY, each) for each in messages)
    began = monotonic()
    with scene(shared_server, "/ws/stall/2s") as connection:
        connection.send(frames)
        first = connection.receive(1)
        assert monotonic() - began > 1.9
        assert first + connection.receive(len(echoes) - 1) == echoes


def test_stall_without_an_end_blocks_the_client(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/stall") as connection:
        # The buffers of both kernels on a loopback connection, but not the 64 MiB that a reading server would take.
        assert stalled(connection) < 64 << 20
