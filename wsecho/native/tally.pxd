cimport cython

from wsecho.native.counters cimport Counters


@cython.final
cdef class Tally:
    cdef readonly object row
    cdef Counters *counters

    cpdef void message_received(self, Py_ssize_t size) noexcept
    cpdef void messages_sent(self, Py_ssize_t count) noexcept
