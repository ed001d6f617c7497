"""The message counters of the compiled codec. `wsecho/websocket/message_counters.py` says what each method does."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t

from wsecho.codec.native.message_row cimport EchoRow

from wsecho.websocket.message_counters import MESSAGE_SIZE_BOUNDS

cdef int64_t smallest_bound = MESSAGE_SIZE_BOUNDS[0]
cdef int last_bucket = len(MESSAGE_SIZE_BOUNDS)


cdef class MessageCounters:
    def __init__(self, row):
        # The row is in shared memory that does not move, so the pointer stays valid after the view is released.
        cdef Py_buffer view
        PyObject_GetBuffer(row, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.row = row
        self.counters = <EchoRow *>view.buf
        cdef Py_ssize_t size = view.len
        PyBuffer_Release(&view)
        if size != sizeof(EchoRow):
            raise ValueError(f"a row of counters is {sizeof(EchoRow)} bytes, not {size}")

    cpdef void short_message(self, int opcode, int64_t size) noexcept:
        self.frame_received(opcode)
        self.message_received(size)

    cpdef void frame_received(self, int opcode) noexcept:
        self.counters.frames_received[opcode] += 1

    cpdef void message_received(self, int64_t size) noexcept:
        cdef int64_t bound = smallest_bound
        cdef int bucket = 0
        while size > bound and bucket < last_bucket:
            bound <<= 2
            bucket += 1
        self.counters.message_sizes[bucket] += 1
        self.counters.message_bytes += size

    cpdef void compressed(self, int64_t size) noexcept:
        self.counters.compressed_bytes += size

    cpdef void inflated(self, int64_t size) noexcept:
        self.counters.inflated_bytes += size

    cpdef void received(self, int64_t size, int64_t payload) noexcept:
        self.counters.wire_bytes_received += size
        self.counters.payload_bytes_received += payload

    cpdef void sent(self, int64_t size, int64_t payload, int64_t messages) noexcept:
        self.counters.wire_bytes_sent += size
        self.counters.payload_bytes_sent += payload
        self.counters.messages_sent += messages
