"""Both kinds of TCP transports between a recording protocol and a peer, on one event loop that a test moves forward."""

import asyncio
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvloop
from wsecho.tcp.epoll_transport import EpollTransports

from tests.shared.server import PATIENCE
from wsecho.processes.listening_socket import ListeningSocket
from wsecho.tcp.transports import TcpTransports

KINDS: dict[str, Any] = {"epoll": EpollTransports, "aiofastnet": TcpTransports}
# Iterations of the event loop without an event after which nothing more is expected, and the most until then.
QUIET, MOST_ITERATIONS = 4, 20_000
_STREAM = b"".join(number.to_bytes(4, "big") for number in range(1 << 20))

# As in the server: it warns about writes after the end of a connection.
logging.getLogger("aiofastnet").setLevel(logging.ERROR)


class Loop:
    """An event loop for transports, which notes what they do with it."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: self.errors.append(context))
        self.errors: list[dict[str, Any]] = []
        # How often a callback for a ready file descriptor has run.
        self.wakeups = 0
        # What `measure` has returned behind each of these callbacks.
        self.measured: list[int] = []
        self.measure: Callable[[], int] | None = None

    def add_reader(self, descriptor: Any, callback: Callable[..., None], *arguments: Any) -> None:
        def ready() -> None:
            self.wakeups += 1
            callback(*arguments)
            if self.measure:
                self.measured.append(self.measure())

        self.loop.add_reader(descriptor, ready)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loop, name)

    def iterate(self, count: int = 1) -> None:
        """Run iterations of the event loop."""

        async def pass_by() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.loop.run_until_complete(pass_by())

    def settle(self, *recorders: "Recorder") -> None:
        """Run the event loop until nothing happens any more. A transport that spins never settles."""
        seen, quiet = None, 0
        for _ in range(MOST_ITERATIONS):
            self.iterate()
            now = self.wakeups, [(len(recorder.events), len(recorder.received)) for recorder in recorders]
            quiet = quiet + 1 if now == seen else 0
            seen = now
            if quiet == QUIET:
                return
        raise AssertionError("the event loop does not come to rest")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Run the event loop until the condition holds. The kernel may wait before it sends what was written."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "this did not come true"
            self.iterate()


class Recorder(asyncio.BufferedProtocol):
    """A protocol that notes its events. `on` has actions for the next event of a name; they get the transport."""

    transport: Any

    def __init__(self, *, room: int = 4096, keep_open: bool = False, high: int | None = None) -> None:
        self.events: list[str] = []
        self.received = bytearray()
        self.error: Exception | None = None
        self.on: dict[str, Callable[[Any], None]] = {}
        self.keep_open = keep_open
        # Whether a method of this protocol is running.
        self.is_inside = False
        self.is_paused = False
        self._high = high
        self._buffer = memoryview(bytearray(room))

    @property
    def is_lost(self) -> bool:
        return "connection_lost" in self.events

    @contextmanager
    def event(self, name: str) -> Iterator[None]:
        """Note an event, and run its action. No event may come inside another, but for those of back-pressure."""
        assert not self.is_lost, f"{name} after connection_lost"
        assert not self.is_inside or name in ("pause_writing", "resume_writing"), f"{name} inside another event"
        was_inside, self.is_inside = self.is_inside, True
        self.events.append(name)
        try:
            yield
            if action := self.on.pop(name, None):
                action(self.transport)
        finally:
            self.is_inside = was_inside

    def is_buffered_protocol(self) -> bool:
        return True

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        with self.event("connection_made"):
            if self._high is not None:
                transport.set_write_buffer_limits(high=self._high)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, received: int) -> None:
        self.received += self._buffer[:received]
        with self.event("buffer_updated"):
            assert received > 0

    def eof_received(self) -> bool:
        with self.event("eof_received"):
            pass
        return self.keep_open

    def pause_writing(self) -> None:
        assert not self.is_paused
        self.is_paused = True
        with self.event("pause_writing"):
            pass

    def resume_writing(self) -> None:
        assert self.is_paused
        self.is_paused = False
        with self.event("resume_writing"):
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        with self.event("connection_lost"):
            pass


def connect(*, buffer: int | None = None, host: str = "127.0.0.1") -> tuple[socket.socket, socket.socket]:
    """Return a peer's socket and the accepted one, with kernel buffers of about `buffer` bytes, if it is given."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ListeningSocket(family, socket.SOCK_STREAM) as listening:
        if buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        listening.bind((host, 0))
        listening.listen()
        peer = socket.socket(family, socket.SOCK_STREAM)
        if buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.connect(listening.getsockname())
        accepted, _ = listening.accept()
    peer.setblocking(False)
    return peer, accepted


def reset(peer: socket.socket) -> None:
    """Close the peer's socket with a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def pattern(start: int, count: int) -> bytes:
    """Return a part of a stream in which all places within 4 MiB differ."""
    start %= len(_STREAM)
    return (_STREAM * ((start + count) // len(_STREAM) + 1))[start : start + count]


class Peer:
    """The other end: it sends and receives the bytes of `pattern`, and checks what it receives."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.sent = 0
        self.received = 0
        # How the stream has ended: not yet (None), "eof" or "reset".
        self.end: str | None = None

    def send(self, count: int) -> None:
        with suppress(OSError):
            self.sent += self.socket.send(pattern(self.sent, count))

    def shut_down(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def receive(self, count: int) -> bool:
        """Receive at most `count` bytes. Return whether there was something."""
        if self.end or self.socket.fileno() < 0:
            return False
        try:
            data = self.socket.recv(count)
        except BlockingIOError:
            return False
        except ConnectionError:
            self.end = "reset"
            return True
        assert data == pattern(self.received, len(data))
        self.received += len(data)
        if not data:
            self.end = "eof"
        return True


class Connections:
    """Starts transports of one kind on a loop of their own, and closes everything at the end."""

    def __init__(self, kind: str) -> None:
        self.loop = Loop()
        self.transports = KINDS[kind](self.loop)
        self.peers: list[socket.socket] = []
        self.recorders: list[Recorder] = []

    def start(self, recorder: Recorder, *, buffer: int | None = None) -> socket.socket:
        """Connect, start a transport, and wait until its protocol has it. Return the peer's socket."""
        peer, accepted = connect(buffer=buffer)
        self.transports.start(accepted, recorder)
        self.peers.append(peer)
        self.recorders.append(recorder)
        self.loop.settle(recorder)
        return peer

    def settle(self) -> None:
        """Run the event loop until nothing happens any more."""
        self.loop.settle(*self.recorders)

    def read_all(self, peer: socket.socket) -> bytes:
        """Read from a peer, with the event loop running, until the end of the stream."""
        received = bytearray()

        def has_ended() -> bool:
            with suppress(BlockingIOError):
                data = peer.recv(1 << 16)
                received.extend(data)
                return not data
            return False

        self.loop.wait_until(has_ended)
        return bytes(received)

    def close(self) -> None:
        for recorder in self.recorders:
            if not recorder.is_lost and "connection_made" in recorder.events:
                recorder.on.clear()
                recorder.transport.abort()
        self.settle()
        self.transports.close()
        for peer in self.peers:
            peer.close()
        self.loop.loop.close()
