# The C types of wsecho/inflater.py, compiled as wsecho.native.inflater.
cimport cython
from libc.stdint cimport int64_t

cdef bytes _MESSAGE_END
# An argument of zlib's, which would be made anew for each call from a C integer.
cdef object _PIECE_SIZE
cdef int64_t _MUCH, _CALL


@cython.final
cdef class Inflater:
    cdef object _agreement
    cdef object _memory
    cdef object _much_inflated
    cdef int64_t _untold
    cdef readonly int64_t cost
    cdef object _stream
    cdef bytes _compressed
    cdef bint _is_spent

    cpdef feed(self, bytes compressed, bint ends_message)
    @cython.locals(piece=bytes)
    cpdef bytes next_piece(self)
    cdef _count(self, int64_t size)
    cpdef end_message(self)
    cpdef close(self)
