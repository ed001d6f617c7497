"""Transports of plain TCP connections on Linux, for the compiled codec.

An event goes from the epoll set through `read`, the protocol's C methods (`wsecho/codec/native/wire.pxi`) and `write_c`
to the socket, without the event loop and without a Python object between. A transport has those methods of
`asyncio.Transport` that the server uses, with the same meaning. Its protocol is an `asyncio.BufferedProtocol`.
"""

import os
from functools import cache

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t

from wsecho.tcp.addresses cimport accept_connection, keep_address, shown_address
from wsecho.tcp.epoll_set cimport EpollSet, Watched

cdef extern from "<poll.h>":
    # The values of epoll's events of these names (epoll_ctl(2)).
    enum: POLLIN, POLLOUT, POLLERR, POLLHUP

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    ssize_t recv(int descriptor, void *data, size_t size, int flags)
    ssize_t send(int descriptor, const void *data, size_t size, int flags)
    int shutdown(int descriptor, int how)
    int getsockopt(int descriptor, int level, int name, void *value, socklen_t *size)
    enum: MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR, SOL_SOCKET, SO_ERROR

cdef extern from "<unistd.h>":
    int close(int descriptor)

# A transport reads in one batch until it has read so many bytes, or until its socket has no more.
cdef Py_ssize_t MOST_READ = 256 * 1024


# A connection can end with few of the errors, but very often with those.
strerror = cache(os.strerror)


cdef object system_error(int number):
    """Return the exception for a failed system call on a socket. The peer or the network is the cause."""
    return OSError(number, strerror(number))


cdef class EpollTransports(EpollSet):
    """Makes the transports of one worker, as `wsecho/tcp/transports.py` does with aiofastnet."""

    # Transports whose protocol has not been told of them: there is none, because `start` tells it at once.
    starting = 0

    def accept(self, listening):
        """Accept a connection that waits on a listening socket.

        Return its transport, which is given to `start`, and the address of its peer; None if no connection waits.
        Raises OSError.
        """
        cdef EpollTransport transport = EpollTransport(self)
        transport.descriptor = accept_connection(listening.fileno(), &transport.peer)
        if transport.descriptor >= 0:
            return transport, shown_address(&transport.peer)
        if errno != EAGAIN and errno != EINTR:
            raise system_error(errno)
        return None

    def start(self, accepted, protocol):
        """Call `connection_made` of `protocol`, and begin to read. `accepted` is an accepted socket or its transport.

        Raises OSError if the socket cannot be taken over. An exception of the protocol is reported, and ends the
        connection.
        """
        cdef EpollTransport transport
        if isinstance(accepted, EpollTransport):
            transport = accepted
        else:
            transport = EpollTransport(self)
            keep_address(&transport.peer, accepted.getpeername())
            transport.descriptor = accepted.detach()
        transport.begin(protocol)


cdef class EpollProtocol:
    """A protocol with C methods, which do what the methods of `asyncio.BufferedProtocol` of these names do.

    They have the types of those of aiofastnet's `Protocol`, so that `wire.pxi` can be a protocol of either kind.
    """

    cdef NoResult get_buffer_c(self, Py_ssize_t hint, char **data, Py_ssize_t *size) except NoResult.EXC:
        raise NotImplementedError

    cpdef buffer_updated(self, Py_ssize_t received):
        raise NotImplementedError


@cython.final
cdef class EpollTransport(Watched):
    """The transport of one accepted socket."""

    def __init__(self, EpollSet epoll):
        self.epoll = epoll
        self.high = 64 * 1024
        self.low = 16 * 1024
        self.reading = True

    def __dealloc__(self):
        wsecho_drop(&self.unsent, self.unsent.size)
        if self.descriptor >= 0:
            close(self.descriptor)

    cdef int begin(self, protocol) except -1:
        self.set_protocol(protocol)
        try:
            protocol.connection_made(self)
        except Exception as error:
            # The protocol is told of the end of what it was told of.
            self.fail("protocol.connection_made() failed", error)
            return 0
        try:
            if not self.ended:
                self.interest = self.wanted()
                self.epoll.add(self)
        except Exception as error:
            self.fail("Fatal error on transport", error)
        return 0

    cpdef set_protocol(self, protocol):
        self.protocol = protocol
        self.c_protocol = protocol if isinstance(protocol, EpollProtocol) else None

    def get_protocol(self):
        return self.protocol

    def get_extra_info(self, name, default=None):
        """Return the `peername`, or the `descriptor` of the socket. Return `default` for any other name.

        The descriptor belongs to the transport: it may be asked, and options may be set on it. It is -1 when the socket
        is closed.
        """
        if name == "peername":
            return shown_address(&self.peer)
        if name == "descriptor":
            return self.descriptor
        return default

    def is_closing(self):
        return bool(self.closing)

    def is_reading(self):
        return bool(self.reading and not self.closing)

    def pause_reading(self):
        if self.reading and not self.closing:
            self.reading = False
            self.update()

    def resume_reading(self):
        if not self.reading and not self.closing:
            self.reading = True
            self.update()

    def get_write_buffer_size(self):
        return self.unsent.size

    def set_write_buffer_limits(self, high=None, low=None):
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self.high = high
        self.low = low
        self.maybe_pause()
        self.maybe_resume()

    def can_write_eof(self):
        return True

    def write_eof(self):
        if self.closing or self.write_ended:
            return
        self.write_ended = True
        if not self.unsent.size and shutdown(self.descriptor, SHUT_WR) < 0:
            raise system_error(errno)

    def close(self):
        if self.closing:
            return
        self.closing = True
        if self.unsent.size:
            self.update()
        else:
            self.end(None)

    def abort(self):
        self.end(None)

    def write(self, data):
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            self.write_c(<const char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cdef int write_c(self, const char *data, size_t size) except -1:
        """Send what the socket takes, and keep a copy of the rest."""
        cdef ssize_t sent = 0
        if self.write_ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.ended or not size:
            return 0
        try:
            if not self.unsent.size:
                # Accepted sockets are blocking: to change that would take a system call for each.
                sent = send(self.descriptor, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                if sent < 0:
                    if errno != EAGAIN and errno != EINTR:
                        raise system_error(errno)
                    sent = 0
                if <size_t>sent == size:
                    return 0
            if wsecho_keep(&self.unsent, data + sent, size - sent) < 0:
                raise MemoryError
            self.maybe_pause()
            self.update()
        except Exception as error:
            self.fail("Fatal write error on transport", error)
        return 0

    cdef int react(self, uint32_t events) except -1:
        try:
            self.dispatch(events)
        except Exception as error:
            # This connection ends, and the batch goes on.
            self.fail("Fatal error on transport", error)
        return 0

    cdef int dispatch(self, uint32_t events) except -1:
        if self.may_read():
            if events & (POLLIN | POLLERR | POLLHUP):
                self.read()
        elif events & (POLLERR | POLLHUP):
            self.end_unread(events)
        if events & POLLOUT and not self.ended:
            self.write_unsent()
        return 0

    cdef int end_unread(self, uint32_t events) except -1:
        """React to an error or to the end of both directions, while nothing is read.

        The kernel reports these whatever the interest is, and in every batch until something is done.
        """
        cdef int number = 0
        cdef socklen_t size = sizeof(number)
        if events & POLLERR or self.read_ended:
            getsockopt(self.descriptor, SOL_SOCKET, SO_ERROR, &number, &size)
            self.end(system_error(number) if number else None)
        elif not self.unsent.size:
            # Reading is paused, and bytes may have arrived before the end: they are read when reading is resumed.
            self.epoll.unwatch(self)
        return 0

    cdef int read(self) except -1:
        cdef ssize_t count
        cdef Py_ssize_t room, total = 0
        while self.may_read() and total < MOST_READ:
            count = self.read_once(&room)
            if count < 0:
                return 0
            if count == 0:
                return self.end_read()
            total += count
            if self.c_protocol is not None:
                self.c_protocol.buffer_updated(count)
            else:
                self.protocol.buffer_updated(count)
            if count < room:
                # The socket had no more.
                return 0
        return 0

    cdef ssize_t read_once(self, Py_ssize_t *room) except -2:
        """Read into the protocol's buffer, and set `room` to its size.

        Return the number of bytes, 0 at the end of the stream, or -1 if nothing has arrived or the connection is lost.
        """
        cdef char *data
        cdef Py_buffer view
        cdef ssize_t count
        cdef int number
        if self.c_protocol is not None:
            self.c_protocol.get_buffer_c(-1, &data, room)
            count = recv(self.descriptor, data, room[0], MSG_DONTWAIT)
            number = errno
        else:
            PyObject_GetBuffer(self.protocol.get_buffer(-1), &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
            room[0] = view.len
            count = recv(self.descriptor, view.buf, room[0], MSG_DONTWAIT)
            number = errno
            PyBuffer_Release(&view)
        if not room[0]:
            raise RuntimeError("get_buffer() returned an empty buffer")
        if count < 0 and number != EAGAIN and number != EINTR:
            # Not raised: many connections end with a reset, and a traceback takes as long as reading a request.
            self.end(system_error(number))
        return count

    cdef int end_read(self) except -1:
        """The peer has closed its side. The protocol says whether this side stays open."""
        self.read_ended = True
        if self.protocol.eof_received():
            self.update()
        else:
            self.close()
        return 0

    cdef int write_unsent(self) except -1:
        if wsecho_send(&self.unsent, self.descriptor) < 0:
            raise system_error(errno)
        self.maybe_resume()
        if self.ended:
            return 0
        if self.unsent.size:
            return self.update()
        if self.closing:
            return self.end(None)
        if self.write_ended and shutdown(self.descriptor, SHUT_WR) < 0:
            raise system_error(errno)
        return self.update()

    cdef bint may_read(self) noexcept:
        return self.reading and not self.read_ended and not self.closing

    cdef uint32_t wanted(self) noexcept:
        return (POLLIN if self.may_read() else 0) | (POLLOUT if self.unsent.size else 0)

    cdef int update(self) except -1:
        """Have the set watch for what is of interest now."""
        cdef uint32_t events = self.wanted()
        if events != self.interest and self.is_added:
            self.interest = events
            self.epoll.watch(self)
        return 0

    cdef int maybe_pause(self) except -1:
        if self.unsent.size > self.high and not self.protocol_paused:
            self.protocol_paused = True
            try:
                self.protocol.pause_writing()
            except Exception as error:
                self.report("protocol.pause_writing() failed", error)
        return 0

    cdef int maybe_resume(self) except -1:
        if self.protocol_paused and self.unsent.size <= self.low and not self.ended:
            self.protocol_paused = False
            try:
                self.protocol.resume_writing()
            except Exception as error:
                self.report("protocol.resume_writing() failed", error)
        return 0

    cdef int fail(self, str message, error) except -1:
        try:
            # Not reported: errors of the socket, which a peer or the network causes.
            if not isinstance(error, OSError):
                self.report(message, error)
        finally:
            self.end(error)
        return 0

    cdef int report(self, str message, error) except -1:
        self.epoll.loop.call_exception_handler(
            {"message": message, "exception": error, "transport": self, "protocol": self.protocol}
        )
        return 0

    cdef int end(self, error) except -1:
        """Drop what is unsent, and have `finish` called later."""
        if self.ended:
            return 0
        self.ended = self.closing = True
        if self.protocol is None:
            # It was not started, so nothing refers to the descriptor, and nobody is told of its end.
            close(self.descriptor)
            self.descriptor = -1
            return 0
        self.error = error
        wsecho_drop(&self.unsent, self.unsent.size)
        return self.epoll.end(self)

    cdef int finish(self) except -1:
        try:
            self.protocol.connection_lost(self.error)
        except Exception as error:
            self.report("protocol.connection_lost() failed", error)
        finally:
            # The protocol refers to the transport. Without this cycle, nothing is left to the garbage collector.
            self.protocol = self.c_protocol = self.error = None
            close(self.descriptor)
            self.descriptor = -1
        return 0
