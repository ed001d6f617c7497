"""What the echo counts, message by message, in its worker's row. `wsecho/native/tally.pyx` is the compiled twin."""

from bisect import bisect_left

from wsecho.counters import MESSAGE_SIZE_BOUNDS, Counters


class Tally:
    """Counts in `row`. Nothing else happens per message: everyone who wants to know reads the row."""

    __slots__ = ("row",)

    def __init__(self, row: Counters) -> None:
        self.row = row

    def message_received(self, size: int) -> None:
        """Count a message of `size` payload bytes whose last byte has arrived. Bounds are inclusive."""
        self.row.message_sizes[bisect_left(MESSAGE_SIZE_BOUNDS, size)] += 1
        self.row.message_bytes += size

    def messages_sent(self, count: int) -> None:
        """Count messages whose last byte was handed to the transport."""
        self.row.messages_sent += count
