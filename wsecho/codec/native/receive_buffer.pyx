"""The receive buffer of the compiled codec. `wsecho/websocket/receive_buffer.py` says what each method does."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from wsecho.websocket.receive_buffer import LONGEST_CONTROL_PAYLOAD, LONGEST_HEADER

cdef extern from "bytes.h":
    int wsecho_unmask(uint8_t *to, const uint8_t *start, size_t count, uint32_t mask) nogil
    int wsecho_validate_utf8(const uint8_t *text, size_t count, int state) nogil


cdef class ReceiveBuffer:
    def __init__(self, Py_ssize_t size, Py_ssize_t hold_limit):
        self.size = size
        self.hold_limit = hold_limit
        self.landing = LONGEST_HEADER + max(hold_limit, LONGEST_CONTROL_PAYLOAD)
        self.capacity = self.landing + size + LONGEST_HEADER + LONGEST_CONTROL_PAYLOAD
        self.storage = bytearray(self.capacity)
        self.data = self.storage

    def __len__(self):
        return self.capacity

    cpdef bytes take(self, Py_ssize_t start, Py_ssize_t stop):
        return self.data[start:stop]

    cpdef int place(self, Py_ssize_t at, object source) except -1:
        # Not a typed memoryview: the code that Cython generates for one is slower, and twice as long as all other code
        # of this file.
        cdef Py_buffer view
        PyObject_GetBuffer(source, &view, PyBUF_SIMPLE)
        try:
            if at < 0 or view.len > self.capacity - at:
                raise ValueError(f"{view.len} bytes do not fit at {at} in {self.capacity}")
            memcpy(self.data + at, view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        return 0

    cpdef uint32_t load_mask(self, Py_ssize_t at) noexcept:
        cdef const uint8_t *key = self.data + at
        return key[0] | key[1] << 8 | key[2] << 16 | <uint32_t>key[3] << 24

    cpdef uint32_t unmask(self, Py_ssize_t to, Py_ssize_t start, Py_ssize_t count, uint32_t mask) noexcept:
        self.unmasked_ascii = wsecho_unmask(self.data + to, self.data + start, count, mask)
        cdef int rotation = 8 * (count & 3)
        # A shift by all 32 bits is undefined in C.
        return mask >> rotation | mask << (32 - rotation) if rotation else mask

    cpdef int validate_utf8(self, Py_ssize_t start, Py_ssize_t count, int state) noexcept:
        return wsecho_validate_utf8(self.data + start, count, state)

    cpdef int validate_text(self, bytes text, int state) noexcept:
        return wsecho_validate_utf8(<const uint8_t *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), state)
