"""Cuts the messages that the server sends into fragments, and drops some of them. Pure."""

from collections.abc import Callable

from wsecho.websocket.echo import CONTINUATION, CONTROL_BIT, FIN, OPCODE_BITS, SIZE_IN_2_BYTES, SIZE_IN_8_BYTES


def framed(first: int, payload: bytes) -> bytes:
    """Return a frame as a server writes it (RFC 6455 section 5.2). `first` is its first byte."""
    return header(first, len(payload)) + payload


def header(first: int, size: int) -> bytes:
    """Return the header of a frame with `size` bytes of payload."""
    return bytes((first,)) + _length(size)


def _length(size: int) -> bytes:
    if size < SIZE_IN_2_BYTES:
        return bytes((size,))
    if size <= 0xFFFF:
        return bytes((SIZE_IN_2_BYTES,)) + size.to_bytes(2, "big")
    return bytes((SIZE_IN_8_BYTES,)) + size.to_bytes(8, "big")


class Frames:
    """Reads the frames that the server is about to send, in whatever pieces they come, and returns what it sends.

    `number` is the number of the data message in progress, or of the last one, from 1. After each `feed`, `payload` and
    `completed` are the payload bytes of data frames in what was returned, and the messages that end in it.
    """

    def __init__(self, fragment: int | None, is_dropped: Callable[[int], bool]) -> None:
        """`fragment` is the longest payload of a frame, None for frames as they come."""
        self._fragment = fragment
        self._is_dropped = is_dropped
        self.number = 0
        self.payload = 0
        self.completed = 0
        # The frame in progress: its first byte, and the payload bytes still to come of it and of its last fragment.
        self._first = 0
        self._remaining = 0
        self._fragment_remaining = 0
        # Whether the message in progress is dropped.
        self._drops = False
        # The beginning of a header that is not complete.
        self._header = b""

    def feed(self, data: bytes) -> bytes:
        """Return what is sent for these bytes."""
        self.payload = self.completed = 0
        data, self._header = self._header + data, b""
        out = bytearray()
        at = 0
        while at < len(data):
            if not self._remaining:
                size = _header_size(data, at)
                if size is None:
                    self._header = data[at:]
                    break
                self._begin(data[at : at + size], out)
                at += size
            piece = data[at : at + self._remaining]
            at += len(piece)
            self._remaining -= len(piece)
            self._take(piece, out)
        return bytes(out)

    @property
    def _is_control(self) -> bool:
        return bool(self._first & CONTROL_BIT)

    def _begin(self, head: bytes, out: bytearray) -> None:
        self._first = head[0]
        self._remaining = head[1] if len(head) == 2 else int.from_bytes(head[2:], "big")
        if not self._is_control and self._first & OPCODE_BITS != CONTINUATION:
            self.number += 1
            self._drops = self._is_dropped(self.number)
        if self._is_control or (not self._drops and self._fragment is None):
            out += head

    def _take(self, piece: bytes, out: bytearray) -> None:
        """Take payload of the frame in progress, of which `_remaining` bytes are still to come."""
        if self._is_control:
            out += piece
            return
        if self._drops:
            return
        self.payload += len(piece)
        self.completed += not self._remaining and bool(self._first & FIN)
        if self._fragment is None:
            out += piece
        else:
            self._put_fragments(piece, self._fragment, out)

    def _put_fragments(self, piece: bytes, size: int, out: bytearray) -> None:
        """Put payload of the frame in fragments. Nothing waits: each begins with the first byte of its payload."""
        if self._fragment_remaining:
            continued = piece[: self._fragment_remaining]
            out += continued
            self._fragment_remaining -= len(continued)
            piece = piece[len(continued) :]
            if not piece:
                return
        whole, rest = divmod(len(piece), size)
        begin = len(out)
        out += _equal_frames(piece[: whole * size], size)
        last = begin + (whole - 1) * (1 + len(_length(size)) + size)
        if rest or not (whole or self._remaining):
            last = len(out)
            length = min(size, rest + self._remaining)
            out += header(CONTINUATION, length) + piece[whole * size :]
            self._fragment_remaining = length - rest
        if len(out) == begin:
            return
        # The first fragment has the opcode and the reserved bits, all others are continuation frames.
        out[begin] = self._first & ~FIN
        self._first &= FIN
        if self._remaining == self._fragment_remaining:
            out[last] |= self._first


def _header_size(data: bytes, at: int) -> int | None:
    """Return the size of the header that begins at a position, None if it is not complete."""
    if len(data) - at < 2:
        return None
    size = {SIZE_IN_2_BYTES: 4, SIZE_IN_8_BYTES: 10}.get(data[at + 1], 2)
    return size if len(data) - at >= size else None


def _equal_frames(payload: bytes, size: int) -> bytes:
    """Return continuation frames of `size` payload bytes each. The time does not depend on how small they are."""
    beginning = header(CONTINUATION, size)
    count = len(payload) // size
    if count <= size:
        return b"".join(beginning + payload[at : at + size] for at in range(0, len(payload), size))
    # One slice for each byte of a frame, which sets it in all of them.
    frame_size = len(beginning) + size
    out = bytearray(count * frame_size)
    for index, byte in enumerate(beginning):
        out[index::frame_size] = bytes((byte,)) * count
    for index in range(size):
        out[len(beginning) + index :: frame_size] = payload[index::size]
    return bytes(out)
