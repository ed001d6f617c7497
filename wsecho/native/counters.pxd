# The layout of wsecho.counters.Counters, as C sees it.
from libc.stdint cimport int64_t

cdef struct Counters:
    int64_t messages_sent
    int64_t message_bytes
    int64_t message_sizes[12]
    int64_t connections
    int64_t connection_nanoseconds
    int64_t connection_durations[18]
