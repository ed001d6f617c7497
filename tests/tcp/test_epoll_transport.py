"""What a TCP transport does for its protocol and its peer, of both kinds. Modules: `transports`."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wsecho.tcp.epoll_transport import EpollTransports

from tests.shared.tcp_transports import KINDS, Connections, Loop, Recorder, connect, pattern, reset

MANY = 600_000


@pytest.fixture(params=KINDS)
def both(request: pytest.FixtureRequest) -> Iterator[Connections]:
    """Connections of each kind of transport in turn."""
    yield from _connections(request.param)


@pytest.fixture
def epoll() -> Iterator[Connections]:
    yield from _connections("epoll")


def _connections(kind: str) -> Iterator[Connections]:
    connections = Connections(kind)
    yield connections
    connections.close()
    assert not connections.loop.errors


def take_errors(connections: Connections) -> list[str]:
    """Return what was reported to the event loop, each as its message and its exception, and forget it."""
    errors, connections.loop.errors = connections.loop.errors, []
    return [f"{error['message']} {type(error['exception']).__name__}" for error in errors]


def fail(error: BaseException) -> Any:
    """Return an action that raises `error`."""

    def action(transport: Any) -> None:
        raise error

    return action


def test_bytes_pass_in_order_in_both_directions(both: Connections) -> None:
    recorder = Recorder()
    peer = both.start(recorder, buffer=8192)
    recorder.transport.write(pattern(0, MANY))
    sent = received = 0
    while received < MANY or len(recorder.received) < MANY:
        with suppress(BlockingIOError):
            sent += peer.send(pattern(sent, MANY - sent)) if sent < MANY else 0
        with suppress(BlockingIOError):
            data = peer.recv(1 << 16)
            assert data == pattern(received, len(data))
            received += len(data)
        both.loop.iterate()
    assert recorder.received == pattern(0, MANY)
    assert recorder.transport.get_write_buffer_size() == 0


def test_pieces_of_all_sizes_wait_in_order_for_a_peer_that_does_not_read(both: Connections) -> None:
    recorder = Recorder()
    peer = both.start(recorder, buffer=4096)
    written = 0
    for size in (300_000, 0, 1, 2, 1023, 1024, 1025, 61_439, 61_440, 61_441, *[7] * 2000):
        recorder.transport.write(memoryview(pattern(written, size)))
        written += size
    assert recorder.transport.get_write_buffer_size() > 200_000
    recorder.transport.close()
    assert both.read_all(peer) == pattern(0, written)
    both.loop.wait_until(lambda: recorder.is_lost)
    assert recorder.error is None


def test_a_protocol_is_paused_above_the_limit_and_resumed_at_the_lower_one(both: Connections) -> None:
    recorder = Recorder(high=0)
    peer = both.start(recorder, buffer=4096)
    transport = recorder.transport
    transport.write(bytes(1 << 20))
    assert recorder.events[1:] == ["pause_writing"]
    transport.set_write_buffer_limits(high=1 << 20)
    assert recorder.events[1:] == ["pause_writing"]
    transport.set_write_buffer_limits(high=1 << 20, low=1 << 20)
    assert recorder.events[1:] == ["pause_writing", "resume_writing"]
    transport.set_write_buffer_limits(high=0)
    while transport.get_write_buffer_size():
        assert recorder.events[1:] == ["pause_writing", "resume_writing", "pause_writing"]
        with suppress(BlockingIOError):
            peer.recv(1 << 16)
        both.loop.iterate()
    assert recorder.events[1:] == ["pause_writing", "resume_writing", "pause_writing", "resume_writing"]


@pytest.mark.parametrize("limits", [{"high": -1}, {"high": 1, "low": 2}])
def test_impossible_limits_are_refused(both: Connections, limits: dict[str, int]) -> None:
    recorder = Recorder()
    both.start(recorder)
    with pytest.raises(ValueError, match="must be >="):
        recorder.transport.set_write_buffer_limits(**limits)


def test_paused_reading_leaves_bytes_in_the_kernel_until_it_is_resumed(both: Connections) -> None:
    recorder = Recorder()
    peer = both.start(recorder)
    transport = recorder.transport
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    peer.send(b"later")
    both.settle()
    assert recorder.received == b""
    transport.resume_reading()
    transport.resume_reading()
    assert transport.is_reading()
    both.settle()
    assert recorder.received == b"later"


def test_a_protocol_that_pauses_in_a_read_gets_nothing_more(both: Connections) -> None:
    recorder = Recorder(room=10)
    peer = both.start(recorder)
    recorder.on["buffer_updated"] = lambda transport: transport.pause_reading()
    peer.send(bytes(25))
    both.settle()
    assert len(recorder.received) == 10
    recorder.transport.resume_reading()
    both.settle()
    assert len(recorder.received) == 25


def test_the_end_of_the_peers_stream_closes_the_connection_after_what_is_unsent(both: Connections) -> None:
    recorder = Recorder()
    peer = both.start(recorder, buffer=4096)
    recorder.on["eof_received"] = lambda transport: transport.write(pattern(0, MANY))
    peer.shutdown(socket.SHUT_WR)
    assert both.read_all(peer) == pattern(0, MANY)
    both.settle()
    assert [*dict.fromkeys(recorder.events)] == ["connection_made", "eof_received", "pause_writing", "resume_writing",
                                                  "connection_lost"]  # fmt: skip
    assert recorder.error is None


def test_a_protocol_may_answer_after_the_end_of_the_peers_stream(both: Connections) -> None:
    recorder = Recorder(keep_open=True)
    peer = both.start(recorder)
    peer.send(b"question")
    peer.shutdown(socket.SHUT_WR)
    both.settle()
    assert recorder.events == ["connection_made", "buffer_updated", "eof_received"]
    recorder.transport.write(b"answer")
    recorder.transport.close()
    assert both.read_all(peer) == b"answer"


def test_a_half_closed_connection_goes_on_reading(both: Connections) -> None:
    recorder = Recorder()
    peer = both.start(recorder, buffer=4096)
    transport = recorder.transport
    assert transport.can_write_eof()
    transport.write(pattern(0, MANY))
    transport.write_eof()
    transport.write_eof()
    with pytest.raises(RuntimeError, match="after write_eof"):
        transport.write(b"more")
    assert both.read_all(peer) == pattern(0, MANY)
    peer.send(b"still here")
    both.settle()
    assert recorder.received == b"still here"
    assert not recorder.is_lost
    peer.shutdown(socket.SHUT_WR)
    both.settle()
    assert recorder.events[-2:] == ["eof_received", "connection_lost"]


def test_a_half_close_of_a_reset_connection_fails(both: Connections) -> None:
    recorder = Recorder()
    peer = both.start(recorder)
    recorder.transport.pause_reading()
    reset(peer)
    with pytest.raises(OSError, match=r"."):
        recorder.transport.write_eof()


def test_an_abort_drops_what_is_unsent(both: Connections) -> None:
    recorder = Recorder()
    peer = both.start(recorder, buffer=4096)
    recorder.transport.write(bytes(MANY))
    recorder.transport.abort()
    recorder.transport.abort()
    assert recorder.transport.is_closing()
    assert recorder.transport.get_write_buffer_size() == 0
    assert not recorder.is_lost
    recorder.transport.write(b"into the void")
    both.settle()
    assert recorder.is_lost
    assert recorder.error is None
    assert recorder.transport.get_protocol() is None
    assert len(both.read_all(peer)) < MANY


@pytest.mark.parametrize("event", ["connection_made", "buffer_updated", "eof_received", "pause_writing"])
@pytest.mark.parametrize("end", ["abort", "close"])
def test_a_protocol_may_end_its_connection_in_any_callback(both: Connections, event: str, end: str) -> None:
    recorder = Recorder(high=0)
    recorder.on[event] = lambda transport: getattr(transport, end)()
    peer = both.start(recorder, buffer=4096)
    if event != "connection_made":
        peer.send(b"x")
        peer.shutdown(socket.SHUT_WR)
        if event == "pause_writing":
            recorder.on["buffer_updated"] = lambda transport: transport.write(bytes(MANY))
    both.read_all(peer)
    both.settle()
    assert recorder.events.count("connection_lost") == 1


def test_a_connection_can_end_another_one_in_the_same_batch(both: Connections) -> None:
    recorders = [Recorder() for _ in range(10)]
    peers = [both.start(recorder) for recorder in recorders]
    for recorder in recorders:
        others = [other for other in recorders if other is not recorder]
        recorder.on["buffer_updated"] = lambda _, others=others: [other.transport.abort() for other in others]
    for peer in peers:
        peer.send(b"x")
    both.settle()
    assert sum(recorder.is_lost for recorder in recorders) == len(recorders) - 1
    assert sum(len(recorder.received) for recorder in recorders) == 1


def test_the_descriptor_of_an_ended_connection_can_be_used_again_in_the_same_batch(both: Connections) -> None:
    """The events of a batch are those of the transports that were ready at its beginning, not of their numbers."""
    recorders = [Recorder() for _ in range(20)]
    later = Recorder()
    peers = [both.start(recorder) for recorder in recorders]
    fresh, accepted = connect()

    def end_all_and_begin_another(transport: Any) -> None:
        for recorder in recorders:
            recorder.transport.abort()
        both.transports.start(accepted, later)

    recorders[0].on["buffer_updated"] = end_all_and_begin_another
    for peer in peers:
        peer.send(b"x")
    both.settle()
    fresh.send(b"y")
    both.loop.settle(later)
    assert later.received == b"y"
    assert all(recorder.is_lost for recorder in recorders)
    later.transport.abort()
    both.loop.settle(later)
    fresh.close()


@pytest.mark.parametrize("state", ["reading", "paused", "unsent", "half-closed", "closing"])
def test_a_reset_ends_the_connection_in_whatever_state_it_is(epoll: Connections, state: str) -> None:
    recorder = Recorder(keep_open=True)
    peer = epoll.start(recorder, buffer=4096)
    transport = recorder.transport
    if state in ("unsent", "closing"):
        transport.write(bytes(MANY))
    if state in ("paused", "unsent"):
        transport.pause_reading()
    if state == "half-closed":
        transport.write_eof()
    if state == "closing":
        transport.close()
    peer.send(b"x")
    epoll.settle()
    reset(peer)
    epoll.settle()
    assert recorder.is_lost
    assert isinstance(recorder.error, ConnectionError)


def test_after_both_directions_have_ended_there_is_nothing_to_wait_for(epoll: Connections) -> None:
    recorder = Recorder(keep_open=True)
    peer = epoll.start(recorder)
    recorder.on["eof_received"] = lambda transport: transport.write(b"answer")
    peer.shutdown(socket.SHUT_WR)
    epoll.settle()
    recorder.transport.write_eof()
    epoll.settle()
    assert recorder.events == ["connection_made", "eof_received", "connection_lost"]
    assert recorder.error is None
    assert epoll.read_all(peer) == b"answer"


def test_bytes_before_the_end_are_read_when_reading_is_resumed_after_both_directions_have_ended(
    both: Connections,
) -> None:
    recorder = Recorder()
    peer = both.start(recorder)
    recorder.transport.pause_reading()
    peer.send(b"last words")
    peer.shutdown(socket.SHUT_WR)
    recorder.transport.write(b"reply")
    recorder.transport.write_eof()
    # The kernel reports a hang-up here in every batch: the set must not spin.
    both.settle()
    assert not recorder.is_lost
    recorder.transport.resume_reading()
    both.settle()
    assert recorder.received == b"last words"
    assert recorder.events[-2:] == ["eof_received", "connection_lost"]
    assert both.read_all(peer) == b"reply"


@pytest.mark.parametrize("event", ["buffer_updated", "eof_received"])
def test_an_exception_of_a_protocol_ends_its_connection_and_no_other(both: Connections, event: str) -> None:
    unlucky, lucky = Recorder(), Recorder()
    peers = [both.start(recorder) for recorder in (unlucky, lucky)]
    unlucky.on[event] = fail(ZeroDivisionError())
    for peer in peers:
        peer.send(b"x")
    peers[0].shutdown(socket.SHUT_WR)
    both.settle()
    assert isinstance(unlucky.error, ZeroDivisionError)
    assert lucky.received == b"x"
    assert not lucky.is_lost
    assert len(take_errors(both)) == 1


@pytest.mark.parametrize("event", ["pause_writing", "resume_writing", "connection_lost"])
def test_an_exception_where_nothing_can_be_undone_is_reported(both: Connections, event: str) -> None:
    recorder = Recorder(high=0)
    peer = both.start(recorder, buffer=4096)
    recorder.on[event] = fail(ZeroDivisionError())
    recorder.transport.write(bytes(MANY))
    recorder.transport.close()
    assert len(both.read_all(peer)) == MANY
    both.settle()
    assert recorder.is_lost
    assert len(errors := take_errors(both)) == 1
    assert "ZeroDivisionError" in errors[0]


def test_a_protocol_that_fails_in_connection_made_is_told_of_the_end(epoll: Connections) -> None:
    recorder = Recorder()
    recorder.on["connection_made"] = fail(MemoryError())
    peer = epoll.start(recorder)
    assert recorder.events == ["connection_made", "connection_lost"]
    assert epoll.read_all(peer) == b""
    assert take_errors(epoll) == ["protocol.connection_made() failed MemoryError"]


def test_an_empty_buffer_is_not_taken_for_the_end_of_the_stream(both: Connections) -> None:
    recorder = Recorder(room=0)
    both.start(recorder).send(b"x")
    both.settle()
    assert recorder.events == ["connection_made", "connection_lost"]
    assert isinstance(recorder.error, RuntimeError)
    assert len(take_errors(both)) == 1


def test_what_is_no_buffer_is_not_written(both: Connections) -> None:
    recorder = Recorder()
    both.start(recorder)
    with pytest.raises(TypeError, match="bytes-like"):
        recorder.transport.write("text")


def test_the_protocol_can_be_changed_in_a_read(both: Connections) -> None:
    first, second = Recorder(room=4), Recorder()
    peer = both.start(first)
    first.on["buffer_updated"] = lambda transport: transport.set_protocol(second)
    peer.send(b"12345678")
    both.settle()
    assert (first.received, second.received) == (b"1234", b"5678")
    assert first.transport.get_protocol() is second
    first.transport.abort()
    both.settle()
    assert second.is_lost
    assert not first.is_lost
    both.recorders.remove(first)


def test_one_connection_reads_a_limited_number_of_bytes_in_a_batch(both: Connections) -> None:
    recorder = Recorder(room=1024)
    peer = both.start(recorder, buffer=1 << 20)
    recorder.transport.pause_reading()
    sent = 0
    # The kernel decides how much it takes.
    with suppress(BlockingIOError):
        while sent < 512 << 10:
            sent += peer.send(bytes(64 << 10))
    assert sent > 256 << 10
    both.loop.measure = lambda: len(recorder.received)
    recorder.transport.resume_reading()
    both.settle()
    assert both.loop.measured[0] == 256 << 10
    assert len(recorder.received) == sent


def test_a_batch_serves_a_limited_number_of_connections_and_the_others_come_next(epoll: Connections) -> None:
    recorders = [Recorder() for _ in range(150)]
    peers = [epoll.start(recorder) for recorder in recorders]
    epoll.loop.measure = lambda: sum(len(recorder.received) for recorder in recorders)
    for peer in peers:
        peer.send(b"x")
    epoll.settle()
    assert epoll.loop.measured == [64, 128, 150]


def test_the_address_of_the_peer_is_that_of_the_socket(both: Connections) -> None:
    for host in ("127.0.0.1", "::1"):
        peer, accepted = connect(host=host)
        expected = accepted.getpeername()
        recorder = Recorder()
        both.transports.start(accepted, recorder)
        both.loop.settle(recorder)
        assert recorder.transport.get_extra_info("peername") == expected
        recorder.transport.abort()
        both.loop.settle(recorder)
        assert recorder.transport.get_extra_info("peername") == expected
        assert recorder.transport.get_extra_info("no such name", "nothing") == "nothing"
        peer.close()


@pytest.mark.parametrize(
    "address",
    [
        None,
        ("203.0.113.255", 65535),
        ("2001:db8::ff", 1, 0xFFFFF, 0),
        ("fe80::1%lo", 1, 0, 1),
        ("::ffff:203.0.113.1", 1, 0, 0),
    ],
)
def test_an_address_is_kept_in_few_bytes_and_shown_in_full(epoll: Connections, address: Any) -> None:
    peer, accepted = connect()
    recorder = Recorder()
    epoll.transports.start(SimpleNamespace(getpeername=lambda: address, detach=accepted.detach), recorder)
    epoll.recorders.append(recorder)
    assert recorder.transport.get_extra_info("peername") == address
    peer.close()


def test_the_descriptor_is_that_of_the_socket_until_it_is_closed(epoll: Connections) -> None:
    peer, accepted = connect()
    number = accepted.fileno()
    recorder = Recorder()
    epoll.transports.start(accepted, recorder)
    epoll.recorders.append(recorder)
    assert recorder.transport.get_extra_info("descriptor") == number
    recorder.transport.abort()
    epoll.settle()
    assert recorder.transport.get_extra_info("descriptor") == -1
    peer.close()


def test_nothing_of_a_connection_is_left_to_the_garbage_collector(both: Connections) -> None:
    gc.collect()
    gc.disable()
    try:
        for end in ("abort", "close"):
            recorder = Recorder()
            peer = both.start(recorder, buffer=4096)
            recorder.transport.write(bytes(MANY))
            getattr(recorder.transport, end)()
            both.read_all(peer)
            both.settle()
            remains, kind = weakref.ref(recorder), type(recorder.transport)
            both.recorders.clear()
            del recorder
            assert remains() is None
            assert not any(type(each) is kind for each in gc.get_objects())
    finally:
        gc.enable()


def test_ended_connections_leave_no_file_descriptor(both: Connections) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(50):
        recorder = Recorder()
        peer = both.start(recorder)
        peer.close()
        both.loop.wait_until(lambda recorder=recorder: recorder.is_lost)
        both.recorders.clear()
    # Another thread of this process may have closed one meanwhile.
    assert set(os.listdir("/proc/self/fd")) <= before


def test_a_process_that_has_inherited_a_descriptor_gets_no_event_for_it(epoll: Connections) -> None:
    """Epoll watches open files, which outlive the descriptors that are closed (epoll(7), questions and answers)."""
    peer, accepted = connect()
    heir = os.dup(accepted.fileno())
    recorder = Recorder()
    epoll.transports.start(accepted, recorder)
    recorder.transport.abort()
    epoll.loop.settle(recorder)
    del recorder
    peer.send(b"to the heir")
    # An event that nobody takes would be reported in each iteration.
    epoll.settle()
    assert os.read(heir, 100) == b"to the heir"
    os.close(heir)
    peer.close()


def test_what_the_kernel_does_not_watch_ends_with_an_error(epoll: Connections, tmp_path: Path) -> None:
    """A plain file stands for every socket for which epoll_ctl(2) fails."""
    file = os.open(tmp_path / "file", os.O_CREAT)
    accepted = SimpleNamespace(getpeername=lambda: None, detach=lambda: file)
    recorder = Recorder()
    epoll.transports.start(accepted, recorder)
    epoll.loop.settle(recorder)
    assert recorder.events == ["connection_made", "connection_lost"]
    assert take_errors(epoll) == ["Fatal error on transport RuntimeError"]


def test_without_a_file_descriptor_for_the_set_there_is_an_error() -> None:
    program = (
        "import resource, asyncio\nfrom wsecho.tcp.epoll_transport import EpollTransports\n"
        "loop = asyncio.new_event_loop()\nresource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "try:\n    EpollTransports(loop)\nexcept OSError as error:\n    print(error.errno)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "24\n"


def test_a_closed_set_lets_go_of_the_event_loop() -> None:
    loop = Loop()
    transports: Any = EpollTransports(loop)
    transports.close()
    transports.close()
    loop.loop.close()


def test_a_set_works_on_the_event_loop_of_the_standard_library() -> None:
    async def echo_once() -> bytes:
        loop = asyncio.get_running_loop()
        transports: Any = EpollTransports(loop)
        recorder = Recorder()
        recorder.on["buffer_updated"] = lambda transport: transport.write(b"echo")
        peer, accepted = connect()
        transports.start(accepted, recorder)
        await loop.sock_sendall(peer, b"x")
        answer = await loop.sock_recv(peer, 100)
        peer.close()
        while not recorder.is_lost:
            await asyncio.sleep(0)
        transports.close()
        return answer

    assert asyncio.run(echo_once()) == b"echo"
