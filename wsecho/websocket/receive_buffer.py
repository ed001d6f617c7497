"""The receive buffer that all connections of a worker share, and the loops over its bytes: unmasking, UTF-8 validation.

Reads arrive in it, and replies are written in it. `wsecho/codec/native/receive_buffer.pyx` is the same class for the
compiled codec.
"""

# The longest header of a client frame (RFC 6455 section 5.2). What a connection puts in front of a read is a split
# header, or the start of a held frame with its header.
LONGEST_HEADER = 14
# A reply is never longer than its input, except for one Close frame after the last byte read, with at most this many
# bytes of payload (RFC 6455 section 5.5).
LONGEST_CONTROL_PAYLOAD = 125

# States of the UTF-8 automaton. Every other state stands for a character of which some bytes are missing.
UTF8_COMPLETE = 0
UTF8_INVALID = 1

# For each state inside a character: the range of valid next bytes, and the state after one of them (RFC 3629 section 4:
# the ranges after E0, ED, F0 and F4 are narrower, which excludes overlong forms, surrogates and values above U+10FFFF).
_NEXT_BYTE = {
    2: (0x80, 0xBF, UTF8_COMPLETE),
    3: (0x80, 0xBF, 2),
    4: (0x80, 0xBF, 3),
    5: (0xA0, 0xBF, 2),
    6: (0x80, 0x9F, 2),
    7: (0x90, 0xBF, 3),
    8: (0x80, 0x8F, 3),
}


class ReceiveBuffer:
    """The buffer of a worker: its transports read into `data[landing : landing + size]`, the landing.

    What a connection held goes right before the landing, and a Close frame may go after it. `size` and `hold_limit` are
    bytes. A frame with at most `hold_limit` bytes of payload is held until it is complete; a longer one is forwarded as
    it arrives. All positions are indexes into `data`. `unmasked_ascii` is the second result of `unmask`.
    """

    __slots__ = ("data", "hold_limit", "landing", "size", "unmasked_ascii")

    def __init__(self, size: int, hold_limit: int) -> None:
        self.size = size
        self.hold_limit = hold_limit
        self.landing = LONGEST_HEADER + max(hold_limit, LONGEST_CONTROL_PAYLOAD)
        self.unmasked_ascii = False
        self.data = bytearray(self.landing + size + LONGEST_HEADER + LONGEST_CONTROL_PAYLOAD)

    def take(self, start: int, stop: int) -> bytes:
        """Return a copy of `data[start:stop]`."""
        return bytes(self.data[start:stop])

    def place(self, at: int, source: bytes | bytearray) -> None:
        """Copy `source` to `data[at:]`. Raises ValueError if it does not fit."""
        if at < 0 or at + len(source) > len(self.data):
            raise ValueError(f"{len(source)} bytes do not fit at {at} in {len(self.data)}")
        self.data[at : at + len(source)] = source

    def load_mask(self, at: int) -> int:
        """Return the masking key at `at` as an integer. Its lowest byte masks the first payload byte."""
        return int.from_bytes(self.data[at : at + 4], "little")

    def unmask(self, to: int, start: int, count: int, mask: int) -> int:
        """Unmask `count` payload bytes at `start` and write them at `to`, which is not after `start`.

        Return the mask rotated for the byte that follows (RFC 6455 section 5.3). Set `unmasked_ascii` to whether all of
        them are ASCII.
        """
        key = (mask.to_bytes(4, "little") * (count // 4 + 1))[:count]
        masked = int.from_bytes(self.data[start : start + count], "little")
        payload = (masked ^ int.from_bytes(key, "little")).to_bytes(count, "little")
        self.unmasked_ascii = payload.isascii()
        self.data[to : to + count] = payload
        rotation = 8 * (count & 3)
        return (mask >> rotation | mask << 32 - rotation) & 0xFFFFFFFF

    def validate_utf8(self, start: int, count: int, state: int) -> int:
        """Return the state of the UTF-8 automaton after `count` bytes from `start`, beginning with `state`.

        It is UTF8_INVALID if no further bytes can make the text valid.
        """
        return _validate(self.data, start, start + count, state)

    def validate_text(self, text: bytes, state: int) -> int:
        """Return the state of the UTF-8 automaton after `text`, which need not be in the buffer."""
        return _validate(text, 0, len(text), state)


def _validate(data: bytes | bytearray, start: int, end: int, state: int) -> int:
    while start < end and state > UTF8_INVALID:
        state = _step(state, data[start])
        start += 1
    # Python's decoder validates all bytes but the last few: a character has at most four, and the last one may be cut.
    bulk_end = end - 3
    while start < bulk_end and data[bulk_end] & 0xC0 == 0x80:
        bulk_end -= 1
    if state == UTF8_COMPLETE and start < bulk_end:
        try:
            data[start:bulk_end].decode()
        except UnicodeDecodeError:
            return UTF8_INVALID
        start = bulk_end
    while start < end and state != UTF8_INVALID:
        state = _step(state, data[start])
        start += 1
    return state


def _step(state: int, byte: int) -> int:
    if state == UTF8_COMPLETE:
        return _after_lead(byte)
    low, high, following = _NEXT_BYTE[state]
    return following if low <= byte <= high else UTF8_INVALID


def _after_lead(byte: int) -> int:
    if byte < 0x80:
        return UTF8_COMPLETE
    if 0xC2 <= byte <= 0xDF:
        return 2
    if 0xE0 <= byte <= 0xEF:
        return {0xE0: 5, 0xED: 6}.get(byte, 3)
    if 0xF0 <= byte <= 0xF4:
        return {0xF0: 7, 0xF4: 8}.get(byte, 4)
    return UTF8_INVALID
