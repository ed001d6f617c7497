"""Messages and raw bytes that the server sends."""

import json
import signal

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import closes_cleanly, head, request, scene
from tests.shared.frames import BINARY, CLOSE, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.memory import peak_memory
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from wsecho.scenarios.language.data import generated


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("/ws/message/hello", server_frame(TEXT, b"hello")),
        ("/ws/message/%C3%A9%2F", server_frame(TEXT, "é/".encode())),
        ("/ws/message/hex:", server_frame(TEXT)),
        ("/ws/message/size:126/message/size:65536", None),
        ("/ws/binary/hex:00ff", server_frame(BINARY, b"\x00\xff")),
        ("/ws/binary/b64:AP8", server_frame(BINARY, b"\x00\xff")),
        ("/ws/binary/text", server_frame(BINARY, b"text")),
        ("/ws/bytes/hex:8802044c", b"\x88\x02\x04\x4c"),
        ("/ws/bytes/HTTP%2F1.1%20408", b"HTTP/1.1 408"),
    ],
)
def test_what_is_sent_first_and_then_the_echo(shared_server: RunningServer, url: str, sent: bytes | None) -> None:
    expected = sent or server_frame(TEXT, generated(1, 126)) + server_frame(TEXT, generated(2, 65536))
    with scene(shared_server, url, early=client_frame(TEXT, b"early")) as connection:
        assert connection.receive(len(expected)) == expected
        assert connection.receive(7) == server_frame(TEXT, b"early")


def test_messages_of_a_scenario_are_messages_sent(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws/message/hello/binary/hex:00/bytes/hex:8a00/after/1/close") as connection:
        connection.send(client_frame(TEXT, b"me"))
        frames = (
            server_frame(TEXT, b"hello")
            + b"\x82\x01\x00"
            + b"\x8a\x00"
            + server_frame(TEXT, b"me")
            + b"\x88\x02\x03\xe8"
        )
        assert connection.receive(len(frames)) == frames
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        connection.receive_all()
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics["websocket_messages_sent_total"] == 3
    assert metrics["websocket_messages_received_total"] == 1
    assert metrics["websocket_sent_bytes_total"] == 5 + 1 + 2
    assert metrics["websocket_wire_sent_bytes_total"] == len(frames)
    assert metrics["websocket_wire_received_bytes_total"] == 8 + 8


def test_info_is_the_handshake_as_it_arrived(shared_server: RunningServer) -> None:
    fields = ("X-Number: 1", "X-Number: 2", "Authorization: Basic c2VjcmV0", "Cookie: session=secret")
    with scene(shared_server, "/ws/info/end?access_token=secret&key=info", *fields) as connection:
        data = connection.receive_all()
    assert data[:2] == b"\x81\x7e"
    assert int.from_bytes(data[2:4], "big") == len(data) - 4
    facts = json.loads(data[4:])
    assert facts["path"] == "/ws/info/end"
    assert (facts["method"], facts["protocol"], facts["scheme"], facts["tls"]) == ("GET", "HTTP/1.1", "http", None)
    assert [value for name, value in facts["headers"] if name == "X-Number"] == ["1", "2"]
    assert facts["client"][0] == "127.0.0.1"
    assert facts["attempt"] == int(connection.told["attempt"])
    assert b"secret" not in data.lower()
    assert b"c2VjcmV0" not in data


@pytest.mark.parametrize(
    "url",
    [
        "/ws/message/size:256MiB/close/1000",
        "/ws/handshake/bundled/binary/size:256MiB/close/1000",
        "/ws/flood/1/256MiB/close/1000?key=long",
    ],
)
def test_memory_does_not_grow_with_the_size_of_a_message(serve: Serve, codec_name: str, url: str) -> None:
    server = serve("--codec", codec_name)
    size = 256 << 20
    with scene(server, "/ws/close"):
        pass
    before = peak_memory(server.pid)
    with RawConnection(server.port) as connection:
        connection.send(request(url))
        head(connection)
        opcode = BINARY if "binary" in url else TEXT
        assert connection.receive(10) == bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")
        while size:
            size -= len(connection.receive(min(size, 1 << 20)))
        closes_cleanly(connection, server_close(1000, ""), b"\x03\xe8")
    assert peak_memory(server.pid) - before < 16 << 20


def test_nothing_comes_between_the_pieces_of_a_long_message(shared_server: RunningServer) -> None:
    sent = server_frame(TEXT, generated(1, 16 << 20))
    with scene(shared_server, "/ws/on-ping/message/size:16MiB?pong=1ms") as connection:
        connection.send(client_frame(PING, b"late"))
        assert connection.receive(1000) == sent[:1000]
        # The frame is longer than what the kernel takes, so the server is still sending it.
        connection.send(client_frame(TEXT, b"held"))
        with scene(shared_server, "/ws/delay/50ms/message/later") as other:
            # By now, the pong is due.
            assert other.receive(7) == server_frame(TEXT, b"later")
        assert connection.receive(len(sent) - 1000) == sent[1000:]
        behind = connection.receive(12)
        assert {behind[:6], behind[6:]} == {server_frame(PONG, b"late"), server_frame(TEXT, b"held")}


def test_a_long_message_is_complete_before_the_server_closes(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--close-timeout", "1m", "--drain-timeout", "1m")
    sent = server_frame(TEXT, generated(1, 16 << 20)) + server_close(1001, "server is shutting down")
    with scene(server, "/ws/message/size:16MiB/delay/15m") as connection:
        assert connection.receive(1000) == sent[:1000]
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        assert connection.receive(len(sent) - 1000) == sent[1000:]
        connection.send(client_frame(CLOSE, b"\x03\xe9"))
        assert connection.receive_all() == b""
    assert server.wait() == 0
