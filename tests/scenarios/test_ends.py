"""How connections end, to the byte."""

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import closes_cleanly, scene
from tests.shared.frames import CLOSE, TEXT, client_frame, server_close, server_frame
from tests.shared.server import RunningServer


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
