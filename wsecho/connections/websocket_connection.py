"""A WebSocket connection, from the 101 response to its end: everything except the echo itself."""

import asyncio
import os
from dataclasses import dataclass
from random import random
from time import monotonic

import structlog

from wsecho.connections.echo_factory import EchoFactory
from wsecho.connections.fair_queues import EchoQueue
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
# Overhead of each piece that waits in the transport, in bytes: two objects and their place in a queue, some 120 bytes.
_PIECE_OVERHEAD = 128
# The most overhead of all pieces that wait, in bytes, without a loan: a client can make each piece a single byte.
_MAX_OVERHEAD = 256 << 10
_CLOSE_REASONS = {"idle": b"no message for too long", "lifetime": b"connection has reached its maximum age"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WebSocketContext:
    """What the WebSocket connections of a worker share.

    `logs_connections` says whether lines of the level debug are logged, such as that a WebSocket was closed.
    """

    config: Config
    limits: Limits
    echoes: EchoFactory
    connections: Connections
    timers: Timers
    loans: Loans
    echo_queue: EchoQueue
    connections_per_address: ConnectionsPerAddress
    counters: ConnectionCounters
    logs_connections: bool


class WebSocketConnection:
    """Controls a connection around its echo: back-pressure, the closing handshake, time limits and counting."""

    __slots__ = (
        *(
            "_aborted",
            "_client_key",
            "_close_is_pending",
            "_closing",
            "_context",
            "_echo",
            "_is_queued",
            "_keepalive",
            "_limit_is_lowered",
            "_loan",
            "_log",
            "_opened_at",
            "_paused_at",
            "_pieces_before",
            "_pinged_at",
            "_reached_limit",
            "_span",
            "_transport",
            "_unread",
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
        """`client_key` is the key under which the connection is counted as one of its client."""
        self._context = context
        self._client_key = client_key
        self._log = log
        self._span = span
        self._transport = transport
        # Whether the connection waits in the echo queue, because a read took too much time; and the bytes behind
        # the handshake that are still to be echoed.
        self._is_queued = False
        self._unread = b""
        self._echo, self._wire = context.echoes.make(transport, self, agreement)
        self._opened_at = monotonic()
        self._keepalive = Keepalive(context.limits, self._opened_at, random())
        self.sweep: int | None = None
        # The room of its loan in bytes, 0 without a loan.
        self._loan = 0
        # Whether the transport's limit is lowered, because the pieces that wait have too much overhead; and how many
        # pieces had been written when none was waiting.
        self._limit_is_lowered = False
        self._pieces_before = 0
        # Whether the server has begun to close the connection; whether its Close frame is delayed until the end of the
        # frame that is being forwarded; and which time limit the connection has reached, if any.
        self._closing = False
        self._close_is_pending = False
        self._reached_limit: str | None = None
        # Whether the server aborted the connection; since when reading is paused, because the peer does not read; and
        # when the last ping was sent.
        self._aborted = False
        self._paused_at: float | None = None
        self._pinged_at = 0.0

    def open(self, answer: bytes) -> None:
        """Take over the transport. Write `answer`, the 101 response, and the greeting if one is configured."""
        context = self._context
        # From here on, `connection_lost` of this object gives back everything that the connection takes.
        self._transport.set_protocol(self._wire)
        # Before the answer, so that a client that has read the 101 response is already counted, even if this process
        # dies.
        context.counters.connection_opened()
        context.connections.add(self)
        self._transport.write(answer)
        if context.config.greeting:
            self._echo.greet(context.config.greeting)
            self._wire.send()
        self._schedule_check(self._opened_at)

    def take(self, unread: bytes) -> None:
        """Echo the bytes that arrived behind the handshake. If the connection has to wait in the echo queue, the
        rest is kept for later.
        """
        while unread and not self._is_queued and not self._transport.is_closing():
            room = self._echo.room()
            piece, unread = unread[:room], unread[room:]
            self._wire.feed(piece)
        self._unread = unread

    def echo_closes(self) -> None:
        """The echo has left its open state: a Close frame was sent, or cannot be sent any more."""
        if violation := self._echo.violation:
            self._count_violation(violation, self._echo.close_code or ABNORMAL_CLOSURE)
        if self._echo.state == CLOSED:
            # RFC 6455 section 7.1.1: half-close, then read until the peer has closed too. Closing at once could reset
            # the connection and destroy the server's last bytes.
            self._half_close()
            self._watch(self._context.config.close_timeout)
        elif self._close_is_pending:
            self._close_is_pending = False
            self._watch(self._context.config.close_timeout)

    def _half_close(self) -> None:
        half_close(self._transport)

    def _count_violation(self, violation: Violation, code: int) -> None:
        """Count and log a violation. `code` is the close code with which the connection ends."""
        self._context.counters.violation(violation)
        peer = self._transport.get_extra_info("peername")
        self._log.info("protocol error", peer=peer, code=code, reason=violation.text)

    def pong_received(self) -> None:
        """The peer has answered the last ping: count its round-trip time."""
        self._echo.ping_answered = False
        self._context.counters.round_trip(monotonic() - self._pinged_at)

    def nothing_to_send(self) -> None:
        """The last read needs no answer: check for a reset, because no write will find it."""
        abort_if_reset(self._transport)

    def eof_received(self) -> None:
        """The peer has closed its side of the connection. The transport sends the remaining bytes and closes."""
        if not self._closing:
            self._watch(self._context.config.close_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, for whatever reason."""
        try:
            self._clean_up()
        finally:
            # Both refer to this object. Without these cycles, nothing of a connection is left to the garbage collector.
            del self._wire
            self._echo.make_inflater = self._echo.inflater = None

    def _clean_up(self) -> None:
        context = self._context
        # First give back what other connections need, in case the rest fails.
        context.connections.remove(self)
        context.timers.discard(self)
        context.connections_per_address.remove(self._client_key)
        context.loans.forget(self)
        if self._echo.inflater:
            self._echo.inflater.close()
        now = monotonic()
        self._end_pause(now)
        seconds = now - self._opened_at
        code = self._close_code()
        initiator = self._initiator()
        context.counters.connection_ended(seconds, code, initiator)
        if context.logs_connections:
            peer = self._transport.get_extra_info("peername")
            self._log.debug("websocket closed", peer=peer, code=code, seconds=round(seconds, 3))
        self._span.close(code, initiator, self._echo)

    def _close_code(self) -> int:
        """Return the code of the first Close frame, 1006 if there was none."""
        return self._echo.close_code or ABNORMAL_CLOSURE

    def _initiator(self) -> str:
        """Return which side, `server` or `client`, sent the first Close frame or, without one, ended the connection."""
        echo = self._echo
        by_server = self._aborted or echo.close_code or echo.violation
        return "server" if by_server and not echo.closed_by_peer else "client"

    def pause_writing(self) -> None:
        """The peer does not read: stop reading from it."""
        self._transport.pause_reading()
        self._paused_at = monotonic()
        self._context.loans.block(self)
        if not self._context.connections.is_watched(self):
            self._watch(self._context.config.stall_timeout)

    def resume_writing(self) -> None:
        """The peer has read enough, or a loan lets it write more: read from it again."""
        if not self._is_queued:
            self._transport.resume_reading()
        self._end_pause(monotonic())
        if self._echo.state == CLOSED:
            self._half_close()
        self._context.loans.unblock(self)
        if self._limit_is_lowered:
            self._set_write_limits()
        if not self._loan:
            self._unwatch()

    def wait(self) -> None:
        """The last read took too much time: pause reading, and wait in the echo queue."""
        if not self._is_queued:
            self._is_queued = True
            self._transport.pause_reading()
            self._context.echo_queue.wait(self._resume)

    def _resume(self) -> None:
        self._is_queued = False
        try:
            # Between two sweeps, data can inflate to far more than a rate limit allows.
            self.check(monotonic())
            self.take(self._unread)
        except BaseException:
            # As the transport does when reading fails. The event loop reports the error.
            self.abort()
            raise
        if self._paused_at is None and not self._is_queued and not self._transport.is_closing():
            self._transport.resume_reading()

    def _end_pause(self, now: float) -> None:
        if self._paused_at is not None:
            self._context.counters.backpressure(now - self._paused_at)
            self._paused_at = None

    def message_in_progress(self) -> int | None:
        """Return the number of the message of which only a part has arrived, or None between messages."""
        echo = self._echo
        return echo.messages if echo.state == OPEN and echo.message_opcode != CONTINUATION else None

    def lend(self, room: int) -> None:
        """Allow `room` bytes to wait before reading stops; 0: as many as without a loan. A deadline stays as it is."""
        self._loan = room
        self._set_write_limits()
        if not room and not self.unsent():
            self._unwatch()

    def _set_write_limits(self) -> None:
        """Set how many bytes may wait in the transport, which may call `pause_writing` or `resume_writing` at once."""
        self._limit_is_lowered = False
        if self._transport.is_closing():
            return
        # With a loan, reading resumes as soon as there is room. Without one, the peer must first read most of what
        # waits.
        high = self._loan or self._context.config.write_buffer_limit
        self._transport.set_write_buffer_limits(high=high, low=self._loan or None)

    def restart_stall_timeout(self) -> None:
        """Start the stall timeout anew: the peer does not read, but it uses its loan."""
        if self._is_open():
            self._watch(self._context.config.stall_timeout)

    def call_in(self) -> None:
        """End the connection: another client needs the memory, and the peer uses its loan too little or too slowly."""
        if not self._reached_limit:
            self._count_timeout("loan")
        self.abort()

    def many_pieces_written(self) -> None:
        """Stop reading if the pieces that wait have too much overhead, even if they hold few bytes."""
        overhead = self._overhead_of_pieces()
        if overhead > (self._loan - self.unsent() if self._loan else _MAX_OVERHEAD):
            self._limit_is_lowered = True
            self._transport.set_write_buffer_limits(high=self.unsent() - 1)

    def _overhead_of_pieces(self) -> int:
        """Return an upper bound, in bytes, of the overhead of the pieces that wait in the transport."""
        unsent = self.unsent()
        if not unsent:
            self._pieces_before = self._wire.pieces
        return min(self._wire.pieces - self._pieces_before, unsent) * _PIECE_OVERHEAD

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""
        # A closed transport has no protocol, but would call it all the same: the process would crash.
        return self._transport.get_write_buffer_size() if self._transport.get_protocol() else 0

    def held(self) -> int:
        """Return the memory, in bytes, that the unsent bytes take, with the overhead of each piece of them."""
        return self.unsent() + self._overhead_of_pieces()

    def moved(self) -> int:
        """Return the bytes received from the peer plus the bytes taken by it."""
        return self._echo.bytes_received + self.taken()

    def taken(self) -> int:
        """Return the bytes of frames that the peer has taken so far."""
        return self._wire.written - (unread(self._transport) if self._transport.get_protocol() else 0)

    def expire(self) -> None:
        """End the connection, because the peer did not read or close in time."""
        # An end is counted once: a connection that has reached another time limit was counted for that one.
        if not self._reached_limit:
            self._count_timeout("stall" if self._echo.state == OPEN and not self._closing else "close")
        self.abort()

    def _count_timeout(self, limit: str) -> None:
        self._context.counters.timeout(limit)

    def check(self, now: float) -> None:
        """Ping a silent peer. End a connection that has been silent, idle, open or sending too fast for too long."""
        echo = self._echo
        if not self._is_open():
            return
        due = self._keepalive.check(
            now,
            # Compressed data also counts as what it inflates to, because that is what it costs.
            bytes_received=echo.bytes_received + (echo.inflater.cost if echo.inflater else 0),
            frames=echo.frames,
            messages=echo.messages,
            blocked=self._is_blocked(),
        )
        if due == "ping":
            self._ping(now)
        elif due == "silence":
            self._count_timeout("ping")
            self.abort()
        elif due == "rate":
            self._count_violation(TOO_FAST, TOO_FAST.code)
            self._close(TOO_FAST.code, TOO_FAST.text.encode())
            # No Close frame can be sent inside another frame. Waiting for the end of a long one means forwarding it.
            if self._close_is_pending and self._context.limits.exceeds_burst(echo.frame_remaining):
                self.abort()
        elif due:
            self._count_timeout(due)
            self._reached_limit = due
            self._close(GOING_AWAY, _CLOSE_REASONS[due])
        self._schedule_check(now)

    def _is_blocked(self) -> bool:
        """Return whether the server does not read from the connection."""
        return self._is_queued or self._paused_at is not None

    def _is_open(self) -> bool:
        """Return whether the connection is open and the server has not begun to close it."""
        return self._echo.state == OPEN and not self._closing and not self._transport.is_closing()

    def _schedule_check(self, now: float) -> None:
        when = self._keepalive.next_check(now)
        if when is not None and self._is_open():
            self._context.timers.put(self, when)

    def _ping(self, now: float) -> None:
        # The payload is random: it reveals nothing, and the peer cannot send the right pong before it has the ping.
        payload = os.urandom(_PING_SIZE)
        self._echo.ping(payload)
        # The echo sends no ping while it is forwarding a frame.
        if self._echo.unanswered_ping == payload:
            self._pinged_at = now
        self._wire.send()

    def abort(self) -> None:
        """Close the connection at once, without a Close frame."""
        self._aborted = True
        self._transport.abort()

    def drain(self) -> None:
        """Send a Close frame, because the server stops (RFC 6455 section 7.4.1, code 1001)."""
        if self._is_open():
            self._close(GOING_AWAY, b"server is shutting down")

    def _close(self, code: int, reason: bytes) -> None:
        self._closing = True
        self._echo.close(code, reason)
        self._wire.send()
        # The peer alone decides when its frame ends, so nothing that it does moves the deadline until then.
        self._close_is_pending = self._echo.state == OPEN
        self._watch(self._context.config.close_timeout, is_fixed=self._close_is_pending)

    def _watch(self, limit: float, *, is_fixed: bool = False) -> None:
        self._context.connections.watch(self, limit, monotonic(), is_fixed=is_fixed)

    def _unwatch(self) -> None:
        """Remove the deadline, because the peer has read. A connection that is being closed keeps it."""
        if self._is_open():
            self._context.connections.unwatch(self)
