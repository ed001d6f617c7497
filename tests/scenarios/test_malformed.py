"""Frames that are wrong, to the byte."""

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import scene
from tests.shared.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.server import RunningServer
from wsecho.scenarios.steps.malformed import WORDS

MASK = b"\x37\xfa\x21\x3d"
FRAMES = {
    "masked": client_frame(TEXT, b"masked", mask=MASK),
    "rsv1": client_frame(TEXT, b"rsv1", mask=None, reserved=4),
    "rsv2": client_frame(TEXT, b"rsv2", mask=None, reserved=2),
    "rsv3": client_frame(TEXT, b"rsv3", mask=None, reserved=1),
    "reserved-data-opcode": server_frame(3, b"data"),
    "reserved-control-opcode": server_frame(11),
    "fragmented-ping": server_frame(PING, b"ab", fin=False) + server_frame(CONTINUATION, b"cd"),
    "long-ping": server_frame(PING, b"p" * 126),
    "long-pong": server_frame(PONG, b"p" * 126),
    "continuation-first": server_frame(CONTINUATION, b"lost"),
    "message-in-message": server_frame(TEXT, b"outer", fin=False) + server_frame(TEXT, b"inner"),
    "text-not-utf8": server_frame(TEXT, b"caf\xe9!"),
    "text-cut-short": server_frame(TEXT, b"caf\xc3"),
    "text-surrogate": server_frame(TEXT, b"\xed\xa0\x80"),
    "text-overlong": server_frame(TEXT, b"\xc0\xaf"),
    "text-fails-early": server_frame(TEXT, b"caf\xe9!", fin=False),
    "http": b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\nContent-Length: 17\r\nConnection: close\r\n"
    b"\r\nRequest timed out",
    "length-top-bit": b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00data",
    "length-huge": b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffdata",
    "length-over-32-bits": b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x05hello",
    "length-in-2-bytes": b"\x81\x7e\x00\x05short",
    "length-in-8-bytes": b"\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x05short",
}
CLOSES = {
    "masked-close": client_frame(CLOSE, b"\x03\xe8", mask=MASK),
    "fragmented-close": server_frame(CLOSE, b"\x03\xe8", fin=False),
    "long-close": server_frame(CLOSE, b"\x03\xe8" + b"r" * 124),
    "close-one-byte": server_frame(CLOSE, b"\x03"),
    "close-reason-not-utf8": server_frame(CLOSE, b"\x03\xe8caf\xe9!"),
    **{f"close-{code}": server_close(code, "") for code in (0, 999, 1004, 1005, 1006, 1015, 1100, 2999, 5000, 22373)},
    "data-after-close": server_close(1000, "") + server_frame(TEXT, b"late"),
    "second-close": server_close(1000, "") + server_close(4000, ""),
}


def test_every_word_is_tested() -> None:
    assert {word.name.removeprefix("malformed/") for word in WORDS} == FRAMES.keys() | CLOSES.keys()


@pytest.mark.parametrize("name", FRAMES)
def test_the_frame_has_one_fault_and_the_connection_goes_on(shared_server: RunningServer, name: str) -> None:
    with scene(shared_server, f"/ws/malformed/{name}") as connection:
        assert connection.receive(len(FRAMES[name])) == FRAMES[name]
        connection.send(client_frame(TEXT, b"on") + client_frame(CLOSE, b"\x03\xea"))
        assert connection.receive_all() == server_frame(TEXT, b"on") + server_close(1002, "")


@pytest.mark.parametrize("name", CLOSES)
def test_the_close_frame_is_sent_once_and_the_answer_ends_tcp(shared_server: RunningServer, name: str) -> None:
    with scene(shared_server, f"/ws/malformed/{name}") as connection:
        assert connection.receive(len(CLOSES[name])) == CLOSES[name]
        connection.send(client_frame(TEXT, b"ignored") + client_frame(CLOSE, b"\x03\xea"))
        assert connection.receive_all() == b""


def test_a_reserved_bit_has_no_meaning_because_deflate_is_not_negotiated(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/malformed/rsv1", "Sec-WebSocket-Extensions: permessage-deflate") as connection:
        assert connection.receive(6) == b"\xc1\x04rsv1"


def test_codes_are_counted_as_they_were_sent(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    for name in ("close-1015", "close-0", "close-5000", "masked-close"):
        with scene(server, f"/ws/malformed/{name}") as connection:
            connection.receive(len(CLOSES[name]))
            connection.send(client_frame(CLOSE, b"\x03\xea"))
            connection.receive_all()
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics['wsecho_scenarios_total{step="malformed"}'] == 4
    assert sum(value for name, value in metrics.items() if name.startswith("websocket_closes_total")) == 4
    assert metrics['websocket_closes_total{code="1000",initiator="server"}'] == 1
