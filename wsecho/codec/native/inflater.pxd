# The C types of wsecho/websocket/inflater.py, which Cython compiles as wsecho.codec.native.inflater.
cimport cython
from libc.stdint cimport int64_t

cdef bytes _MESSAGE_END
# An argument of a Python call: as a C integer, it would become a new Python object for each call.
cdef object _PIECE_SIZE
cdef int64_t _CONNECTION_LIMIT, _TOTAL_LIMIT, _REDUCED_CONNECTION_LIMIT, _NEGLIGIBLE
cdef int64_t _NANOSECONDS_PER_BYTE, _LIMIT_PER_BYTE, _LIMIT_PER_CALL
cdef Py_ssize_t _READ_SIZE, _REDUCED_READ_SIZE


@cython.final
cdef class InflateBudget:
    cdef object _schedule_end
    cdef readonly object clock
    cdef readonly int64_t iteration
    cdef readonly int64_t spent

    @cython.locals(before=int64_t)
    cpdef spend(self, int64_t nanoseconds)
    cpdef bint is_full(self) noexcept
    cpdef Py_ssize_t room(self) noexcept
    cpdef end(self)


@cython.final
cdef class Inflater:
    cdef object _agreement
    cdef object _memory
    cdef object _limit_exceeded
    cdef InflateBudget _budget
    cdef int64_t _iteration
    cdef int64_t _spent
    cdef readonly int64_t cost
    cdef int64_t _measured_until
    cdef object _stream
    cdef object _state
    cdef bytes _compressed
    cdef bint _is_exhausted
    cdef bint _stream_ended

    cpdef feed(self, bytes compressed)
    @cython.locals(piece=bytes, size=Py_ssize_t)
    cpdef bytes next_piece(self)
    @cython.locals(is_whole=bint)
    cpdef bint end_message(self) except -1
    @cython.locals(piece=bytes, is_whole=bint)
    cdef bint _accepts_message_end(self) except -1
    @cython.locals(budget=InflateBudget, now=int64_t, elapsed=int64_t, most=int64_t)
    cdef _count(self, Py_ssize_t consumed, Py_ssize_t inflated)
    cpdef close(self)
