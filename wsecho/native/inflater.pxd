# The C types of wsecho/inflater.py, compiled as wsecho.native.inflater.
cimport cython
from libc.stdint cimport int64_t

cdef bytes _MESSAGE_END
# An argument of zlib's, which would be made anew for each call from a C integer.
cdef object _PIECE_SIZE
cdef int64_t _CALL, _MUCH, _MUCH_IN_ALL, _LITTLE, _NEGLIGIBLE
cdef Py_ssize_t _ROOM, _LITTLE_ROOM


@cython.final
cdef class Turn:
    cdef object _await_end
    cdef readonly int64_t number
    cdef readonly int64_t spent

    @cython.locals(before=int64_t)
    cpdef spend(self, int64_t size)
    cpdef bint is_full(self) noexcept
    cpdef Py_ssize_t room(self) noexcept
    cpdef end(self)


@cython.final
cdef class Inflater:
    cdef object _agreement
    cdef object _memory
    cdef object _much_inflated
    cdef Turn _turn
    cdef int64_t _number
    cdef int64_t _spent
    cdef readonly int64_t cost
    cdef object _stream
    cdef bytes _compressed
    cdef bint _is_spent

    cpdef feed(self, bytes compressed, bint ends_message)
    @cython.locals(piece=bytes)
    cpdef bytes next_piece(self)
    @cython.locals(turn=Turn)
    cdef _count(self, int64_t size)
    cpdef end_message(self)
    cpdef close(self)
