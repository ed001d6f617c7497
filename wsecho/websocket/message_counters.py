"""Counts what the echo receives and sends, in the row of counters of its worker.

`wsecho/codec/native/message_counters.pyx` is the same class for the compiled codec.
"""

import ctypes
from bisect import bisect_left

# Inclusive upper bounds of the histogram of message sizes: 64 B to 64 MiB, by powers of four, so that a bucket is
# found by shifting.
MESSAGE_SIZE_BOUNDS = tuple(64 << (2 * power) for power in range(11))


def buckets(bounds: tuple[float, ...]) -> type[ctypes.Array[ctypes.c_int64]]:
    """Return the type of the counts of a histogram: one for each bound, and one for what is above them."""
    return ctypes.c_int64 * (len(bounds) + 1)


class EchoRow(ctypes.Structure):
    """The counters of the echo. `wsecho/codec/native/message_row.pxd` is the same layout in C; a test compares the two.

    Wire bytes are those of whole frames, after the handshake. Payload bytes are those of data frames, as they are on
    the wire. The counters of what was sent come before those of what was received, so that a copy made while the echo
    goes on never shows more sent than received.
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
    """Counts in `row`. Nothing else is recorded for each message: all metrics of messages are read from the row."""

    __slots__ = ("row",)

    def __init__(self, row: EchoRow) -> None:
        self.row = row

    def short_message(self, opcode: int, size: int) -> None:
        """Count a message of `size` payload bytes in one frame, and that frame."""
        self.frame_received(opcode)
        self.message_received(size)

    def frame_received(self, opcode: int) -> None:
        """Count a frame whose last byte has arrived."""
        self.row.frames_received[opcode] += 1

    def message_received(self, size: int) -> None:
        """Count a message of `size` payload bytes, before compression, whose last byte has arrived."""
        self.row.message_sizes[bisect_left(MESSAGE_SIZE_BOUNDS, size)] += 1
        self.row.message_bytes += size

    def compressed(self, size: int) -> None:
        """Count payload bytes of compressed messages that are validated."""
        self.row.compressed_bytes += size

    def inflated(self, size: int) -> None:
        """Count bytes that compressed messages have inflated to."""
        self.row.inflated_bytes += size

    def received(self, size: int, payload: int) -> None:
        """Count the bytes of one read, `payload` of which are payload of data frames."""
        self.row.wire_bytes_received += size
        self.row.payload_bytes_received += payload

    def sent(self, size: int, payload: int, messages: int) -> None:
        """Count the bytes of one reply, the payload bytes of its data frames, and the messages that it completes."""
        self.row.wire_bytes_sent += size
        self.row.payload_bytes_sent += payload
        self.row.messages_sent += messages
