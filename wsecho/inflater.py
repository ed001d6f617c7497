"""Looking into compressed messages: they are inflated to be checked and measured, and the result is thrown away."""

import zlib
from collections.abc import Callable

from wsecho.deflate import Agreement

# What a sender leaves out at the end of every message (RFC 7692 section 7.2.1).
_MESSAGE_END = b"\x00\x00\xff\xff"
_PIECE_SIZE = 32 * 1024
# zlib's state beside its window, about.
_STATE_SIZE = 10 * 1024
# What a call of zlib costs beside the bytes that come out, in bytes that come out in the same time: half a microsecond.
_CALL = 512
# What one connection may inflate in a turn of the loop before others have theirs: some three milliseconds' work. After
# what all may, some 25 milliseconds', it is less.
_MUCH = 2 << 20
_MUCH_IN_ALL = 16 << 20
_LITTLE = 256 << 10
# Bytes that may arrive at once: nobody else is served while they are inflated, to a thousand times as much. Who comes
# after all have inflated too much gets room for what is inflated in less than a millisecond.
_ROOM = 16 << 10
_LITTLE_ROOM = 512
# What is not worth finding out in which turn it was.
_NEGLIGIBLE = 64 << 10


class InflaterMemory:
    """What the inflaters of a worker take, in bytes, and what they may take until no more compression is agreed on."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def has_room(self) -> bool:
        """Tell whether another connection may be promised an inflater."""
        return self.used < self.limit


class Turn:
    """The turn that the event loop is in, and what all connections of a worker have inflated in it."""

    __slots__ = ("_await_end", "number", "spent")

    def __init__(self, await_end: Callable[[], None]) -> None:
        """`await_end` has to see to it that `end` is called when the loop has come round."""
        self._await_end = await_end
        self.number = 0
        self.spent = 0

    def spend(self, size: int) -> None:
        """Count `size` bytes, or what takes as long."""
        before = self.spent
        self.spent += size
        if before < _NEGLIGIBLE <= self.spent:
            self._await_end()

    def is_full(self) -> bool:
        """Tell whether all together have inflated too much for one turn."""
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
        "_compressed",
        "_is_spent",
        "_memory",
        "_much_inflated",
        "_number",
        "_spent",
        "_stream",
        "_turn",
        "cost",
    )

    def __init__(
        self, agreement: Agreement, memory: InflaterMemory, turn: Turn, much_inflated: Callable[[], None]
    ) -> None:
        """`much_inflated` is called, once or more often, where this is too much for one turn. `cost` is all that came
        out, and what streams cost that end within a message.
        """
        self._agreement = agreement
        self._memory = memory
        self._turn = turn
        self._much_inflated = much_inflated
        # What was spent in the turn of that number.
        self._number = 0
        self._spent = 0
        self.cost = 0
        self._stream: zlib._Decompress | None = None
        self._compressed = b""
        # Whether all that can come out has come out.
        self._is_spent = True
        memory.used += self._size

    @property
    def _size(self) -> int:
        return (1 << self._agreement.window_bits) + _STATE_SIZE

    def _new_stream(self) -> "zlib._Decompress":
        return zlib.decompressobj(-self._agreement.window_bits)

    def feed(self, compressed: bytes, ends_message: bool) -> None:
        """Take the next bytes of a message, with `ends_message` its last ones. Then take `next_piece` to the end."""
        self._compressed = compressed + _MESSAGE_END if ends_message else compressed
        self._is_spent = False

    def next_piece(self) -> bytes | None:
        """Return the next inflated bytes, 32 KiB at most; empty if more input is needed, None if this is no deflate."""
        while not self._is_spent:
            stream = self._stream = self._stream or self._new_stream()
            try:
                piece = stream.decompress(self._compressed, _PIECE_SIZE)
            except zlib.error:
                return None
            self._compressed = stream.unconsumed_tail
            self._count(len(piece) + _CALL)
            self.cost += len(piece)
            if stream.eof:
                # A message can be nothing but ends of streams, of two bytes each.
                self.cost += _CALL
                # RFC 7692 section 7.2.3.4: after a last block comes another stream, or nothing. It starts without
                # context: no sender is known to refer back across such a block.
                self._stream = None
                self._compressed = stream.unused_data if stream.unused_data != _MESSAGE_END else b""
            # A piece that could have been longer is the last one.
            self._is_spent = len(piece) < _PIECE_SIZE and not self._compressed
            if piece:
                return piece
        return b""

    def _count(self, size: int) -> None:
        turn = self._turn
        turn.spend(size)
        if self._number != turn.number:
            self._number = turn.number
            self._spent = 0
        self._spent += size
        if self._spent >= (_LITTLE if turn.is_full() else _MUCH):
            self._much_inflated()

    def end_message(self) -> None:
        """Forget the context, unless it was agreed to keep it."""
        if not self._agreement.context_takeover:
            self._stream = None

    def close(self) -> None:
        """Give the memory back."""
        self._stream = None
        self._memory.used -= self._size
