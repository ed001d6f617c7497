from libc.stdint cimport uint32_t

# A bint would take four bytes of each connection.
ctypedef unsigned char flag


cdef class EpollSet:
    cdef object loop
    cdef int descriptor
    # Whether `_finish_ended` will run without being scheduled again: it is scheduled, or a batch ends with it.
    cdef bint will_finish
    # What has ended and is not finished, linked by `next_ended`.
    cdef Watched first_ended
    cdef Watched last_ended

    cdef int add(self, Watched watched) except -1
    cdef int watch(self, Watched watched) except -1
    cdef int unwatch(self, Watched watched) except -1
    cdef int end(self, Watched watched) except -1


cdef class Watched:
    cdef EpollSet epoll
    cdef Watched next_ended
    cdef int descriptor
    # The events that are of interest (EPOLLIN, EPOLLOUT).
    cdef uint32_t interest
    # Whether the set holds a reference; whether the kernel reports events; whether the end has come.
    cdef flag is_added
    cdef flag is_watched
    cdef flag ended

    cdef int react(self, uint32_t events) except -1
    cdef int finish(self) except -1
