"""Looking into compressed messages: they are inflated to be checked and measured, and the result is thrown away."""

import zlib
from collections.abc import Callable

from wsecho.websocket.deflate import Agreement
from wsecho.websocket.inflate_state import BETWEEN_BLOCKS, InflateState, state_of

# What a sender leaves out at the end of every message (RFC 7692 section 7.2.1).
_MESSAGE_END = b"\x00\x00\xff\xff"
_PIECE_SIZE = 32 * 1024
# zlib's state beside its window, about.
_STATE_SIZE = 10 * 1024
# What one connection may take of a turn of the loop, in nanoseconds, before others have theirs; and what, once all
# together have taken very much.
_MUCH = 3_000_000
_MUCH_IN_ALL = 25_000_000
_LITTLE = 400_000
# Bytes that may arrive at once: nobody else is served while they are inflated, to a thousand times as much. Who comes
# after all have taken too much gets room for what is inflated in less than a millisecond.
_ROOM = 16 << 10
_LITTLE_ROOM = 512
# What is not worth finding out in which turn it was.
_NEGLIGIBLE = 100_000
# A connection's rate counts bytes. What takes longer than bytes that come out ever do counts as more of them; but one
# that goes in stands for no more than this many, however long the system had something else to do in the meantime.
_NANOSECONDS_FOR_A_BYTE = 8
_MOST_FOR_A_BYTE = 16
_MOST_FOR_A_CALL = 512


class InflaterMemory:
    """What the inflaters of a worker take, in bytes, and what they may take until no more compression is agreed on."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self) -> bool:
        """Tell whether another connection may be promised an inflater."""
        return self.used < self.limit


class InflateBudget:
    """The turn that the event loop is in, and how long all connections of a worker have inflated in it."""

    __slots__ = ("_await_end", "clock", "number", "spent")

    def __init__(self, await_end: Callable[[], None], clock: Callable[[], int]) -> None:
        """`await_end` has to see to it that `end` is called when the loop has come round. `clock` is monotonic, in
        nanoseconds.
        """
        self._await_end = await_end
        self.clock = clock
        self.number = 0
        self.spent = 0

    def spend(self, nanoseconds: int) -> None:
        """Count what was taken of the turn."""
        before = self.spent
        self.spent += nanoseconds
        if before < _NEGLIGIBLE <= self.spent:
            self._await_end()

    def is_full(self) -> bool:
        """Tell whether all together have taken too much of one turn."""
        return self.spent >= _MUCH_IN_ALL

    def room(self) -> int:
        """Return how many bytes of a connection on which compression was agreed may arrive at once, now."""
        return _LITTLE_ROOM if self.is_full() else _ROOM

    def end(self) -> None:
        """Begin the next one."""
        self.number += 1
        self.spent = 0


class Inflater:
    """Inflates the messages of one connection, a piece at a time. Made when the first compressed message comes."""

    __slots__ = (
        "_agreement",
        "_budget",
        "_compressed",
        "_counted",
        "_has_ended",
        "_is_spent",
        "_memory",
        "_much_inflated",
        "_number",
        "_spent",
        "_state",
        "_stream",
        "cost",
    )

    def __init__(
        self, agreement: Agreement, memory: InflaterMemory, budget: InflateBudget, much_inflated: Callable[[], None]
    ) -> None:
        """`much_inflated` is called, once or more often, where this is too much for one turn. `cost` is all that came
        out, in bytes, or what takes as long.
        """
        self._agreement = agreement
        self._memory = memory
        self._budget = budget
        self._much_inflated = much_inflated
        # What was spent in the turn of that number, and until when it was counted.
        self._number = 0
        self._spent = 0
        self._counted = 0
        self.cost = 0
        self._stream: zlib._Decompress | None = None
        self._state: InflateState | None = None
        self._compressed = b""
        # Whether all that can come out has come out, and whether the last block of a stream was the last that went in.
        self._is_spent = True
        self._has_ended = False
        memory.used += self._size

    @property
    def _size(self) -> int:
        return (1 << self._agreement.window_bits) + _STATE_SIZE

    def feed(self, compressed: bytes) -> None:
        """Take the next bytes of a message. Then take `next_piece` to the end."""
        self._compressed = compressed
        self._is_spent = not compressed
        self._counted = self._budget.clock()

    def next_piece(self) -> bytes | None:
        """Return the next inflated bytes, 32 KiB at most; empty if more input is needed, None if this is no deflate."""
        while not self._is_spent:
            size = len(self._compressed)
            if self._stream is None:
                self._stream = zlib.decompressobj(-self._agreement.window_bits)
                self._state = state_of(self._stream)
            try:
                piece = self._stream.decompress(self._compressed, _PIECE_SIZE)
            except zlib.error:
                return None
            self._has_ended = self._stream.eof
            if self._has_ended:
                # RFC 7692 section 7.2.3.4: after a last block comes another stream, or nothing. It starts without
                # context: no sender is known to refer back across such a block.
                self._compressed = self._stream.unused_data
                self._stream = None
                self._is_spent = not self._compressed
            else:
                self._compressed = self._stream.unconsumed_tail
                # A piece that could have been longer is the last one.
                self._is_spent = len(piece) < _PIECE_SIZE and not self._compressed
            self._count(size - len(self._compressed), len(piece))
            if piece:
                return piece
        return b""

    def end_message(self) -> bool:
        """Tell whether the message whose last bytes were fed is whole. Forget the context, unless it is to be kept."""
        is_whole = self._has_ended or self._takes_message_end()
        self._has_ended = False
        if not self._agreement.context_takeover:
            self._stream = None
        return is_whole

    def _takes_message_end(self) -> bool:
        """Feed what the sender left out: it must be the rest of an empty block, and the last octets of that."""
        if self._stream is None or self._state is None:
            return False
        try:
            piece = self._stream.decompress(_MESSAGE_END, 1)
        except zlib.error:
            return False
        if self._stream.eof:
            # That block was marked as the last one.
            is_whole = not self._stream.unused_data
            self._stream = None
        else:
            is_whole = self._state.value == BETWEEN_BLOCKS
        self._count(len(_MESSAGE_END), 0)
        return is_whole and not piece

    def _count(self, consumed: int, inflated: int) -> None:
        budget = self._budget
        now = budget.clock()
        taken = now - self._counted
        self._counted = now
        most = consumed * _MOST_FOR_A_BYTE + _MOST_FOR_A_CALL
        self.cost += max(inflated, min(taken // _NANOSECONDS_FOR_A_BYTE, most))
        budget.spend(taken)
        if self._number != budget.number:
            self._number = budget.number
            self._spent = 0
        self._spent += taken
        if self._spent >= (_LITTLE if budget.is_full() else _MUCH):
            self._much_inflated()

    def close(self) -> None:
        """Give the memory back."""
        self._stream = self._state = None
        self._memory.used -= self._size
