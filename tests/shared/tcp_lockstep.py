"""Runs a sequence of steps on both kinds of TCP transports and compares what protocol and peer see.

A step is what the protocol or the peer does next. The kernel decides how many bytes a socket takes at a time, so the
two are compared in what does not depend on that: which bytes have arrived where at the end, and which events came in
which order, except for those of back-pressure. What must hold at every moment, the protocol and the peer check as they
go (`Recorder`, `Peer`). Steps may also be planned for the next event of a kind, inside the protocol's method.
"""

import random
import select
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from tests.shared.server import PATIENCE
from tests.shared.tcp_transports import KINDS, Loop, Peer, Recorder, connect, pattern, reset

# A step: its name, and a number or the name of an event.
Step = tuple[str, int | str] | tuple[str, int | str, "Step"]

PROTOCOL_STEPS = ("write", "write_eof", "close", "abort", "pause", "resume", "limits", "keep_open")
PEER_STEPS = ("peer_sends", "peer_receives", "peer_ends", "peer_closes", "peer_resets")
EVENTS = ("buffer_updated", "eof_received", "pause_writing", "resume_writing")
SIZES = (0, 1, 20, 1000, 1024, 4096, 61_440, 70_000, 300_000)
LIMITS = (0, 1, 1000, 1 << 16, 1 << 20)
ROOMS = (16, 100, 4096, 61_440)
BUFFERS = (2048, 4096, 1 << 16, None)
# The end of these is an abrupt one: what is under way may be lost.
ABRUPT = {"abort", "peer_closes", "peer_resets"}
# Bytes that the peer receives at a time at the end.
STRIDE = 1 << 16


def random_step(source: random.Random) -> Step:
    """Return a step. Those that end something are rare, so that much happens before."""
    name = source.choices(
        [*PROTOCOL_STEPS, *PEER_STEPS, "iterate", "on"],
        weights=[8, 1, 1, 1, 3, 4, 3, 1, 8, 8, 1, 1, 1, 12, 4],
    )[0]
    if name == "on":
        return name, source.choice(EVENTS), random_step(source)
    if name == "limits":
        return name, source.choice(LIMITS)
    if name == "iterate":
        return name, source.choice((1, 2, 5, 30))
    return name, source.choice(SIZES)


def random_steps(source: random.Random) -> list[Step]:
    """Return a sequence; its first step says how large the buffers of the protocol and of the kernel are."""
    start = ("start", source.randrange(len(ROOMS) * len(BUFFERS)))
    return [start, *(random_step(source) for _ in range(source.randrange(1, 40)))]


class Run:
    """A sequence on one kind of transport."""

    def __init__(self, kind: str, start: int) -> None:
        self.loop = Loop()
        self.transports: Any = KINDS[kind](self.loop)
        self.recorder = Recorder(room=ROOMS[start % len(ROOMS)], keep_open=False)
        connected, accepted = connect(buffer=BUFFERS[start // len(ROOMS)])
        self.peer = Peer(connected)
        self.written = 0
        # Whether the connection has come to an end that may lose bytes, or that the two kinds notice at other moments.
        self.is_abrupt = False
        # Whether the protocol has closed the connection, and whether it has closed its own direction.
        self.is_closed = self.is_half_closed = False
        # Whether the peer has ended its side.
        self.peer_has_ended = False
        self.transports.start(accepted, self.recorder)
        self.loop.settle(self.recorder)

    def take(self, step: Step) -> None:
        """Do one step now."""
        name, value = step[:2]
        transport = self.recorder.transport
        self.is_abrupt |= name in ABRUPT
        if name == "on":
            self.recorder.on[str(value)] = lambda _: self.take(step[2])  # type: ignore[misc, arg-type]
        elif name == "write":
            self._write(int(value))
        elif name == "limits" and not transport.is_closing():
            transport.set_write_buffer_limits(high=int(value))
        elif name == "keep_open":
            self.recorder.keep_open = True
        elif name in ("pause", "resume"):
            # When reading is resumed, aiofastnet reads the end again and closes, whatever `eof_received` has returned.
            self.is_abrupt |= "eof_received" in self.recorder.events and not transport.is_closing()
            getattr(transport, f"{name}_reading")()
        elif name in ("close", "abort"):
            self.is_closed = True
            getattr(transport, name)()
        elif name == "write_eof":
            self.is_half_closed = self.is_half_closed or not transport.is_closing()
            with suppress(OSError):
                transport.write_eof()
        elif name == "iterate" and not self.recorder.is_inside:
            self.loop.iterate(int(value))
        elif name.startswith("peer_") and self.peer.socket.fileno() >= 0:
            self._let_peer(name, int(value))

    def _write(self, count: int) -> None:
        transport = self.recorder.transport
        was_closing = transport.is_closing()
        if self.is_half_closed:
            with pytest.raises(RuntimeError, match="after write_eof"):
                transport.write(pattern(self.written, count))
            return
        # Counted first: a step that is planned for `pause_writing` may write inside this one, behind it.
        start, self.written = self.written, self.written + count
        transport.write(pattern(start, count))
        # What a closing transport still takes is sent, but bytes behind an end are dropped.
        self.is_abrupt |= was_closing

    def _let_peer(self, name: str, value: int) -> None:
        if name == "peer_sends":
            self.peer.send(value)
        elif name == "peer_receives":
            self.peer.receive(value + 1)
        elif name == "peer_ends":
            self.peer.shut_down()
            self.peer_has_ended = True
        elif name == "peer_closes":
            self.peer.socket.close()
        elif name == "peer_resets":
            reset(self.peer.socket)

    def finish(self) -> None:
        """Let everything arrive that is under way, and end the connection."""
        self.recorder.on.clear()
        self.recorder.transport.resume_reading()
        self._let_everything_arrive()
        self.events = [event for event in self.recorder.events if event in ("eof_received", "connection_lost")]
        if not self.recorder.is_lost:
            is_sent = not self.recorder.transport.get_write_buffer_size()
            assert not (is_sent and self.recorder.is_paused), "all is sent, and the protocol has not been resumed"
            self.recorder.transport.abort()
            self.loop.settle(self.recorder)
        assert self.recorder.is_lost
        assert self.recorder.transport.get_write_buffer_size() == 0
        assert not self.loop.errors, self.loop.errors
        self.transports.close()
        self.peer.socket.close()
        self.loop.loop.close()
        self._require_that_nothing_is_left()

    def _let_everything_arrive(self) -> None:
        arrived_before, end = -1, 0.0
        self.loop.settle(self.recorder)
        while self.peer.receive(STRIDE) or self._is_under_way:
            arrived = self.peer.received + len(self.recorder.received)
            if arrived > arrived_before:
                arrived_before, end = arrived, time.monotonic() + PATIENCE
            assert time.monotonic() < end, "some bytes never arrive"
            self.loop.settle(self.recorder)
            if self.peer.socket.fileno() >= 0:
                # The kernel may wait a while before it sends the next bytes to a peer with a small buffer.
                select.select([self.peer.socket], [], [], 0.001)
        if self.is_closed and len(self.recorder.received) < self.peer.sent:
            # Closing a socket that has unread bytes resets the connection.
            self.is_abrupt = True

    @property
    def _is_under_way(self) -> bool:
        if self.is_abrupt or self.recorder.is_lost:
            return False
        has_come = len(self.recorder.received) == self.peer.sent
        # On a busy machine, the kernel may deliver the end later than the bytes before it.
        has_come &= not self.peer_has_ended or "eof_received" in self.recorder.events
        is_read = self.is_closed or has_come
        return not is_read or self.peer.received < self.written

    def _require_that_nothing_is_left(self) -> None:
        recorder = weakref.ref(self.recorder)
        self.received, self.error = bytes(self.recorder.received), self.recorder.error
        del self.recorder
        assert recorder() is None, "something of the connection is left to the garbage collector"


def check(steps: Sequence[Step]) -> None:
    """Run `steps` on both kinds of transports. Raises AssertionError if they differ or a property does not hold."""
    runs = {kind: _run(kind, steps) for kind in KINDS}
    own, reference = runs["epoll"], runs["aiofastnet"]
    for run in runs.values():
        assert run.received == pattern(0, len(run.received))
        assert len(run.received) <= run.peer.sent
    if own.is_abrupt or reference.is_abrupt:
        return
    for run in runs.values():
        assert run.is_closed or len(run.received) == run.peer.sent
        assert run.peer.received == run.written
        assert run.error is None
    if own.is_half_closed and own.events[-2:] == ["eof_received", "connection_lost"] != reference.events[-2:]:
        # Both directions have ended: the server's own transport does not wait until it is closed.
        own.events.pop()
    assert own.events == reference.events


def _run(kind: str, steps: Sequence[Step]) -> Run:
    run = Run(kind, int(steps[0][1]))
    for step in steps[1:]:
        run.take(step)
    run.finish()
    return run
