# wsecho.websocket.message_counters.EchoRow as a C struct; a test checks that both have the same layout.
from libc.stdint cimport int64_t

cdef struct EchoRow:
    int64_t messages_sent
    int64_t payload_bytes_sent
    int64_t wire_bytes_sent
    int64_t message_bytes
    int64_t message_sizes[12]
    int64_t payload_bytes_received
    int64_t wire_bytes_received
    int64_t compressed_bytes
    int64_t inflated_bytes
    int64_t frames_received[16]
