"""What the echo counts, message by message, in its worker's row.

`wsecho/codec/native/message_counters.pyx` is the compiled twin.
"""

import ctypes
from bisect import bisect_left

# Inclusive upper bounds, in bytes: 64 B to 64 MiB by powers of four, so that a bucket is found by shifting.
MESSAGE_SIZE_BOUNDS = tuple(64 << (2 * power) for power in range(11))


def buckets(bounds: tuple[float, ...]) -> type[ctypes.Array[ctypes.c_int64]]:
    """Return the type of a histogram's counts."""
    return ctypes.c_int64 * (len(bounds) + 1)


class EchoRow(ctypes.Structure):
    """What an echo counts. `wsecho/codec/native/message_row.pxd` is the same layout in C; a test compares the two.

    Bytes on the wire are whole frames, after the handshake; bytes of payload are those of data frames, as they came.
    What was sent stands before what was received: a copy made while the echo goes on never has more of the former.
    """

    _fields_ = [
        ("messages_sent", ctypes.c_int64),
        ("payload_bytes_sent", ctypes.c_int64),
        ("wire_bytes_sent", ctypes.c_int64),
        ("message_bytes", ctypes.c_int64),
        ("message_sizes", buckets(MESSAGE_SIZE_BOUNDS)),
        ("payload_bytes_received", ctypes.c_int64),
        ("wire_bytes_received", ctypes.c_int64),
        ("compressed_bytes", ctypes.c_int64),
        ("inflated_bytes", ctypes.c_int64),
        ("frames_received", ctypes.c_int64 * 16),
    ]


class MessageCounters:
    """Counts in `row`. Nothing else happens per message: everyone who wants to know reads the row."""

    __slots__ = ("row",)

    def __init__(self, row: EchoRow) -> None:
        self.row = row

    def short_message(self, opcode: int, size: int) -> None:
        """Count a message that came as one frame."""
        self.frame_received(opcode)
        self.message_received(size)

    def frame_received(self, opcode: int) -> None:
        """Count a frame whose last byte has arrived."""
        self.row.frames_received[opcode] += 1

    def message_received(self, size: int) -> None:
        """Count a message of `size` payload bytes whose last byte has arrived. Bounds are inclusive."""
        self.row.message_sizes[bisect_left(MESSAGE_SIZE_BOUNDS, size)] += 1
        self.row.message_bytes += size

    def compressed(self, size: int) -> None:
        """Count bytes of compressed messages that were looked into."""
        self.row.compressed_bytes += size

    def inflated(self, size: int) -> None:
        """Count bytes that came out of compressed messages."""
        self.row.inflated_bytes += size

    def received(self, size: int, payload: int) -> None:
        """Count the bytes of one read, and how many of them are payload of data frames."""
        self.row.wire_bytes_received += size
        self.row.payload_bytes_received += payload

    def sent(self, size: int, payload: int, messages: int) -> None:
        """Count the bytes of one reply, their payload, and the messages whose last byte it has."""
        self.row.wire_bytes_sent += size
        self.row.payload_bytes_sent += payload
        self.row.messages_sent += messages
