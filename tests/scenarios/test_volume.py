"""Many messages: in one write, as fast as the client reads, at intervals.

Modules: `ticks`.
"""

import select
from contextlib import ExitStack

import pytest

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.scenarios.scenes import Scene, closes_cleanly, head, request, scene
from tests.shared.frames import BINARY, CLOSE, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.memory import peak_memory
from tests.shared.raw import RawConnection, exchange
from tests.shared.server import RunningServer
from wsecho.scenarios.language.data import generated


def messages(count: int, size: int) -> bytes:
    return b"".join(server_frame(TEXT, generated(number, size)) for number in range(1, count + 1))


def test_a_burst_and_the_close_frame_are_one_write(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/burst/300/50/close/4000") as connection:
        expected = messages(300, 50) + server_close(4000, "")
        # On the loopback interface, one write of this size arrives with one read.
        assert connection.socket.recv(100_000) == expected
        connection.send(client_frame(CLOSE, b"\x0f\xa0"))
        assert connection.receive_all() == b""


def test_a_long_burst_does_not_stop_the_event_loop(shared_server: RunningServer) -> None:
    with (
        RawConnection(shared_server.port).open() as echo,
        scene(shared_server, "/ws/burst/20000/10/message/end") as connection,
    ):
        echo.send(client_frame(TEXT, b"on"))
        assert echo.receive(4) == server_frame(TEXT, b"on")
        expected = messages(20_000, 10) + server_frame(TEXT, b"end")
        assert connection.receive(len(expected)) == expected


@pytest.mark.parametrize(
    ("url", "sent", "least"),
    [("/ws/burst/50000/0", b"", 100), ("/ws/sink/20000/message/done", client_frame(TEXT, b"") * 20_000, 50)],
)
def test_an_echo_goes_on_beside_many_bursts_and_sinks(
    shared_server: RunningServer, url: str, sent: bytes, least: int
) -> None:
    """Count round trips, not seconds: each iteration of the event loop has a small part of what the scenarios do."""
    with RawConnection(shared_server.port).open() as echo, ExitStack() as stack:
        others = [stack.enter_context(scene(shared_server, url)) for _ in range(4)]
        for other in others:
            other.send(sent)
        count = 0
        while not select.select([other.socket for other in others], [], [], 0)[0]:
            echo.send(client_frame(TEXT, b"on"))
            assert echo.receive(4) == server_frame(TEXT, b"on")
            count += 1
        assert count > least


def test_memory_does_not_grow_with_the_number_of_bursts(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws/burst/1/15MiB/end") as connection:
        connection.receive_all()
    before = peak_memory(server.pid)
    with scene(server, "/ws/" + "burst/1/15MiB/" * 12 + "end") as connection:
        for number in range(1, 13):
            expected = server_frame(TEXT, generated(number, 15 << 20))
            assert connection.receive(len(expected)) == expected
        assert connection.receive_all() == b""
    assert peak_memory(server.pid) - before < 64 << 20


LITTLE_MEMORY = """
from wsecho.scenarios.language import limits
limits.LOCAL = limits.LOCAL._replace(memory=3 << 20)
"""


@pytest.mark.parametrize(
    "url",
    ["/ws/burst/1/1000KiB", "/ws/burst/50000/10", "/ws/handshake/bundled/message/size:1000KiB"],
)
def test_memory_does_not_grow_with_the_number_of_clients_that_do_not_read(serve: Serve, url: str) -> None:
    server = serve(command=patched(LITTLE_MEMORY))
    with ExitStack() as stack:
        clients = [stack.enter_context(RawConnection(server.port)) for _ in range(3)]
        for client in clients:
            client.send(request(url))
            assert b" 101 " in client.receive(15)
        refusal = exchange(server, request(url))
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert refusal.endswith(b"the long writes of other scenarios take all the memory that there is for them\n")
        with scene(server, "/ws/flood/10/64KiB"):
            pass
        clients[0].reset()
        server.wait_for_metrics(websocket_active_connections=2)
        last = stack.enter_context(RawConnection(server.port))
        last.send(request(url))
        assert b" 101 " in last.receive(15)


def test_a_flood_is_as_fast_as_its_reader(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/flood/300/64KiB/close/1000") as connection:
        # It is not read at first, and what it sends is dropped.
        connection.send(client_frame(TEXT, b"dropped") + client_frame(BINARY, b"too"))
        expected = messages(300, 65536)
        assert connection.receive(len(expected)) == expected
        closes_cleanly(connection, server_close(1000, ""), b"\x03\xe8")


def test_pings_in_a_flood(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/flood/5/3/message/end?ping=2") as connection:
        each = [server_frame(TEXT, generated(number, 3)) for number in range(1, 6)]
        expected = (
            *(each[0], each[1], server_frame(PING, b"2"), each[2], each[3], server_frame(PING, b"4"), each[4]),
            server_frame(TEXT, b"end"),
        )
        assert connection.receive(len(b"".join(expected))) == b"".join(expected)


def test_a_flood_goes_on_after_the_clients_close_frame(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/on-close/flood/10/1KiB/close") as connection:
        connection.send(client_frame(CLOSE, b"\x0b\xb8bye"))
        assert connection.receive_all() == messages(10, 1024) + server_close(3000, "bye")


def test_a_flood_ends_with_a_client_that_closes(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws/flood/100000/10KiB") as connection:
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all().endswith(server_close(1000, ""))
    server.wait_for_metrics(websocket_active_connections=0)


def test_a_flood_does_not_stop_the_event_loop(shared_server: RunningServer) -> None:
    with (
        RawConnection(shared_server.port).open() as echo,
        scene(shared_server, "/ws/flood/50000/1") as connection,
    ):
        for _ in range(20):
            echo.send(client_frame(TEXT, b"on"))
            assert echo.receive(4) == server_frame(TEXT, b"on")
        assert connection.receive(150_000) == messages(50_000, 1)


def test_ticks_are_numbered_and_the_server_echoes_between_them(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/tick/50ms/3/message/end", early=client_frame(TEXT, b"echo")) as connection:
        expected = [server_frame(TEXT, text) for text in (b"echo", b"1", b"2", b"3", b"end")]
        assert connection.receive(len(b"".join(expected))) == b"".join(expected)


def test_ticks_without_a_count_go_on_until_the_client_closes(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/tick/1ms/20/tick/20ms?resume") as connection:
        expected = b"".join(server_frame(TEXT, b"%d" % number) for number in range(1, 23))
        assert connection.receive(len(expected)) == expected
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all().endswith(server_close(1000, ""))


def test_ticks_resume_on_the_next_connection(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    url = "/ws/times/2/tick/1ms/3/end/next/tick/1ms/2/end?resume&key=numbers"
    for numbers in ("123", "456", "78", "910"):
        with scene(server, url) as connection:
            texts = ["9", "10"] if numbers == "910" else list(numbers)
            assert connection.receive_all() == b"".join(server_frame(TEXT, text.encode()) for text in texts)


def numbers_of(connection: Scene, numbers: range) -> None:
    frames = b"".join(server_frame(TEXT, b"%d" % number) for number in numbers)
    assert connection.receive(len(frames)) == frames


def test_ticks_resume_behind_what_was_sent_to_a_client_that_has_left(serve: Serve, codec_name: str) -> None:
    """Also without a count, in the part of the plan that stays, and in another worker."""
    server = serve("--codec", codec_name, "--workers", "2")
    sent = 0
    for _ in range(20):
        with scene(server, "/ws/tick/100ms/50/abort/next/tick/5ms?resume&key=left") as connection:
            numbers_of(connection, range(sent + 1, sent + 4))
            connection.send(client_frame(CLOSE, b"\x03\xe8"))
            rest = connection.receive_all()
        sent += 3
        # Numbers that were sent before the Close frame arrived.
        while (frame := server_frame(TEXT, b"%d" % (sent + 1))) == rest[: len(frame)]:
            rest = rest[len(frame) :]
            sent += 1
        assert rest == server_close(1000, "")


def test_ticks_at_the_same_time_go_on_behind_the_highest(shared_server: RunningServer) -> None:
    url = "/ws/on/go/tick/1ms/3/next/on/go/tick/1ms/5/next/tick/1ms/1?resume&key=highest"
    with scene(shared_server, url) as first, scene(shared_server, url) as second:
        for connection, stop in ((second, 6), (first, 9)):
            connection.send(client_frame(TEXT, b"go"))
            assert connection.receive(4) == server_frame(TEXT, b"go")
            numbers_of(connection, range(1 if connection is second else 6, stop))
    with scene(shared_server, url) as third:
        numbers_of(third, range(9, 10))


@pytest.mark.parametrize("amount", ["3", "9B"])
def test_a_sink_sends_nothing_back(shared_server: RunningServer, amount: str) -> None:
    with scene(shared_server, f"/ws/sink/{amount}/message/done") as connection:
        for text in (b"one", b"two", b"six", b"behind"):
            connection.send(client_frame(TEXT, text))
        assert connection.receive(6 + 8) == server_frame(TEXT, b"done") + server_frame(TEXT, b"behind")


def test_a_sink_without_an_end_answers_pings_and_close_frames(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/sink") as connection:
        connection.send(client_frame(BINARY, b"x" * 300_000, mask=bytes(4)))
        connection.send(client_frame(PING, b"?") + client_frame(CLOSE, b"\x03\xe8"))
        assert connection.receive_all() == server_frame(PONG, b"?") + server_close(1000, "")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("/ws/burst/1000/17KiB", "'burst' sends 17418000 bytes: at most 16MiB fit in one write"),
        ("/ws/flood/1000000/2KiB", "the scenario sends"),
        ("/ws/flood/1000000/1/message/x", "the scenario sends 1000001 frames"),
        ("/ws/flood/1000000/1?ping=1", "the scenario sends 2000000 frames"),
        ("/ws/tick/1ms", "the scenario sends 3600000 frames"),
        ("/ws/tick/0", "the scenario sends 1000001 frames"),
        ("/ws/tick/1m/61", "the scenario takes 61m"),
    ],
)
def test_volume_is_summed_before_the_answer(shared_server: RunningServer, url: str, error: str) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request(url))
        assert "400 Bad Request" in head(connection)
        assert error.encode() in connection.receive_all()


def test_messages_of_a_flood_are_counted(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with scene(server, "/ws/flood/100/10/close/1000?ping=50") as connection:
        connection.receive(1200 + 2 * 4 + 4)
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        connection.receive_all()
    metrics = server.wait_for_metrics(websocket_active_connections=0)
    assert metrics["websocket_messages_sent_total"] == 100
    assert metrics["websocket_sent_bytes_total"] == 1000
