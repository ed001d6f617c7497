cimport cython
from libc.stdint cimport uint32_t


@cython.final
cdef class ReceiveBuffer:
    cdef readonly Py_ssize_t size
    cdef readonly Py_ssize_t hold_limit
    cdef readonly Py_ssize_t landing
    cdef readonly bint unmasked_ascii
    cdef bytearray storage
    cdef Py_ssize_t capacity
    cdef unsigned char *data

    cpdef bytes take(self, Py_ssize_t start, Py_ssize_t stop)
    cpdef int place(self, Py_ssize_t at, object source) except -1
    cpdef uint32_t load_mask(self, Py_ssize_t at) noexcept
    cpdef uint32_t unmask(self, Py_ssize_t to, Py_ssize_t start, Py_ssize_t count, uint32_t mask) noexcept
    cpdef int validate_text(self, bytes text, int state) noexcept
    cpdef int validate_utf8(self, Py_ssize_t start, Py_ssize_t count, int state) noexcept
