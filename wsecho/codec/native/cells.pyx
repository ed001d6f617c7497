"""The cells of a row of counters in the compiled codec. `wsecho/counting/cells.py` says what each method does."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport llrint
from libc.stdint cimport int64_t

from wsecho.counting.cells import CELL_SIZE, NANOSECONDS

cdef double nanoseconds_per_second = NANOSECONDS
assert CELL_SIZE == sizeof(int64_t)


@cython.final
cdef class Cells:
    cdef object row
    cdef int64_t *cells
    cdef Py_ssize_t count

    def __init__(self, row):
        # The row is in memory that does not move, so the pointer stays valid after the view is released.
        cdef Py_buffer view
        PyObject_GetBuffer(row, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.row = row
        self.cells = <int64_t *>view.buf
        self.count = view.len // sizeof(int64_t)
        PyBuffer_Release(&view)

    def add(self, Py_ssize_t cell, int64_t count):
        self.at(cell)[0] += count

    def add_duration(self, double seconds, tuple bounds, Py_ssize_t buckets, Py_ssize_t nanoseconds):
        cdef Py_ssize_t bucket = buckets
        cdef double bound
        for bound in bounds:
            if seconds <= bound:
                break
            bucket += 1
        self.at(bucket)[0] += 1
        # As Python's `round`: to the nearest integer, and to the even one of two that are equally near.
        self.at(nanoseconds)[0] += llrint(seconds * nanoseconds_per_second)

    cdef int64_t *at(self, Py_ssize_t cell) except NULL:
        if not 0 <= cell < self.count:
            raise IndexError(f"there is no cell {cell}, but there are {self.count}")
        return self.cells + cell
