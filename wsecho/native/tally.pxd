cimport cython
from libc.stdint cimport int64_t

from wsecho.native.counters cimport Counters


@cython.final
cdef class Tally:
    cdef readonly object row
    cdef Counters *counters

    cpdef void message_received(self, int64_t size) noexcept
    cpdef void messages_sent(self, int64_t count) noexcept
