"""Hundreds of peers that drip their requests or do not read their echoes: the others are served, and they are ended."""

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.conftest import Serve
from tests.faults.bystander import undisturbed
from tests.shared.frames import BINARY, TEXT, client_frame, server_frame
from tests.shared.memory import peak_memory, resident_memory
from tests.shared.processes import wait_until
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, RunningServer


class Crowd:
    """Many connections, all driven by one thread."""

    def __init__(self, connections: list[RawConnection]) -> None:
        self.connections = connections
        self.ends: list[bytes] = []
        self._left = set(connections)
        self._stopped = threading.Event()

    def drive(self, words: bytes) -> None:
        """Send `words` byte by byte on every connection, in turn, and note how the server ended each of them."""
        position = 0
        while self._left and not self._stopped.wait(0.05):
            letter = words[position % len(words)].to_bytes(1, "big")
            position += 1
            for connection in list(self._left):
                self._drip(connection, letter)

    def _drip(self, connection: RawConnection, letter: bytes) -> None:
        connection.socket.setblocking(False)
        try:
            connection.socket.send(letter)
            said = connection.socket.recv(1 << 12)
        except BlockingIOError:
            return
        except ConnectionError:
            said = b""
        self.ends.append(said)
        self._left.discard(connection)
        connection.socket.close()

    @contextmanager
    def driven(self, words: bytes) -> Iterator[None]:
        thread = threading.Thread(target=self.drive, args=(words,))
        thread.start()
        try:
            yield
            thread.join(PATIENCE)
        finally:
            self._stopped.set()
            thread.join()


def served(server: RunningServer) -> bool:
    with RawConnection(server.port).open() as client:
        client.send(client_frame(TEXT, b"hello"))
        return client.receive(7) == server_frame(TEXT, b"hello")


def test_500_that_drip_their_heads_disturb_nobody_and_are_ended(serve: Serve) -> None:
    server = serve("--handshake-timeout", "5s", "--close-timeout", "1s")
    with undisturbed(server) as bystander:
        crowd = Crowd([RawConnection(server.port) for _ in range(500)])
        with crowd.driven(HANDSHAKE[:20] + b"X-Drip: " + b"x" * 8000):
            for _ in range(20):
                assert served(server)
            bystander.must_be_served(100)
        # Each was ended, by word wherever the word could still be read.
        assert len(crowd.ends) == 500
        assert {end[:12] for end in crowd.ends} <= {b"HTTP/1.1 408", b""}
    seen = server.metrics()
    assert seen['websocket_timeouts_total{limit="handshake"}'] == 500
    assert seen['websocket_handshakes_total{outcome="abandoned",reason="timeout",status_class="none"}'] == 500


def test_500_that_say_nothing_at_all_are_ended_without_a_word(serve: Serve) -> None:
    server = serve("--handshake-timeout", "1s")
    with undisturbed(server) as bystander:
        crowd = [RawConnection(server.port) for _ in range(500)]
        assert served(server)
        for connection in crowd:
            assert connection.receive_all() == b""
            connection.socket.close()
        bystander.must_be_served()
    assert server.metrics()['websocket_timeouts_total{limit="handshake"}'] == 500


def test_100_that_do_not_read_cost_little_and_are_cut_off(serve: Serve) -> None:
    server = serve("--stall-timeout", "6s", "--loan-limit", "0")
    with undisturbed(server) as bystander:
        before = resident_memory(server.pid)
        crowd = [RawConnection(server.port, receive_buffer=4096).open() for _ in range(100)]
        sent = write_until_blocked(crowd, client_frame(BINARY, bytes(16_000)) * 4)
        assert sent > 100 * 64_000  # more than one piece for each: the server has stopped reading
        assert served(server)
        bystander.must_be_served(50)
        # Unsent bytes of each: those that one read brought, of at most 60 KiB and a held frame.
        assert peak_memory(server.pid) - before < 100 * (80 << 10) + (4 << 20)
        wait_until(lambda: server.metrics()["websocket_active_connections"] == 1)
        for connection in crowd:
            connection.socket.close()
    seen = server.metrics()
    assert seen['websocket_timeouts_total{limit="stall"}'] == 100
    assert seen['websocket_closes_total{code="1006",initiator="server"}'] == 100
    assert seen["websocket_backpressure_seconds_total"] > 100


def write_until_blocked(crowd: list[RawConnection], words: bytes) -> int:
    """Send on all connections until each is cut off or none takes more for half a second; return the bytes."""
    sent = 0
    with selectors.DefaultSelector() as selector:
        for connection in crowd:
            connection.socket.setblocking(False)
            selector.register(connection.socket, selectors.EVENT_WRITE, memoryview(words))
        while writable := selector.select(0.5):
            for key, _ in writable:
                rest: memoryview = key.data
                assert isinstance(key.fileobj, socket.socket)
                try:
                    taken = key.fileobj.send(rest)
                except ConnectionError:
                    selector.unregister(key.fileobj)
                    continue
                sent += taken
                selector.modify(key.fileobj, selectors.EVENT_WRITE, rest[taken:] or memoryview(words))
    return sent


def test_who_reads_slowly_but_reads_stays(serve: Serve) -> None:
    server = serve("--stall-timeout", "5s")
    message = bytes(range(256)) * 2000
    reply = server_frame(BINARY, message)
    with undisturbed(server) as bystander, RawConnection(server.port, receive_buffer=4096).open() as slow:
        sending = threading.Thread(target=slow.send, args=(client_frame(BINARY, message),))
        sending.start()
        got = b""
        while len(got) < len(reply):
            got += slow.receive(min(16_384, len(reply) - len(got)))
            bystander.must_be_served(35)  # all of it takes longer than a stall may
        sending.join()
        assert got == reply
    wait_until(lambda: server.metrics()["websocket_messages_sent_total"])
    assert server.metrics()['websocket_timeouts_total{limit="stall"}'] == 0


def test_who_reads_slowly_out_of_large_buffers_stays(serve: Serve) -> None:
    # The kernel's buffers hold so much that nothing moves in the server for much longer than a stall may last.
    server = serve("--stall-timeout", "4s", "--loan-limit", "0")
    with RawConnection(server.port).open() as slow:
        words = client_frame(BINARY, bytes(60_000)) * 400
        sending = threading.Thread(target=send_until_ended, args=(slow, words))
        sending.start()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            # More than a window is opened by at once, in a second.
            assert len(slow.receive(16_384)) == 16_384
            threading.Event().wait(0.2)
        assert server.metrics()['websocket_timeouts_total{limit="stall"}'] == 0
        slow.socket.shutdown(socket.SHUT_RDWR)
        sending.join()


def send_until_ended(connection: RawConnection, words: bytes) -> None:
    with suppress(OSError):
        connection.send(words)
