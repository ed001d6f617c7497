"""Finds the frames in bytes that one side has sent, whether they are allowed or not. Pure."""

from collections import Counter
from dataclasses import dataclass

from wsecho.websocket.echo import CLOSE, MASKED, NO_STATUS, OPCODE_BITS, SIZE_BITS, SIZE_IN_2_BYTES, SIZE_IN_8_BYTES

_EXTENDED = {SIZE_IN_2_BYTES: 2, SIZE_IN_8_BYTES: 8}
_MASK = 4
# The size of a short frame, header and all, by the second byte of it; 0 for frames that are long.
_SHORT_SIZES = [
    0 if second & SIZE_BITS in _EXTENDED else 2 + (second & SIZE_BITS) + (_MASK if second & MASKED else 0)
    for second in range(256)
]
_LONGEST_RUN = 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame without its payload. `first` is its first byte, with FIN, the reserved bits and the opcode.

    `code` is the close code: 1005 if a Close frame has none, 0 if it is no Close frame. A frame that is not complete
    has been announced with this size, and less has arrived.
    """

    first: int
    size: int
    is_masked: bool
    code: int = 0
    is_complete: bool = True

    @property
    def opcode(self) -> int:
        """The opcode (RFC 6455 section 11.8)."""
        return self.first & OPCODE_BITS


class FrameReader:
    """Reads the bytes of one direction of a connection as frames, as far as they can be read so.

    It keeps a header that is not complete, and nothing of payloads but the two bytes of a close code.

    `others` and `others_payload` are the frames, and the payload bytes of them, that the last `feed` has only counted,
    by opcode.
    """

    def __init__(self) -> None:
        self.others: Counter[int] = Counter()
        self.others_payload: Counter[int] = Counter()
        self._head = b""
        # The frame in progress: header, payload bytes to come, the first two of them.
        self._frame: Frame | None = None
        self._remaining = 0
        self._mask = b""
        self._code = b""

    def feed(self, data: bytes, most: int) -> list[Frame]:
        """Return the frames that are complete with these bytes. Of more than `most`, short ones are only counted, for
        bytes can be a million frames.
        """
        frames: list[Frame] = []
        self.others.clear()
        self.others_payload.clear()
        data, self._head = self._head + data, b""
        at = 0
        while True:
            if self._frame is None:
                if len(frames) >= most:
                    at = self._count(data, at)
                header = self._begin(data, at)
                if not header:
                    self._head = data[at:]
                    return frames
                at += header
            taken = min(self._remaining, len(data) - at)
            if len(self._code) < 2:
                self._code += data[at : at + min(taken, 2 - len(self._code))]
            at += taken
            self._remaining -= taken
            if self._remaining:
                return frames
            frames.append(self._complete())

    def _count(self, data: bytes, at: int) -> int:
        """Count complete short frames. Return where the first frame begins that is none, or a Close frame."""
        found: Counter[int] = Counter()
        end = len(data)
        before = -1
        while at + 2 <= end:
            first, second = data[at], data[at + 1]
            size = _SHORT_SIZES[second]
            if not size or at + size > end or first & OPCODE_BITS == CLOSE:
                break
            head = first << 8 | second
            # Fragments, and messages of a burst, come in long runs.
            count = _run(data, at, size) if head == before else 1
            found[head] += count
            at += count * size
            before = head
        for head, count in found.items():
            opcode = head >> 8 & OPCODE_BITS
            self.others[opcode] += count
            self.others_payload[opcode] += count * (head & SIZE_BITS)
        return at

    def incomplete(self) -> Frame | None:
        """Return the frame of which only a part has come, if there is one."""
        frame = self._frame
        return frame and Frame(frame.first, frame.size, frame.is_masked, is_complete=False)

    def _begin(self, data: bytes, at: int) -> int:
        """Read the header that begins at `at`. Return its size, 0 if it is not complete."""
        if len(data) - at < 2:
            return 0
        size = data[at + 1] & SIZE_BITS
        extended = _EXTENDED.get(size, 0)
        is_masked = bool(data[at + 1] & MASKED)
        stop = 2 + extended + (_MASK if is_masked else 0)
        if len(data) - at < stop:
            return 0
        if extended:
            size = int.from_bytes(data[at + 2 : at + 2 + extended], "big")
        self._frame = Frame(data[at], size, is_masked)
        self._remaining = size
        self._mask = data[at + stop - _MASK : at + stop] if is_masked else b""
        self._code = b""
        return stop

    def _complete(self) -> Frame:
        frame, self._frame = self._frame, None
        assert frame is not None
        if frame.opcode != CLOSE:
            return frame
        code = NO_STATUS
        if len(self._code) == 2:
            code = int.from_bytes(self._code, "big") ^ int.from_bytes(self._mask[:2], "big")
        return Frame(frame.first, frame.size, frame.is_masked, code)


def _run(data: bytes, at: int, size: int) -> int:
    """Return how many complete frames of `size` bytes in a row begin with the same two bytes as the one at `at`, at
    most `_LONGEST_RUN`.
    """
    stop = min(at + size * _LONGEST_RUN, len(data) - size + 1)
    columns = data[at:stop:size], data[at + 1 : stop + 1 : size]
    return min(len(column) - len(column.lstrip(column[:1])) for column in columns)
