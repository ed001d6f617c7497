# The wire, for the `Base` and the `Transport` of the module that includes this file.
#
# The transport reads into the receive buffer and writes from it, and no Python object is created between.
# `wsecho/codec/wire.py` says what each method does.

cimport cython
from libc.stdint cimport int64_t

from wsecho.codec.native.echo cimport Echo

from wsecho.websocket.echo import CLOSED as _CLOSED
from wsecho.websocket.echo import OPEN as _OPEN
from wsecho.codec.wire import MANY_FRAMES as _MANY_FRAMES
from wsecho.codec.wire import MANY_PIECES as _MANY_PIECES

cdef int CLOSED = _CLOSED
cdef int OPEN = _OPEN
cdef int64_t MANY_FRAMES = _MANY_FRAMES
cdef int MANY_PIECES = _MANY_PIECES


@cython.final
cdef class Wire(Base):
    cdef Echo echo
    cdef Transport transport
    cdef object connection
    cdef readonly int64_t written
    cdef readonly int64_t pieces

    def __init__(self, Echo echo, transport, connection):
        self.echo = echo
        self.transport = transport
        self.connection = connection

    cpdef is_buffered_protocol(self):
        return True

    cdef NoResult get_buffer_c(self, Py_ssize_t hint, char **data, Py_ssize_t *size) except NoResult.EXC:
        data[0] = <char *>self.echo.data + self.echo.buffer.landing
        size[0] = self.echo.room()
        return NoResult.OK

    cpdef Py_ssize_t get_local_write_buffer_size(self) except -1:
        return 0

    def feed(self, bytes data):
        self.echo.buffer.place(self.echo.buffer.landing, data)
        self.buffer_updated(len(data))

    cpdef buffer_updated(self, Py_ssize_t received):
        cdef Echo echo = self.echo
        cdef int64_t frames
        if echo.state < CLOSED:
            frames = echo.frames
            echo.receive(received)
            self.send()
            if echo.state != OPEN:
                self.connection.echo_closes()
            if echo.ping_answered:
                self.connection.pong_received()
            if echo.frames - frames > MANY_FRAMES:
                self.connection.wait()
        if echo.stop == echo.start:
            self.connection.nothing_to_send()

    cpdef send(self):
        cdef Echo echo = self.echo
        if echo.stop > echo.start:
            echo.counters.sent(echo.stop - echo.start, echo.payload, echo.completed)
            self.written += echo.stop - echo.start
            self.pieces += 1
            self.transport.write_c(<char *>echo.data + echo.start, echo.stop - echo.start)
            if not self.pieces & (MANY_PIECES - 1):
                self.connection.many_pieces_written()

    def eof_received(self):
        self.connection.eof_received()

    def connection_lost(self, exc):
        self.connection.connection_lost(exc)

    def pause_writing(self):
        self.connection.pause_writing()

    def resume_writing(self):
        self.connection.resume_writing()
