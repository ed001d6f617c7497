# The C types of wsecho/websocket/inflater.py, compiled as wsecho.codec.native.inflater.
cimport cython
from libc.stdint cimport int64_t

cdef bytes _MESSAGE_END
# An argument of zlib's, which would be made anew for each call from a C integer.
cdef object _PIECE_SIZE
cdef int64_t _MUCH, _MUCH_IN_ALL, _LITTLE, _NEGLIGIBLE
cdef int64_t _NANOSECONDS_FOR_A_BYTE, _MOST_FOR_A_BYTE, _MOST_FOR_A_CALL
cdef Py_ssize_t _ROOM, _LITTLE_ROOM


@cython.final
cdef class InflateBudget:
    cdef object _await_end
    cdef readonly object clock
    cdef readonly int64_t number
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
    cdef object _much_inflated
    cdef InflateBudget _budget
    cdef int64_t _number
    cdef int64_t _spent
    cdef readonly int64_t cost
    cdef int64_t _counted
    cdef object _stream
    cdef object _state
    cdef bytes _compressed
    cdef bint _is_spent
    cdef bint _has_ended

    cpdef feed(self, bytes compressed)
    @cython.locals(piece=bytes, size=Py_ssize_t)
    cpdef bytes next_piece(self)
    @cython.locals(is_whole=bint)
    cpdef bint end_message(self) except -1
    @cython.locals(piece=bytes, is_whole=bint)
    cdef bint _takes_message_end(self) except -1
    @cython.locals(budget=InflateBudget, now=int64_t, taken=int64_t, most=int64_t)
    cdef _count(self, Py_ssize_t consumed, Py_ssize_t inflated)
    cpdef close(self)
