"""Limits of time, rate and size on WebSockets through the wire: what the client sees and what is counted.

Modules: `keepalive`, `fair_queues`, `sweep`, `websocket_connection`.
"""

import contextlib
import resource
import threading

import pytest

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.compression import EMPTY_TABLES, Compressor, compressed_frame, compressed_reply
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.processes import used_seconds, wait_until
from tests.shared.raw import HANDSHAKE, OFFER, SWITCHED, RawConnection
from tests.shared.server import RunningServer

TOO_FAST = "more frames or bytes a second than the limit"
TOO_MANY_FRAGMENTS = "message has more fragments than the limit"


def test_a_silent_client_is_pinged_and_stays_as_long_as_it_answers(serve: Serve) -> None:
    # A client that has not answered a ping gets no second one, however long the answer takes.
    server = serve("--ping-interval", "200ms", "--ping-timeout", "10s")
    with RawConnection(server.port) as client:
        client.open()
        for _ in range(3):
            head = client.receive(2)
            assert head == bytes((0x80 | PING, 8))
            client.send(client_frame(PONG, client.receive(8)))
        client.send(client_frame(TEXT, b"still here"))
        assert client.receive_past_pings(12) == server_frame(TEXT, b"still here")
        seen = server.metrics()
        assert seen["websocket_ping_rtt_seconds_count"] >= 3
        assert seen["websocket_ping_rtt_seconds_sum"] < 60


def test_the_payload_of_a_ping_tells_nothing(serve: Serve) -> None:
    server = serve("--ping-interval", "100ms", "--ping-timeout", "10s")
    payloads = []
    with RawConnection(server.port).open() as first, RawConnection(server.port).open() as second:
        for _ in range(8):
            for client in (first, second):
                assert client.receive(2) == bytes((0x80 | PING, 8))
                payloads.append(client.receive(8))
                client.send(client_frame(PONG, payloads[-1]))
    # If the payload contained a clock, a counter, or one start value for all connections, payloads would share their
    # first byte or would be in order.
    assert len({payload[0] for payload in payloads}) > 4
    assert payloads != sorted(payloads)
    assert len(set(payloads)) == 16


def test_a_client_that_answers_no_ping_is_cut_off(serve: Serve) -> None:
    server = serve("--ping-interval", "200ms", "--ping-timeout", "200ms")
    with RawConnection(server.port) as client:
        client.open()
        assert client.receive(2) == bytes((0x80 | PING, 8))
        client.receive_all()
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen['websocket_timeouts_total{limit="ping"}'] == 1
    assert seen['websocket_closes_total{code="1006",initiator="server"}'] == 1


def test_an_unasked_pong_or_one_with_other_words_is_no_answer(serve: Serve) -> None:
    server = serve("--ping-interval", "200ms")
    with RawConnection(server.port) as client:
        client.open()
        client.send(client_frame(PONG, b"unasked"))
        assert client.receive(2) == bytes((0x80 | PING, 8))
        client.receive(8)
        client.send(client_frame(PONG, b"12345678") + client_frame(TEXT, b"x"))
        assert client.receive(3) == server_frame(TEXT, b"x")
        assert server.metrics()["websocket_ping_rtt_seconds_count"] == 0


def test_no_ping_lands_inside_a_frame_that_is_passed_on(serve: Serve) -> None:
    server = serve("--ping-interval", "100ms", "--ping-timeout", "0")
    payload = bytes(range(256)) * 400
    frame = client_frame(BINARY, payload)
    with RawConnection(server.port) as client:
        # In one call: a ping may come before the frame.
        client.send(HANDSHAKE + frame[:60_000])
        assert client.receive(len(SWITCHED)) == SWITCHED
        reply = client.receive(50_000)
        # During several ping intervals, the rest of the frame arrives and nothing else.
        sweeps = server.metrics()["wsecho_event_loop_lag_seconds_count"]
        wait_until(lambda: server.metrics()["wsecho_event_loop_lag_seconds_count"] >= sweeps + 8)
        client.send(frame[60_000:])
        reply += client.receive(len(server_frame(BINARY, payload)) - len(reply))
        assert reply == server_frame(BINARY, payload)
        assert client.receive(2) == bytes((0x80 | PING, 8))


def test_a_client_without_messages_is_closed(serve: Serve) -> None:
    server = serve("--idle-timeout", "300ms", "--ping-interval", "0")
    with RawConnection(server.port) as client:
        client.open()
        expected = server_close(1001, "no message for too long")
        assert client.receive(len(expected)) == expected
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen['websocket_timeouts_total{limit="idle"}'] == 1
    assert seen['websocket_closes_total{code="1001",initiator="server"}'] == 1


def test_a_connection_has_a_maximum_age(serve: Serve) -> None:
    server = serve("--max-lifetime", "400ms")
    with RawConnection(server.port) as client:
        client.open()
        expected = server_close(1001, "connection has reached its maximum age")
        assert client.receive(len(expected)) == expected
        client.send(client_frame(CLOSE, (1001).to_bytes(2, "big")))
        assert client.receive_all() == b""
    assert server.wait_for_metrics(websocket_active_connections=0)['websocket_timeouts_total{limit="lifetime"}'] == 1


@pytest.mark.parametrize("option", ["--max-frame-rate", "--max-byte-rate"])
def test_a_client_that_is_too_fast_for_too_long_is_sent_away(serve: Serve, option: str) -> None:
    # The client does not answer the Close frame, and the server need not wait for it.
    server = serve(option, "100" if option == "--max-frame-rate" else "800", "--close-timeout", "1s")
    within = client_frame(PING, b"") * 500  # the pings of five seconds; 4,000 bytes minus a few
    with RawConnection(server.port) as client:
        client.open()
        client.send(within)
        assert client.receive(1000) == server_frame(PONG, b"") * 500
        client.send(client_frame(TEXT, b"x" * 100) * 800)
        end = client.receive_all()
    assert end.endswith(server_close(1008, TOO_FAST))
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen['websocket_protocol_errors_total{reason="too_fast"}'] == 1
    assert seen['websocket_closes_total{code="1008",initiator="server"}'] == 1


def test_compressed_messages_count_as_what_they_inflate_to(serve: Serve) -> None:
    server = serve("--max-byte-rate", "1MiB", "--close-timeout", "1s")
    bomb = compressed_frame(BINARY, Compressor()(bytes(1 << 20)))
    assert len(bomb) < 2000
    with RawConnection(server.port) as client:
        client.send(OFFER)
        client.socket.recv(1000)
        with contextlib.suppress(ConnectionError):
            client.send(bomb * 2000)
        assert client.receive_all().endswith(server_close(1008, TOO_FAST))
    # Far less than can be inflated between two sweeps.
    assert server.metrics()["websocket_inflated_bytes_total"] <= 64 << 20


def test_messages_that_wait_behind_a_handshake_come_back_complete_and_in_order(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--receive-buffer-size", "1KiB")
    compressor = Compressor()
    payloads = [compressor(bytes(1 << 20)) for _ in range(10)]
    frames = b"".join(compressed_frame(BINARY, payload) for payload in payloads) + client_frame(TEXT, b"the last")
    with RawConnection(server.port) as client:
        client.send(OFFER + frames)
        expected = b"".join(compressed_reply(BINARY, payload) for payload in payloads) + server_frame(TEXT, b"the last")
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += client.receive(1)
        assert client.receive(len(expected)) == expected


# A server in which no connection that has to wait is ever served again: everything that was read until then was read in
# one iteration of the event loop.
TURNLESS = "from wsecho.connections import fair_queues; fair_queues.EchoQueue.wait = lambda self, go_on: None"
# A server whose clock advances by a millisecond each time that it is read.
SLOW = "from itertools import count; fair_queues.monotonic_ns = count(0, 1_000_000).__next__"


def look_twice(server: RunningServer, metric: str, least: int) -> float:
    """Return the value of a metric once it is `least` or more. Check that it does not grow while others are served."""
    wait_until(lambda: server.metrics()[metric] >= least)
    seen = server.metrics()[metric]
    with RawConnection(server.port).open() as other:
        for _ in range(20):
            other.send(client_frame(PING, b"x"))
            assert other.receive(3) == server_frame(PONG, b"x")
    assert server.metrics()[metric] == seen
    return seen


@pytest.mark.parametrize("handshake", [HANDSHAKE, OFFER], ids=["plain", "deflate"])
def test_of_many_frames_no_more_than_one_read_is_taken_in_a_turn(
    serve: Serve, codec_name: str, handshake: bytes
) -> None:
    server = serve("--codec", codec_name, command=patched(TURNLESS))
    flood = client_frame(TEXT, b"", fin=False) + client_frame(CONTINUATION, b"", fin=False) * 50_000
    with RawConnection(server.port) as client:
        client.send(handshake)
        client.socket.recv(1000)
        client.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.socket.send(flood)
        received = look_twice(server, 'websocket_frames_received_total{opcode="continuation"}', 1024)
        # There can be two reads, because the first one may have returned fewer frames. The Python codec needs some
        # microseconds for each frame and reads less at once.
        assert received <= 2 * (8 << 10 if codec_name == "python" else 60 << 10) // 6


def test_of_what_takes_long_to_inflate_to_nothing_little_is_read_in_a_turn(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, command=patched(f"{TURNLESS}; {SLOW}"))
    with RawConnection(server.port) as client:
        client.send(OFFER)
        client.socket.recv(1000)
        client.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.socket.send(compressed_frame(BINARY, EMPTY_TABLES * 20_000))
        # Three reads of a millisecond each, or more reads that were shorter.
        assert look_twice(server, "websocket_compressed_bytes_total", 1) <= 3 * (16 << 10)
        assert server.metrics()["websocket_inflated_bytes_total"] == 0


@pytest.mark.parametrize("handshake", [HANDSHAKE, OFFER], ids=["plain", "deflate"])
def test_a_flood_that_waits_for_its_turns_comes_back_whole(serve: Serve, codec_name: str, handshake: bytes) -> None:
    server = serve("--codec", codec_name)
    frames = [(TEXT, b"a", False), *[(CONTINUATION, b"", False)] * 30_000, (CONTINUATION, b"z", True)]
    flood = b"".join(client_frame(opcode, payload, fin=fin) for opcode, payload, fin in frames)
    expected = b"".join(server_frame(opcode, payload, fin=fin) for opcode, payload, fin in frames)
    with RawConnection(server.port) as client:
        client.send(handshake)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.receive(1)
        client.send(flood)
        assert client.receive(len(expected)) == expected


def test_a_connection_that_waits_for_the_server_is_not_silent(serve: Serve) -> None:
    server = serve("--ping-interval", "200ms", "--ping-timeout", "200ms", command=patched(f"{TURNLESS}; {SLOW}"))
    with RawConnection(server.port) as waiting:
        waiting.send(OFFER + compressed_frame(BINARY, Compressor()(bytes(3 << 20))))
        server.wait_for_metrics(websocket_inflated_bytes_total=3 << 20)
        # The client that connected later and is really silent is cut off first.
        for count in (1, 2):
            with RawConnection(server.port).open() as silent:
                silent.receive_all()
            assert (
                server.wait_for_metrics(websocket_active_connections=1)['websocket_timeouts_total{limit="ping"}']
                == count
            )


def test_a_crowd_of_bombs_holds_up_neither_the_sweep_nor_the_end(serve: Serve) -> None:
    server = serve("--handshake-timeout", "2s", "--drain-timeout", "2s")
    bombs = compressed_frame(BINARY, Compressor()(bytes(1 << 20))) * 100
    stopped = threading.Event()

    def attack() -> None:
        with contextlib.suppress(OSError), RawConnection(server.port) as client:
            client.send(OFFER)
            client.socket.recv(1000)
            client.socket.setblocking(False)
            sent = 0
            while not stopped.is_set():
                with contextlib.suppress(BlockingIOError):
                    sent = (sent + client.socket.send(bombs[sent:])) % len(bombs)
                with contextlib.suppress(BlockingIOError):
                    client.socket.recv(1 << 20)
                stopped.wait(0.002)

    attackers = [threading.Thread(target=attack) for _ in range(10)]
    with RawConnection(server.port) as slow:
        slow.send(b"GET / HT")
        for attacker in attackers:
            attacker.start()
        try:
            assert slow.receive_all().startswith(b"HTTP/1.1 408 ")
            before = used_seconds(server.pid) + used_by_ended_children()
            assert server.stop() == 0
            # Processor time, because the elapsed time depends on the load of the machine.
            assert used_by_ended_children() - before < 6
        finally:
            stopped.set()
            for attacker in attackers:
                attacker.join()


def used_by_ended_children() -> float:
    """Return the processor time of all processes that this process has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_message_may_have_so_many_fragments_and_no_more(serve: Serve) -> None:
    server = serve("--max-fragments", "3")
    at_limit = [(TEXT, b"a", False), (CONTINUATION, b"", False), (CONTINUATION, b"b", True)]
    frames = b"".join(client_frame(opcode, payload, fin=fin) for opcode, payload, fin in at_limit)
    with RawConnection(server.port) as client:
        client.open()
        client.send(frames)
        echo = b"".join(server_frame(opcode, payload, fin=fin) for opcode, payload, fin in at_limit)
        assert client.receive(len(echo)) == echo
        client.send(client_frame(TEXT, b"", fin=False) + client_frame(CONTINUATION, b"", fin=False) * 3)
        assert client.receive_all().endswith(server_close(1008, TOO_MANY_FRAGMENTS))
    seen = server.wait_for_metrics(websocket_active_connections=0)
    assert seen['websocket_protocol_errors_total{reason="too_many_fragments"}'] == 1
