"""One worker's counters: a row of 64-bit integers that lives in shared memory.

The row holds only what cannot be derived. Messages received are the sum of `message_sizes`; connections ended are the
sum of `connection_durations`. A scrape can therefore never show a histogram that disagrees with its counter.
"""

import ctypes

# Inclusive upper bounds, in bytes: 64 B to 64 MiB by powers of four, so that a bucket is found by shifting.
MESSAGE_SIZE_BOUNDS = tuple(64 << (2 * power) for power in range(11))

# Inclusive upper bounds, in seconds: those of Kestrel's stable kestrel.connection.duration, extended to the hour that
# Cloud Run lets a connection live.
CONNECTION_DURATION_BOUNDS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
    *(900.0, 1800.0, 3600.0),
)


class Counters(ctypes.Structure):
    """The row. `wsecho/native/counters.pxd` declares the same layout in C; a test holds the two together.

    A histogram has one bucket more than it has bounds: the last one has no upper bound.
    """

    _fields_ = [
        ("messages_sent", ctypes.c_int64),
        ("message_bytes", ctypes.c_int64),
        ("message_sizes", ctypes.c_int64 * (len(MESSAGE_SIZE_BOUNDS) + 1)),
        ("connections", ctypes.c_int64),
        ("connection_nanoseconds", ctypes.c_int64),
        ("connection_durations", ctypes.c_int64 * (len(CONNECTION_DURATION_BOUNDS) + 1)),
    ]
