"""One WebSocket, from its 101 to its end: everything but the echo itself."""

import asyncio
import os
from dataclasses import dataclass
from random import random
from time import monotonic

import structlog

from wsecho.connections.echo_factory import EchoFactory
from wsecho.connections.fair_queues import InflateQueue
from wsecho.connections.keepalive import Keepalive, Limits
from wsecho.connections.loans import Loans
from wsecho.connections.registry import Connections
from wsecho.connections.timers import Timers
from wsecho.connections.transports import abort_if_reset, half_close, unread
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.options.config import Config
from wsecho.proxies.connections_per_address import ConnectionsPerAddress
from wsecho.telemetry.spans import Span
from wsecho.websocket.deflate import Agreement
from wsecho.websocket.echo import ABNORMAL_CLOSURE, CLOSED, CONTINUATION, GOING_AWAY, OPEN
from wsecho.websocket.violations import TOO_FAST, Violation

_PING_SIZE = 8
# What the transport keeps beside the bytes of each piece that waits: two objects and their place, some 120 bytes.
_PIECE_COST = 128
# What pieces without a loan may cost: a client can have single bytes echoed.
_MOST_FOR_PIECES = 256 << 10
_FAREWELLS = {"idle": b"no message for too long", "lifetime": b"connection has reached its maximum age"}


@dataclass(frozen=True, slots=True)
class WebSocketContext:
    """What the WebSockets of a worker share."""

    config: Config
    limits: Limits
    echoes: EchoFactory
    connections: Connections
    timers: Timers
    loans: Loans
    inflate_queue: InflateQueue
    connections_per_address: ConnectionsPerAddress
    counters: ConnectionCounters


class WebSocketConnection:
    """Decides what happens around the echo: back-pressure, the closing handshake, limits of time, the books."""

    __slots__ = (
        *(
            "_crowded",
            "_cut",
            "_echo",
            "_leaves",
            "_keepalive",
            "_limit",
            "_loan",
            "_log",
            "_opened",
            "_paused",
            "_pieces_before",
            "_pinged",
            "_context",
            "_client_key",
            "_span",
            "_transport",
            "_unread",
            "_waits",
            "_waits_for_frame",
            "_wire",
        ),
        "sweep",
    )

    def __init__(
        self,
        context: WebSocketContext,
        transport: asyncio.Transport,
        agreement: Agreement | None,
        log: structlog.typing.FilteringBoundLogger,
        span: Span,
        client_key: str,
    ) -> None:
        """`share` is what the connection is counted under among those of its client."""
        self._context = context
        self._client_key = client_key
        self._log = log
        self._span = span
        self._transport = transport
        # Whether what was read took so long that others have their turn first.
        self._waits = False
        self._unread = b""
        self._echo, self._wire = context.echoes.make(transport, self, agreement)
        self._opened = monotonic()
        self._keepalive = Keepalive(context.limits, self._opened, random())
        self.sweep: int | None = None
        # The bytes of its loan, 0 without one; whether fewer than there is room for are too many, because of the pieces
        # they are in; and the pieces written before those.
        self._loan = 0
        self._crowded = False
        self._pieces_before = 0
        # Whether it was told to go, or will be at the end of the frame that is being forwarded; which limit of time it
        # has reached, if one.
        self._leaves = False
        self._waits_for_frame = False
        self._limit: str | None = None
        # Whether we cut the connection; since when the peer is not read from; when our last ping was sent.
        self._cut = False
        self._paused: float | None = None
        self._pinged = 0.0

    def open(self, answer: bytes) -> None:
        """Take over the transport and write `answer`, the 101, and the greeting if there is one."""
        context = self._context
        # From here on we are told of the end, which gives everything back.
        self._transport.set_protocol(self._wire)
        # Before the answer, so that whoever has read a 101 is in the books, whatever happens to this process.
        context.counters.connection_opened()
        context.connections.add(self)
        self._transport.write(answer)
        if context.config.greeting:
            self._echo.greet(context.config.greeting)
            self._wire.send()
        self._plan_check(self._opened)

    def take(self, unread: bytes) -> None:
        """Echo what came in behind the handshake; what is left of it when others have their turn comes after them."""
        while unread and not self._waits and not self._transport.is_closing():
            room = self._echo.room()
            piece, unread = unread[:room], unread[room:]
            self._wire.feed(piece)
        self._unread = unread

    def echo_closes(self) -> None:
        """The echo has left its open state: a Close was sent, or can no longer be."""
        if violation := self._echo.violation:
            self._note(violation, self._echo.close_code or ABNORMAL_CLOSURE)
        if self._echo.state == CLOSED:
            # RFC 6455 section 7.1.1: half-close, then read until the peer has closed too. Closing at once could reset
            # the connection and take our last bytes with it.
            half_close(self._transport)
            self._watch(self._context.config.close_timeout)
        elif self._waits_for_frame:
            self._waits_for_frame = False
            self._watch(self._context.config.close_timeout)

    def _note(self, violation: Violation, code: int) -> None:
        """Count and log a broken rule; `code` is how the connection ends."""
        self._context.counters.violation(violation)
        peer = self._transport.get_extra_info("peername")
        self._log.info("protocol error", peer=peer, code=code, reason=violation.text)

    def pong_received(self) -> None:
        """Our ping was answered."""
        self._echo.ping_answered = False
        self._context.counters.round_trip(monotonic() - self._pinged)

    def nothing_to_send(self) -> None:
        """What was read needs no answer."""
        abort_if_reset(self._transport)

    def eof_received(self) -> None:
        """The peer closed its side; the transport sends what is left and closes ours."""
        if not self._leaves:
            self._watch(self._context.config.close_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, however it did."""
        try:
            self._end()
        finally:
            # They refer to us: nothing of a connection is left to the garbage collector.
            del self._wire
            self._echo.make_inflater = self._echo.inflater = None

    def _end(self) -> None:
        context = self._context
        # What others need back comes first, in case the rest fails.
        context.connections.remove(self)
        context.timers.discard(self)
        context.connections_per_address.remove(self._client_key)
        context.loans.forget(self)
        if self._echo.inflater:
            self._echo.inflater.close()
        now = monotonic()
        self._end_pause(now)
        seconds = now - self._opened
        code = self._echo.close_code or ABNORMAL_CLOSURE
        initiator = self._initiator()
        context.counters.connection_ended(seconds, code, initiator)
        peer = self._transport.get_extra_info("peername")
        self._log.debug("websocket closed", peer=peer, code=code, seconds=round(seconds, 3))
        self._span.close(code, initiator, self._echo)

    def _initiator(self) -> str:
        """Tell who sent the first Close or, without any, cut the connection."""
        echo = self._echo
        ours = self._cut or echo.close_code or echo.violation
        return "server" if ours and not echo.closed_by_peer else "client"

    def pause_writing(self) -> None:
        """The peer does not read: stop reading from it, too."""
        self._transport.pause_reading()
        self._paused = monotonic()
        self._context.loans.block(self)
        if not self._context.connections.is_watched(self):
            self._watch(self._context.config.stall_timeout)

    def resume_writing(self) -> None:
        """The peer has caught up, or a loan lets it go on for a while."""
        if not self._waits:
            self._transport.resume_reading()
        self._end_pause(monotonic())
        if self._echo.state == CLOSED:
            half_close(self._transport)
        self._context.loans.unblock(self)
        if self._crowded:
            self._limit_unsent()
        if not self._loan:
            self._unwatch()

    def wait(self) -> None:
        """What was read took too much of one turn of the loop: read on when others have had theirs."""
        if not self._waits:
            self._waits = True
            self._transport.pause_reading()
            self._context.inflate_queue.wait(self._go_on)

    def _go_on(self) -> None:
        self._waits = False
        try:
            # Far more than a limit allows can come out between two sweeps.
            self.check(monotonic())
            self.take(self._unread)
        except BaseException:
            # As a transport does where reading fails; the loop says why.
            self.abort()
            raise
        if self._paused is None and not self._waits and not self._transport.is_closing():
            self._transport.resume_reading()

    def _end_pause(self, now: float) -> None:
        if self._paused is not None:
            self._context.counters.backpressure(now - self._paused)
            self._paused = None

    def message_in_progress(self) -> int | None:
        """Return the number of the message of which a part has come and the rest is wanted, None between messages."""
        echo = self._echo
        return echo.messages if echo.state == OPEN and echo.message_opcode != CONTINUATION else None

    def lend(self, room: int) -> None:
        """Allow to keep `room` bytes before reading stops; 0: no more than without a loan. The stall limit goes on."""
        self._loan = room
        self._limit_unsent()
        if not room and not self.unsent():
            self._unwatch()

    def _limit_unsent(self) -> None:
        """Let the transport stop us at what there is room for. It finds at once on which side of that it is."""
        self._crowded = False
        if self._transport.is_closing():
            return
        # A loan is for going on as soon as there is room; else a peer first has most of what waits to read.
        high = self._loan or self._context.config.write_buffer_limit
        self._transport.set_write_buffer_limits(high=high, low=self._loan or None)

    def restart_stall_timeout(self) -> None:
        """The peer sends on what it was lent room for, and may read later."""
        if self._stays():
            self._watch(self._context.config.stall_timeout)

    def call_in(self) -> None:
        """End the connection: others need the memory that the peer was lent and does not use."""
        if not self._limit:
            self._context.counters.timeout("loan")
        self.abort()

    def many_pieces_written(self) -> None:
        """Stop reading, too, where what waits is little, and in so many pieces that it costs much."""
        cost = self._cost_of_pieces()
        if cost > (self._loan - self.unsent() if self._loan else _MOST_FOR_PIECES):
            self._crowded = True
            self._transport.set_write_buffer_limits(high=self.unsent() - 1)

    def _cost_of_pieces(self) -> int:
        """Return what the pieces that wait take beside their bytes, at most."""
        unsent = self.unsent()
        if not unsent:
            self._pieces_before = self._wire.pieces
        return min(self._wire.pieces - self._pieces_before, unsent) * _PIECE_COST

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""
        # A transport that has ended has no protocol, and would ask it all the same: that is a crash.
        return self._transport.get_write_buffer_size() if self._transport.get_protocol() else 0

    def held(self) -> int:
        """Return the memory, in bytes, that `unsent` takes with what each piece of it costs."""
        return self.unsent() + self._cost_of_pieces()

    def moved(self) -> int:
        """Return the bytes that have come from the peer and that it has taken."""
        return self._echo.bytes_received + self.taken()

    def taken(self) -> int:
        """Return the bytes of frames that the peer has taken."""
        return self._wire.written - (unread(self._transport) if self._transport.get_protocol() else 0)

    def expire(self) -> None:
        """The peer neither read nor closed in time."""
        # An end is counted once: who has reached another limit of time has been counted for that.
        if not self._limit:
            self._context.counters.timeout("stall" if self._echo.state == OPEN and not self._leaves else "close")
        self.abort()

    def check(self, now: float) -> None:
        """Ping a silent peer, and end what has lived or lasted or sent too much."""
        echo = self._echo
        if not self._stays():
            return
        due = self._keepalive.check(
            now,
            # What they inflate to is what they cost.
            bytes_received=echo.bytes_received + (echo.inflater.cost if echo.inflater else 0),
            frames=echo.frames,
            messages=echo.messages,
            blocked=self._waits or self._paused is not None,
        )
        if due == "ping":
            self._ping(now)
        elif due == "silence":
            self._context.counters.timeout("ping")
            self.abort()
        elif due == "rate":
            self._note(TOO_FAST, TOO_FAST.code)
            self._close(TOO_FAST.code, TOO_FAST.text.encode())
            # No Close can be sent in the midst of a frame. To wait for the end of a long one is to forward it.
            if self._waits_for_frame and self._context.limits.exceeds_burst(echo.frame_remaining):
                self.abort()
        elif due:
            self._context.counters.timeout(due)
            self._limit = due
            self._close(GOING_AWAY, _FAREWELLS[due])
        self._plan_check(now)

    def _stays(self) -> bool:
        """Tell whether the connection is open and has not been told to go."""
        return self._echo.state == OPEN and not self._leaves and not self._transport.is_closing()

    def _plan_check(self, now: float) -> None:
        when = self._keepalive.next_check(now)
        if when is not None and self._stays():
            self._context.timers.put(self, when)

    def _ping(self, now: float) -> None:
        # Random, so that it tells nothing, and nobody can answer it before it has come.
        payload = os.urandom(_PING_SIZE)
        self._echo.ping(payload)
        # None in the midst of a frame that is being forwarded.
        if self._echo.unanswered_ping == payload:
            self._pinged = now
        self._wire.send()

    def abort(self) -> None:
        """Cut the connection."""
        self._cut = True
        self._transport.abort()

    def drain(self) -> None:
        """Tell the peer that the server goes away (RFC 6455 section 7.4.1, code 1001)."""
        if self._stays():
            self._close(GOING_AWAY, b"server is shutting down")

    def _close(self, code: int, reason: bytes) -> None:
        self._leaves = True
        self._echo.close(code, reason)
        self._wire.send()
        # The peer can end its frame whenever it likes, so nothing that it does moves the deadline until it has.
        self._waits_for_frame = self._echo.state == OPEN
        self._watch(self._context.config.close_timeout, is_fixed=self._waits_for_frame)

    def _watch(self, limit: float, *, is_fixed: bool = False) -> None:
        self._context.connections.watch(self, limit, monotonic(), is_fixed=is_fixed)

    def _unwatch(self) -> None:
        """The peer has read: drop its deadline, unless it has to leave."""
        if self._stays():
            self._context.connections.unwatch(self)
