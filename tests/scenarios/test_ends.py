"""How connections end, to the byte."""

import signal
import ssl

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import closes_cleanly, is_silent, scene
from tests.shared.frames import CLOSE, TEXT, client_frame, server_close, server_frame
from tests.shared.server import RunningServer
from wsecho.scenarios.language.data import generated


@pytest.mark.parametrize(
    ("url", "frame"),
    [
        ("/ws/close", server_close(1000, "")),
        ("/ws/close/1001?reason=going%20away", server_close(1001, "going away")),
        ("/ws/close/4999?reason=%C3%A9", server_close(4999, "é")),
        ("/ws/close-empty", server_frame(CLOSE)),
        ("/ws/message/last/close/1000", server_frame(TEXT, b"last") + server_close(1000, "")),
    ],
)
def test_close_waits_for_the_answer_and_ends_tcp(shared_server: RunningServer, url: str, frame: bytes) -> None:
    with scene(shared_server, url) as connection:
        closes_cleanly(connection, frame, frame[-4:][2:] if url == "/ws/close" else b"")


def test_messages_after_the_close_frame_are_not_echoed(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/close/4000") as connection:
        connection.receive(4)
        connection.send(client_frame(TEXT, b"x" * 200_000) + client_frame(CLOSE, b"\x0f\xa0"))
        assert connection.receive_all() == b""


def test_a_close_that_is_not_answered_ends_in_time(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--close-timeout", "100ms")
    with scene(server, "/ws/close/1000") as connection:
        assert connection.receive_all() == server_close(1000, "")
    assert server.wait_for_metrics(websocket_active_connections=0)['websocket_timeouts_total{limit="close"}'] == 1


def test_end_has_no_close_frame(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/message/a/end") as connection:
        assert connection.receive_all() == server_frame(TEXT, b"a")


def test_end_by_tls_has_a_close_notify(tls_server: RunningServer) -> None:
    # The client takes an end without close_notify for an error.
    with scene(tls_server, "/ws/message/a/end") as connection:
        assert connection.receive_all() == server_frame(TEXT, b"a")


@pytest.mark.parametrize("url", ["/ws/abort", "/ws/message/a/abort"])
def test_abort_is_a_reset_after_what_was_sent(shared_server: RunningServer, url: str) -> None:
    with scene(shared_server, url) as connection:
        if "message" in url:
            assert connection.receive(3) == server_frame(TEXT, b"a")
        assert connection.is_reset()


@pytest.mark.parametrize("url", ["/ws/close-abort/1008?reason=no", "/ws/message/a/close-abort/1008?reason=no"])
def test_close_abort_is_a_reset_right_behind_the_close_frame(shared_server: RunningServer, url: str) -> None:
    frames = (server_frame(TEXT, b"a") if "message" in url else b"") + server_close(1008, "no")
    with scene(shared_server, url) as connection:
        assert connection.receive(len(frames)) == frames
        assert connection.is_reset()


@pytest.mark.parametrize("url", ["/ws/close-hold/1001", "/ws/on-close/close-hold/1001"])
def test_close_hold_never_ends_tcp_first(shared_server: RunningServer, url: str) -> None:
    answer = client_frame(CLOSE, b"\x03\xe9")
    with scene(shared_server, url) as connection:
        if "on-close" in url:
            connection.send(answer)
        assert connection.receive(4) == server_close(1001, "")
        if "on-close" not in url:
            connection.send(client_frame(TEXT, b"dropped") + answer + client_frame(TEXT, b"dropped"))
        assert is_silent(connection)
        connection.half_close()
        assert connection.receive_all() == b""


def test_the_limit_of_age_holds_for_what_is_held(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--max-lifetime", "300ms")
    with scene(server, "/ws/close-hold/1001") as connection:
        assert connection.receive(4) == server_close(1001, "")
        connection.receive_all()
    server.wait_for_metrics(**{'websocket_timeouts_total{limit="lifetime"}': 1, "websocket_active_connections": 0})


def test_a_drain_ends_what_is_held(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--drain-timeout", "10m")
    with scene(server, "/ws/close-hold/1001") as connection:
        assert connection.receive(4) == server_close(1001, "")
        connection.send(client_frame(CLOSE, b"\x03\xe9"))
        server.process.send_signal(signal.SIGTERM)
        assert connection.receive_all() == b""
    assert server.wait() == 0


@pytest.mark.parametrize("url", ["/ws/close-cross/4000", "/ws/message/a/after/1/close-cross/4000"])
def test_close_cross_is_no_answer(shared_server: RunningServer, url: str) -> None:
    with scene(shared_server, url, early=client_frame(TEXT, b"b")) as connection:
        frames = (server_frame(TEXT, b"a") if "message" in url else b"") + server_frame(TEXT, b"b")
        assert connection.receive(len(frames)) == frames
        connection.send(client_frame(CLOSE, b"\x03\xe8bye"))
        assert connection.receive_all() == server_close(4000, "")


@pytest.mark.parametrize(
    ("url", "payload", "answer"),
    [
        ("/ws/on-close/close", b"\x0f\xa0bye", server_close(4000, "bye")),
        ("/ws/on-close/close", b"", b"\x88\x00"),
        ("/ws/on-close/close?reason=late", b"\x0f\xa0bye", server_close(4000, "late")),
        ("/ws/on-close/close?reason=late", b"", server_close(1000, "late")),
    ],
)
def test_the_clients_own_close_comes_back_with_the_reason_of_the_url(
    shared_server: RunningServer, url: str, payload: bytes, answer: bytes
) -> None:
    with scene(shared_server, url) as connection:
        connection.send(client_frame(CLOSE, payload))
        assert connection.receive_all() == answer


@pytest.mark.parametrize("url", ["/ws/close-cross/4000", "/ws/message/a/after/1/close-cross/4000"])
def test_close_cross_does_not_wait_for_the_whole_frame(shared_server: RunningServer, url: str) -> None:
    frame = client_frame(CLOSE, b"\x03\xe8bye")
    with scene(shared_server, url, early=client_frame(TEXT, b"b")) as connection:
        frames = (server_frame(TEXT, b"a") if "message" in url else b"") + server_frame(TEXT, b"b")
        assert connection.receive(len(frames)) == frames
        connection.send(frame[:1])
        assert connection.receive(4) == server_close(4000, "")
        # The client's Close frame is not complete, so TCP goes on.
        assert is_silent(connection)
        connection.send(frame[1:])
        assert connection.receive_all() == b""


def test_on_close_waits_for_the_whole_frame(shared_server: RunningServer) -> None:
    frame = client_frame(CLOSE, b"\x03\xe8bye")
    with scene(shared_server, "/ws/on-close/close/4000") as connection:
        connection.send(frame[:-1])
        assert is_silent(connection)
        connection.send(frame[-1:])
        assert connection.receive_all() == server_close(4000, "")


def test_cut_is_an_end_without_close_frame(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/message/a/cut") as connection:
        connection.send(client_frame(TEXT, b"dropped"))
        assert connection.receive_all() == server_frame(TEXT, b"a")


@pytest.mark.parametrize("size", [1, 3 << 20])
def test_cut_by_tls_has_no_close_notify_and_loses_nothing(tls_server: RunningServer, size: int) -> None:
    sent = server_frame(TEXT, generated(1, size))
    with scene(tls_server, f"/ws/message/size:{size}/cut") as connection:
        assert connection.receive(len(sent)) == sent
        # Not a reset: the stream ends, but TLS has not said so.
        with pytest.raises(ssl.SSLEOFError, match="EOF occurred in violation of protocol"):
            connection.receive(1)
    tls_server.wait_for_metrics(websocket_active_connections=0)


def test_held_and_crossed_closes_are_counted_by_who_was_first(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    for url, is_first in (("/ws/close-hold/4001", False), ("/ws/close-cross/4002", True)):
        with scene(server, url) as connection:
            if is_first:
                connection.send(client_frame(CLOSE, b"\x0f\xa3"))
                assert connection.receive_all() == server_close(4002, "")
            else:
                assert connection.receive(4) == server_close(4001, "")
                connection.send(client_frame(CLOSE, b"\x0f\xa4"))
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    closes = {name: value for name, value in metrics.items() if name.startswith("websocket_closes_total") and value}
    assert len(closes) == 2, closes
    assert {name.partition("initiator=")[2] for name in closes} == {'"server"}', '"client"}'}


def test_ends_are_counted_as_the_servers(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    for url in ("/ws/close/1012", "/ws/close-empty", "/ws/end", "/ws/abort"):
        with scene(server, url) as connection:
            if "close" in url:
                connection.receive(4 if "1012" in url else 2)
                connection.send(client_frame(CLOSE))
                connection.receive_all()
            else:
                connection.is_reset()
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    codes = {
        code: metrics[f'websocket_closes_total{{code="{code}",initiator="server"}}'] for code in (1012, 1005, 1006)
    }
    assert codes == {1012: 1, 1005: 1, 1006: 2}
    assert metrics["websocket_connections_total"] == 4
    steps = {
        step: metrics[f'wsecho_scenarios_total{{step="{step}"}}'] for step in ("close", "close-empty", "end", "abort")
    }
    assert steps == {"close": 1, "close-empty": 1, "end": 1, "abort": 1}
