"""Cuts what a client sends into pieces, each of which belongs to one frame. Pure.

It checks no rule: the codec does that. Where the bytes are no frames, everything is one piece after another.
"""

from dataclasses import dataclass

from wsecho.websocket.echo import (
    CONTROL_BIT,
    FIN,
    MASKED,
    OPCODE_BITS,
    SIZE_BITS,
    SIZE_IN_2_BYTES,
    SIZE_IN_8_BYTES,
)

_LONGEST_CONTROL = 125
_MASK_SIZE = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one frame, as they came. Those of a control frame are the whole frame.

    `begins_frame` says that they begin with the header, of `header` bytes, which ends with `mask`. `ends_frame` says
    that the frame is complete, `is_final` that it has the FIN bit.
    """

    data: bytes
    opcode: int
    begins_frame: bool
    ends_frame: bool
    is_final: bool
    header: int = 0
    mask: bytes = b""

    @property
    def is_control(self) -> bool:
        """Whether the frame is a Close, Ping or Pong frame."""
        return bool(self.opcode & CONTROL_BIT)

    @property
    def ends_message(self) -> bool:
        """Whether a data message is complete with this piece."""
        return self.ends_frame and self.is_final and not self.is_control

    @property
    def size(self) -> int:
        """The payload bytes in the piece."""
        return len(self.data) - self.header

    def payload(self, offset: int = 0) -> bytes:
        """Return the payload bytes without their mask. `offset` is the number of payload bytes before the piece."""
        return unmasked(self.data[self.header :], self.mask, offset)


def unmasked(data: bytes, mask: bytes, offset: int = 0) -> bytes:
    """Return data without its mask (RFC 6455 section 5.3); `data` itself if `mask` is empty."""
    if not mask or not data:
        return data
    offset %= _MASK_SIZE
    repeated = (mask[offset:] + mask * (len(data) // _MASK_SIZE + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(data), "big")


class Cutter:
    """Cuts the bytes of one connection."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        # The frame in progress: payload bytes to come, opcode, FIN bit, mask.
        self._remaining = 0
        self._opcode = 0
        self._is_final = False
        self._mask = b""
        # Whether the bytes are no frames, so that they are not cut any more.
        self._is_broken = False

    def feed(self, data: bytes) -> None:
        """Add bytes that the client has sent."""
        self._data = self._data[self._at :] + data
        self._at = 0

    def begins(self, opcode: int) -> bool:
        """Return whether what has arrived ends with the beginning of a frame with this opcode.

        It may be called when `take` has returned None.
        """
        return len(self._data) > self._at and self._data[self._at] & OPCODE_BITS == opcode

    def take(self) -> Piece | None:
        """Return the next piece, None if more bytes are needed."""
        room = len(self._data) - self._at
        if not room:
            return None
        if self._is_broken:
            return self._piece(room, begins=False)
        if self._remaining:
            return self._piece(min(self._remaining, room), begins=False)
        return self._frame(room)

    def _frame(self, room: int) -> Piece | None:
        """Return the beginning of the frame that begins here, or the whole frame."""
        if room < 2:
            return None
        first, second = self._data[self._at], self._data[self._at + 1]
        size = second & SIZE_BITS
        extended = {SIZE_IN_2_BYTES: 2, SIZE_IN_8_BYTES: 8}.get(size, 0)
        header = 2 + extended + (_MASK_SIZE if second & MASKED else 0)
        is_control = bool(first & CONTROL_BIT)
        if is_control and size > _LONGEST_CONTROL:
            self._is_broken = True
            self._opcode = 0
            return self.take()
        if room < header + (size if is_control else 0):
            return None
        if extended:
            size = int.from_bytes(self._data[self._at + 2 : self._at + 2 + extended], "big")
        self._opcode = first & OPCODE_BITS
        self._is_final = bool(first & FIN)
        stop = self._at + header
        self._mask = self._data[stop - _MASK_SIZE : stop] if second & MASKED else b""
        self._remaining = header + size
        return self._piece(min(self._remaining, room), begins=True, header=header)

    def _piece(self, size: int, *, begins: bool, header: int = 0) -> Piece:
        data = self._data[self._at : self._at + size]
        self._at += size
        self._remaining = max(self._remaining - size, 0)
        ends = not self._remaining and not self._is_broken
        return Piece(data, self._opcode, begins, ends, self._is_final, header, self._mask)
