"""Options that shape what the server sends: fragments, chunks, latency, rate, drops.

Modules: `shaping`, `shaper`, `draws`, `outgoing`.
"""

import contextlib
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import (
    Scene,
    closes_cleanly,
    head,
    request,
    scene,
    scene_in_each_worker,
    segments_with_data,
)
from tests.shared.collectors import eventually
from tests.shared.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    client_frame,
    long_client_frame,
    server_close,
    server_frame,
)
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from wsecho.scenarios.run.shaping.draws import Draws


def test_fragments_of_echoes_and_of_the_servers_messages(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/message/h%C3%A9?fragment=1") as connection:
        connection.send(client_frame(TEXT, "é!".encode()) + client_frame(PING, b"whole"))
        expected = b"\x01\x01h\x00\x01\xc3\x80\x01\xa9" + b"\x01\x01\xc3\x00\x01\xa9\x80\x01!" + b"\x8a\x05whole"
        assert connection.receive(len(expected)) == expected
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_close(1000, "")


def test_fragments_of_long_messages(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    payload = bytes(range(256)) * 1024
    with scene(server, "/ws?fragment=1000") as connection:
        connection.send(long_client_frame(BINARY, payload))
        pieces = [payload[at : at + 1000] for at in range(0, len(payload), 1000)]
        expected = b"".join(
            server_frame(CONTINUATION if index else BINARY, piece, fin=index == len(pieces) - 1)
            for index, piece in enumerate(pieces)
        )
        assert connection.receive(len(expected)) == expected
        connection.send(client_frame(CLOSE))
        connection.receive_all()
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics["websocket_messages_sent_total"] == 1
    assert metrics["websocket_sent_bytes_total"] == len(payload)
    assert metrics["websocket_wire_sent_bytes_total"] == len(expected) + 2


@pytest.mark.parametrize("url", ["/ws?chunk=1", "/ws/message/first?chunk=1"])
def test_chunks_arrive_one_by_one(shared_server: RunningServer, url: str) -> None:
    expected = (server_frame(TEXT, b"first") if "first" in url else b"") + server_frame(TEXT, b"x" * 100)

    def check() -> None:
        with scene(shared_server, url) as connection:
            connection.send(client_frame(TEXT, b"x" * 100))
            assert connection.receive(len(expected)) == expected
            # And the 101 response.
            assert segments_with_data(connection) >= len(expected) + 1

    # On a busy machine, the kernel joins those that wait until the client has acknowledged ten others.
    eventually(check)


def test_a_close_frame_in_chunks_comes_before_the_end(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/close/1000?chunk=1&reason=slowly") as connection:
        closes_cleanly(connection, server_close(1000, "slowly"), b"\x03\xe8")


@pytest.mark.parametrize(
    ("url", "sent", "expected"),
    [
        ("/ws?latency=300ms", client_frame(TEXT, b"a"), server_frame(TEXT, b"a") + server_close(1000, "")),
        ("/ws/message/a?latency=300ms", b"", server_frame(TEXT, b"a") + server_close(1000, "")),
        ("/ws/message/a/after/300ms/end", b"", server_frame(TEXT, b"a")),
        ("/ws/message/a/end?latency=300ms", b"", server_frame(TEXT, b"a")),
        ("/ws?rate=1KiB", client_frame(TEXT, b"a" * 300), server_frame(TEXT, b"a" * 300) + server_close(1000, "")),
    ],
)
def test_all_bytes_come_later_and_the_end_after_them(
    shared_server: RunningServer, url: str, sent: bytes, expected: bytes
) -> None:
    began = monotonic()
    with scene(shared_server, url) as connection:
        connection.send(sent if "/end" in url else sent + client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == expected
        assert monotonic() - began >= 0.29


def test_a_reset_comes_after_late_bytes(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/message/a/abort?latency=200ms") as connection:
        assert connection.receive(3) == server_frame(TEXT, b"a")
        assert connection.is_reset()


def test_all_by_tls(tls_server: RunningServer) -> None:
    with scene(tls_server, "/ws/message/abc/end?latency=50ms&chunk=2&fragment=1&rate=2KiB") as connection:
        assert connection.receive_all() == b"\x01\x01a\x00\x01b\x80\x01c"
    with scene(tls_server, "/ws?latency=50ms&chunk=2") as connection:
        connection.send(client_frame(TEXT, b"abc") + client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_frame(TEXT, b"abc") + server_close(1000, "")


def test_jitter_keeps_the_order(shared_server: RunningServer) -> None:
    texts = [b"%d" % number for number in range(30)]
    with scene(shared_server, "/ws?jitter=50ms&seed=7") as connection:
        began = monotonic()
        connection.send(b"".join(client_frame(TEXT, text) for text in texts))
        expected = b"".join(server_frame(TEXT, text) for text in texts)
        assert connection.receive(len(expected)) == expected
        assert monotonic() - began >= max(Draws(7).draw("jitter", number) for number in range(1, 31)) * 0.05 - 0.01


@pytest.mark.parametrize("at_once", [True, False])
def test_drops_are_repeated_by_the_seed(shared_server: RunningServer, at_once: bool) -> None:
    texts = [b"%02d" % number for number in range(1, 41)]
    draws = Draws(99)
    kept = [text for text in texts if draws.draw("drop", int(text) + 1) * 100 >= 40]
    assert 10 < len(kept) < 35
    with scene(shared_server, "/ws/message/00?drop=40&seed=99") as connection:
        first = server_frame(TEXT, b"00") if draws.draw("drop", 1) * 100 >= 40 else b""
        frames = [client_frame(TEXT, text[:1], fin=False) + client_frame(CONTINUATION, text[1:]) for text in texts]
        for frame in [b"".join(frames)] if at_once else frames:
            connection.send(frame)
        connection.send(client_frame(PING, b"?") + client_frame(CLOSE, b"\x03\xe8"))
        echoes = [server_frame(TEXT, text[:1], fin=False) + server_frame(CONTINUATION, text[1:]) for text in kept]
        # The server answers a ping before messages that it holds.
        expected = first + b"".join(echoes)
        received = connection.receive_all()
        assert received.replace(server_frame(PONG, b"?"), b"") == expected + server_close(1000, "")


@pytest.fixture(scope="module")
def two_workers(codec_name: str) -> Iterator[RunningServer]:
    server = RunningServer("--codec", codec_name, "--workers", "2")
    yield server
    server.stop()
    assert not server.complaints()
    server.close()


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
SUBPROTOCOL = "Sec-WebSocket-Protocol: one, two"
MESSAGE = client_frame(TEXT, b"hello")
# Each option, with header fields of the client and of the server, what is sent, and what comes back.
SHAPED = {
    "fragment=2": ("", "", MESSAGE, b"\x01\x02he\x00\x02ll\x80\x01o"),
    "chunk=1": ("", "", MESSAGE, server_frame(TEXT, b"hello")),
    "latency=50ms": ("", "", MESSAGE, server_frame(TEXT, b"hello")),
    "jitter=50ms": ("", "", MESSAGE * 3, server_frame(TEXT, b"hello") * 3),
    "rate=1KiB": ("", "", client_frame(TEXT, b"x" * 100), server_frame(TEXT, b"x" * 100)),
    "drop=100": ("", "", MESSAGE + client_frame(PING, b"?"), server_frame(PONG, b"?")),
    "pong=off": ("", "", client_frame(PING, b"?") + MESSAGE, server_frame(TEXT, b"hello")),
    "pong=50ms": ("", "", client_frame(PING, b"?") + MESSAGE, server_frame(TEXT, b"hello") + server_frame(PONG, b"?")),
    "pong=wrong": ("", "", client_frame(PING, b"\x0f"), server_frame(PONG, b"\xf0")),
    "pong=empty": ("", "", client_frame(PING, b"?"), server_frame(PONG)),
    "deflate=15": (
        DEFLATE,
        f"{DEFLATE}; server_max_window_bits=15",
        client_frame(TEXT, b"\x02\0", reserved=4),
        b"\xc1\x02\x02\0",
    ),
    "deflate=off": (DEFLATE, "", MESSAGE, server_frame(TEXT, b"hello")),
    "subprotocol=two": (SUBPROTOCOL, "Sec-WebSocket-Protocol: two", MESSAGE, server_frame(TEXT, b"hello")),
    "max-message=4": ("", "", MESSAGE, server_close(1009, "message is longer than the limit")),
}


@pytest.mark.parametrize("option", SHAPED)
def test_each_option_holds_in_each_worker(two_workers: RunningServer, option: str) -> None:
    offer, agreed, sent, expected = SHAPED[option]
    with scene_in_each_worker(two_workers, f"/ws?{option}", *filter(None, (offer,)), agreed=agreed) as scenes:
        for connection in scenes:
            connection.send(sent)
        for connection in scenes:
            assert connection.receive(len(expected)) == expected


def drawn(connection: Scene) -> bytes:
    """Return what comes back of many messages, of which chance drops some."""
    connection.send(b"".join(client_frame(TEXT, b"%d" % number) for number in range(100)))
    connection.send(client_frame(CLOSE, b"\x03\xe8"))
    return connection.receive_all()


def test_a_seed_repeats_what_it_decides_in_other_workers_and_after_a_restart(serve: Serve, codec_name: str) -> None:
    # Nothing is kept from one start to the next, so another server is one that was restarted.
    first, second = (serve("--codec", codec_name, "--workers", "2") for _ in range(2))
    with scene(first, "/ws?drop=50") as connection:
        seed = connection.told["seed"]
        decided = drawn(connection)
    assert 100 < len(decided) < 300, "half of the messages, of 390 bytes"
    for server in (first, second):
        with scene_in_each_worker(server, f"/ws?drop=50&seed={seed}") as scenes:
            assert [drawn(connection) for connection in scenes] == [decided] * 2
        with scene_in_each_worker(server, f"/ws?drop=50&seed={int(seed) ^ 1}") as scenes:
            assert decided not in [drawn(connection) for connection in scenes]


def test_without_a_seed_each_connection_has_its_own(two_workers: RunningServer) -> None:
    with scene_in_each_worker(two_workers, "/ws?drop=50") as scenes:
        assert len({connection.told["seed"] for connection in scenes}) == 2
        assert len({drawn(connection) for connection in scenes}) == 2


def test_a_dropped_message_is_not_sent(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws?drop=100", "Sec-WebSocket-Extensions: permessage-deflate") as connection:
        connection.send(client_frame(TEXT, b"lost") + client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_close(1000, "")
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics["websocket_messages_received_total"] == 1
    assert metrics["websocket_messages_sent_total"] == metrics["websocket_sent_bytes_total"] == 0


def test_what_waits_is_bounded(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    frame = client_frame(BINARY, bytes(60_000), mask=bytes(4))
    with scene(server, "/ws?latency=15m") as connection:
        connection.socket.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 32 << 20:
                sent += connection.socket.send(frame)
        # The kernel's buffers hold some megabytes.
        assert sent < 32 << 20
        connection.reset()
    server.wait_for_metrics(websocket_active_connections=0)


def test_closing_waits_for_late_bytes_longer_than_its_timeout(serve: Serve, codec_name: str) -> None:
    # Long enough for the answer of a busy client.
    server = serve("--codec", codec_name, "--close-timeout", "1s")
    with scene(server, "/ws/close/1000?latency=2500ms") as connection:
        closes_cleanly(connection, server_close(1000, ""), b"\x03\xe8")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("/ws/message/size:4MiB?chunk=1", "the scenario takes"),
        ("/ws/message/size:8MiB?rate=2KiB", "the scenario takes"),
        ("/ws/message/size:2MiB?fragment=1", "frames"),
        ("/ws?rate=100", "is out of bounds: 1KiB to"),
        ("/ws?drop=0", "is not a whole number from 1 to 100"),
        ("/ws?fragment=0", "is out of bounds"),
        ("/ws?latncy=1s", "did you mean 'latency'?"),
    ],
)
def test_shaping_is_checked_and_summed_before_the_answer(shared_server: RunningServer, url: str, error: str) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request(url))
        assert "400 Bad Request" in head(connection)
        assert error.encode() in connection.receive_all()
