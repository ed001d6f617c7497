"""Validates compressed messages (RFC 7692): inflates them, measures the result and discards it."""

import zlib
from collections.abc import Callable

from wsecho.websocket.deflate import Agreement
from wsecho.websocket.inflate_state import BETWEEN_BLOCKS, InflateState, state_of

# The four octets that a sender leaves out at the end of every message (RFC 7692 section 7.2.1).
_MESSAGE_END = b"\x00\x00\xff\xff"
_PIECE_SIZE = 32 * 1024
# Approximate size, in bytes, of zlib's state without its window.
_STATE_SIZE = 10 * 1024
# How long one connection may inflate in one iteration of the event loop, in nanoseconds, before other connections are
# served first. The reduced limit holds once all connections together have inflated for _TOTAL_LIMIT in that iteration.
_CONNECTION_LIMIT = 3_000_000
_TOTAL_LIMIT = 25_000_000
_REDUCED_CONNECTION_LIMIT = 400_000
# The most bytes of one read. They can inflate to a thousand times as much, and nobody else is served meanwhile. Above
# _TOTAL_LIMIT, a read brings only as much as is inflated in less than a millisecond.
_READ_SIZE = 16 << 10
_REDUCED_READ_SIZE = 512
# As long as all connections together have inflated for fewer nanoseconds, it does not matter in which iteration they
# did, and the end of the iteration is not scheduled.
_NEGLIGIBLE = 100_000
# The rate limit of a connection counts inflated bytes, none of which takes _NANOSECONDS_PER_BYTE. A call that takes
# longer than its output explains counts as more bytes: one per _NANOSECONDS_PER_BYTE, but at most _LIMIT_PER_BYTE for
# each byte of input plus _LIMIT_PER_CALL, however long other processes ran in the meantime.
_NANOSECONDS_PER_BYTE = 8
_LIMIT_PER_BYTE = 16
_LIMIT_PER_CALL = 512


class InflaterMemory:
    """Bytes that the inflaters of a worker take, and the limit above which new connections get no compression."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self) -> bool:
        """Return whether compression may be negotiated for another connection."""
        return self.used < self.limit


class InflateBudget:
    """How long all connections of a worker have inflated in the current iteration of the event loop.

    `spent` is in nanoseconds. `iteration` is the number of the iteration; one in which next to nothing is inflated has
    the same number as the next.
    """

    __slots__ = ("_schedule_end", "clock", "iteration", "spent")

    def __init__(self, schedule_end: Callable[[], None], clock: Callable[[], int]) -> None:
        """`schedule_end` must arrange that `end` is called in the next iteration. `clock` returns monotonic
        nanoseconds.
        """
        self._schedule_end = schedule_end
        self.clock = clock
        self.iteration = 0
        self.spent = 0

    def spend(self, nanoseconds: int) -> None:
        """Count time that was spent inflating in this iteration."""
        before = self.spent
        self.spent += nanoseconds
        if before < _NEGLIGIBLE <= self.spent:
            self._schedule_end()

    def is_full(self) -> bool:
        """Return whether all connections together have spent too much of this iteration."""
        return self.spent >= _TOTAL_LIMIT

    def room(self) -> int:
        """Return the most bytes that the next read may bring, on a connection with compression."""
        return _REDUCED_READ_SIZE if self.is_full() else _READ_SIZE

    def end(self) -> None:
        """End this iteration: the next one begins."""
        self.iteration += 1
        self.spent = 0


class Inflater:
    """Inflates the messages of one connection, a piece at a time. It is made when the first compressed message comes.

    `cost` is the cost of all input so far, in bytes: the inflated bytes, or more if inflating took longer than they do.
    """

    __slots__ = (
        "_agreement",
        "_budget",
        "_compressed",
        "_is_exhausted",
        "_iteration",
        "_limit_exceeded",
        "_measured_until",
        "_memory",
        "_spent",
        "_state",
        "_stream",
        "_stream_ended",
        "cost",
    )

    def __init__(
        self, agreement: Agreement, memory: InflaterMemory, budget: InflateBudget, limit_exceeded: Callable[[], None]
    ) -> None:
        """`limit_exceeded` is called, once or more often, when this connection has inflated for too long in one
        iteration of the event loop.
        """
        self._agreement = agreement
        self._memory = memory
        self._budget = budget
        self._limit_exceeded = limit_exceeded
        # Nanoseconds that this connection has spent in the iteration of that number, and when they were last counted.
        self._iteration = 0
        self._spent = 0
        self._measured_until = 0
        self.cost = 0
        self._stream: zlib._Decompress | None = None
        self._state: InflateState | None = None
        self._compressed = b""
        # Whether the input so far can give no more output, and whether it ends with the final block of a stream.
        self._is_exhausted = True
        self._stream_ended = False
        memory.used += self._size

    @property
    def _size(self) -> int:
        return (1 << self._agreement.window_bits) + _STATE_SIZE

    def feed(self, compressed: bytes) -> None:
        """Accept the next bytes of a message. Then `next_piece` must be called until it returns nothing."""
        self._compressed = compressed
        self._is_exhausted = not compressed
        self._measured_until = self._budget.clock()

    def next_piece(self) -> bytes | None:
        """Return inflated bytes, at most 32 KiB; empty if more input is needed, None if the input is invalid."""
        while not self._is_exhausted:
            size = len(self._compressed)
            if self._stream is None:
                self._stream = zlib.decompressobj(-self._agreement.window_bits)
                self._state = state_of(self._stream)
            try:
                piece = self._stream.decompress(self._compressed, _PIECE_SIZE)
            except zlib.error:
                return None
            self._stream_ended = self._stream.eof
            if self._stream_ended:
                # RFC 7692 section 7.2.3.4: after a final block comes another stream, or nothing. The new stream starts
                # without context, because no sender is known to refer back across a final block.
                self._compressed = self._stream.unused_data
                self._stream = None
                self._is_exhausted = not self._compressed
            else:
                self._compressed = self._stream.unconsumed_tail
                # A piece that could have been longer is the last one.
                self._is_exhausted = len(piece) < _PIECE_SIZE and not self._compressed
            self._count(size - len(self._compressed), len(piece))
            if piece:
                return piece
        return b""

    def end_message(self) -> bool:
        """Return whether the message whose last bytes were fed is complete.

        Drop the context unless context takeover was negotiated (RFC 7692 section 7.1.1).
        """
        is_whole = self._stream_ended or self._accepts_message_end()
        self._stream_ended = False
        if not self._agreement.context_takeover:
            self._stream = None
        return is_whole

    def _accepts_message_end(self) -> bool:
        """Inflate the octets that the sender left out. They must be the last octets of an empty stored block."""
        if self._stream is None or self._state is None:
            return False
        try:
            piece = self._stream.decompress(_MESSAGE_END, 1)
        except zlib.error:
            return False
        if self._stream.eof:
            # The sender has marked that block as final.
            is_whole = not self._stream.unused_data
            self._stream = None
        else:
            is_whole = self._state.value == BETWEEN_BLOCKS
        self._count(len(_MESSAGE_END), 0)
        return is_whole and not piece

    def _count(self, consumed: int, inflated: int) -> None:
        budget = self._budget
        now = budget.clock()
        elapsed = now - self._measured_until
        self._measured_until = now
        most = consumed * _LIMIT_PER_BYTE + _LIMIT_PER_CALL
        self.cost += max(inflated, min(elapsed // _NANOSECONDS_PER_BYTE, most))
        budget.spend(elapsed)
        if self._iteration != budget.iteration:
            self._iteration = budget.iteration
            self._spent = 0
        self._spent += elapsed
        if self._spent >= (_REDUCED_CONNECTION_LIMIT if budget.is_full() else _CONNECTION_LIMIT):
            self._limit_exceeded()

    def close(self) -> None:
        """Release the memory."""
        self._stream = self._state = None
        self._memory.used -= self._size
