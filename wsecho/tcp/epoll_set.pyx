"""An epoll set (epoll(7)) that the event loop watches as a single file descriptor."""

import os

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport ENOMEM, ENOSPC, errno
from libc.stdint cimport uint32_t

cdef extern from *:
    """
    #ifdef __linux__
    #include <sys/epoll.h>
    #else
    /* It compiles elsewhere, but no set can be made. */
    enum { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
    typedef union epoll_data { void *ptr; } epoll_data_t;
    struct epoll_event { uint32_t events; epoll_data_t data; };
    static int epoll_create1(int flags) { errno = ENOSYS; return -1; }
    static int epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event) { return -1; }
    static int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) { return -1; }
    #endif
    """
    ctypedef union epoll_data_t:
        void *ptr
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int descriptor, epoll_event *event)
    int epoll_wait(int epoll, epoll_event *events, int most, int timeout)
    enum: EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL

cdef extern from "<unistd.h>":
    int close(int descriptor)

cdef enum:
    # Events in one batch. A batch is one callback of the event loop: the others run between two batches.
    BATCH = 64


cdef class EpollSet:
    """Watches the file descriptors of one event loop.

    The kernel returns the address of a `Watched` with each event. From `add` to `end` the set holds a reference to it,
    and from `end` to `finish` the list of what has ended holds one. `finish` is called at the end of the batch in which
    the end came, or else in the next iteration of the event loop. So nothing is freed that events of a batch refer to.
    """

    def __cinit__(self):
        self.descriptor = -1

    def __init__(self, loop):
        """Raises OSError if the set cannot be made."""
        self.loop = loop
        self.descriptor = epoll_create1(EPOLL_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(errno, os.strerror(errno))
        loop.add_reader(self.descriptor, self._ready)

    def __dealloc__(self):
        if self.descriptor >= 0:
            close(self.descriptor)

    def close(self):
        """Give up the set. What it still watches gets no more events."""
        if self.descriptor >= 0:
            self.loop.remove_reader(self.descriptor)
            close(self.descriptor)
            self.descriptor = -1

    def _ready(self):
        cdef epoll_event events[BATCH]
        cdef Watched watched
        cdef int index, count = epoll_wait(self.descriptor, events, BATCH, 0)
        self.will_finish = True
        try:
            for index in range(count):
                watched = <Watched>events[index].data.ptr
                # An earlier event of this batch may have ended it.
                if not watched.ended:
                    watched.react(events[index].events)
        finally:
            self.will_finish = False
            if self.first_ended is not None:
                self._finish_ended()

    cdef int add(self, Watched watched) except -1:
        """Begin to watch. Raises MemoryError if the kernel has no memory for it."""
        self.watch(watched)
        Py_INCREF(watched)
        watched.is_added = True
        return 0

    cdef int watch(self, Watched watched) except -1:
        """Have the kernel report the events in `watched.interest`. Raises MemoryError, as `add` does."""
        cdef epoll_event event
        cdef int operation = EPOLL_CTL_MOD if watched.is_watched else EPOLL_CTL_ADD
        event.events = watched.interest
        event.data.ptr = <void *>watched
        if epoll_ctl(self.descriptor, operation, watched.descriptor, &event) < 0:
            # ENOSPC: the user's limit of watched descriptors (fs.epoll.max_user_watches) is reached.
            if errno == ENOMEM or errno == ENOSPC:
                raise MemoryError(os.strerror(errno))
            raise RuntimeError(f"epoll_ctl: {os.strerror(errno)}")
        watched.is_watched = True
        return 0

    cdef int unwatch(self, Watched watched) except -1:
        """Have the kernel report nothing, not even errors, until `watch` is called again."""
        cdef epoll_event event
        if watched.is_watched:
            watched.is_watched = False
            epoll_ctl(self.descriptor, EPOLL_CTL_DEL, watched.descriptor, &event)
        return 0

    cdef int end(self, Watched watched) except -1:
        """Stop watching, and call `finish` later. Within a batch this needs no memory, so it cannot fail."""
        if self.first_ended is None:
            self.first_ended = watched
        else:
            self.last_ended.next_ended = watched
        self.last_ended = watched
        # Closing the descriptor is not enough: if another process has inherited it, the kernel would go on with it.
        self.unwatch(watched)
        if watched.is_added:
            watched.is_added = False
            Py_DECREF(watched)
        if not self.will_finish:
            self.loop.call_soon(self._finish_ended)
            self.will_finish = True
        return 0

    def _finish_ended(self):
        cdef Watched watched
        self.will_finish = True
        try:
            while self.first_ended is not None:
                watched = self.first_ended
                self.first_ended = watched.next_ended
                watched.next_ended = None
                watched.finish()
        finally:
            self.will_finish = False
            if self.first_ended is None:
                self.last_ended = None
            else:
                # `finish` has failed. The others are finished in the next iteration.
                self.loop.call_soon(self._finish_ended)
                self.will_finish = True


cdef class Watched:
    """A file descriptor in an epoll set."""

    def __cinit__(self):
        self.descriptor = -1

    cdef int react(self, uint32_t events) except -1:
        """React to events of the descriptor."""
        raise NotImplementedError

    cdef int finish(self) except -1:
        """The end has come, in an earlier callback: close the descriptor."""
        raise NotImplementedError
