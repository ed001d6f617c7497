cimport cython
from libc.stdint cimport int64_t

from wsecho.codec.native.message_row cimport EchoRow


@cython.final
cdef class MessageCounters:
    cdef readonly object row
    cdef EchoRow *counters

    cpdef void short_message(self, int opcode, int64_t size) noexcept
    cpdef void frame_received(self, int opcode) noexcept
    cpdef void message_received(self, int64_t size) noexcept
    cpdef void compressed(self, int64_t size) noexcept
    cpdef void inflated(self, int64_t size) noexcept
    cpdef void received(self, int64_t size, int64_t payload) noexcept
    cpdef void sent(self, int64_t size, int64_t payload, int64_t messages) noexcept
