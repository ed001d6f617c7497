from libc.stdint cimport uint32_t

cimport cython

from wsecho.tcp.addresses cimport sockaddr_in6
from wsecho.tcp.epoll_set cimport Watched, flag

cdef extern from "unsent.h":
    struct wsecho_unsent:
        size_t size
    int wsecho_keep(wsecho_unsent *unsent, const char *data, size_t size)
    int wsecho_send(wsecho_unsent *unsent, int descriptor)
    void wsecho_drop(wsecho_unsent *unsent, size_t count)


cdef enum NoResult:
    EXC = -1
    OK = 0


cdef class EpollProtocol:
    cdef NoResult get_buffer_c(self, Py_ssize_t hint, char **data, Py_ssize_t *size) except NoResult.EXC
    cpdef buffer_updated(self, Py_ssize_t received)


@cython.final
cdef class EpollTransport(Watched):
    cdef object protocol
    # The same protocol, if it has C methods: then no Python object is made for a read.
    cdef EpollProtocol c_protocol
    # The error that ended the connection.
    cdef object error
    cdef flag reading
    cdef flag protocol_paused
    # Whether the peer has closed its side; whether this side is closed, or will be after the unsent bytes.
    cdef flag read_ended
    cdef flag write_ended
    cdef flag closing
    cdef wsecho_unsent unsent
    # The limits of unsent bytes at which the protocol is paused and resumed.
    cdef size_t high
    cdef size_t low
    cdef sockaddr_in6 peer

    cdef int begin(self, protocol) except -1
    cpdef set_protocol(self, protocol)
    cdef int write_c(self, const char *data, size_t size) except -1
    cdef int dispatch(self, uint32_t events) except -1
    cdef int end_unread(self, uint32_t events) except -1
    cdef int read(self) except -1
    cdef ssize_t read_once(self, Py_ssize_t *room) except -2
    cdef int end_read(self) except -1
    cdef int write_unsent(self) except -1
    cdef bint may_read(self) noexcept
    cdef uint32_t wanted(self) noexcept
    cdef int update(self) except -1
    cdef int maybe_pause(self) except -1
    cdef int maybe_resume(self) except -1
    cdef int fail(self, str message, error) except -1
    cdef int report(self, str message, error) except -1
    cdef int end(self, error) except -1
