# The C types of wsecho/websocket/echo.py, which Cython compiles as wsecho.codec.native.echo.
cimport cython
from libc.stdint cimport int64_t, uint32_t

# Under names of their own, because echo.py imports the Python classes by their plain names for the type checker.
from wsecho.codec.native.inflater cimport Inflater as NativeInflater
from wsecho.codec.native.inflater cimport InflateBudget as NativeInflateBudget
from wsecho.codec.native.receive_buffer cimport ReceiveBuffer as NativeReceiveBuffer
from wsecho.codec.native.message_counters cimport MessageCounters as NativeMessageCounters

ctypedef unsigned char *uchar_pointer

cdef int UTF8_COMPLETE, UTF8_INVALID
cdef int OPEN, CLOSING, CLOSED
cdef int CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG
cdef int FIN, RESERVED_BITS, OPCODE_BITS, COMPRESSED_BIT, CONTROL_BIT
cdef int MASKED, SIZE_BITS, SIZE_IN_2_BYTES, SIZE_IN_8_BYTES
cdef int NORMAL_CLOSURE, GOING_AWAY, NO_STATUS

cpdef bint may_be_sent(int64_t code)


@cython.final
cdef class Echo:
    cdef NativeReceiveBuffer buffer
    cdef unsigned char *data
    cdef NativeMessageCounters counters
    cdef readonly int64_t max_message_size
    cdef readonly int64_t max_fragments
    cdef public object make_inflater
    cdef NativeInflateBudget budget
    cdef public NativeInflater inflater
    cdef readonly int state
    cdef readonly int close_code
    cdef readonly bint closed_by_peer
    cdef readonly object violation
    cdef readonly Py_ssize_t start
    cdef readonly Py_ssize_t stop
    cdef readonly Py_ssize_t completed
    cdef readonly int64_t payload
    cdef readonly int64_t frame_remaining
    cdef uint32_t mask
    cdef int frame_opcode
    cdef bint frame_final
    cdef int64_t frame_size
    cdef Py_ssize_t frame_start
    cdef bint forwarding
    cdef int64_t forwarded
    cdef readonly int message_opcode
    cdef int64_t message_size
    cdef int64_t message_frames
    cdef bint message_compressed
    cdef int64_t inflated_size
    cdef int utf8
    cdef readonly int64_t bytes_received
    cdef readonly int64_t frames
    cdef readonly int64_t messages
    cdef readonly int64_t payload_received
    cdef readonly int64_t payload_sent
    cdef readonly bytes unanswered_ping
    cdef public bint ping_answered
    cdef object held
    cdef Py_ssize_t held_size
    cdef object pending_close

    @cython.locals(read=Py_ssize_t, end=Py_ssize_t, payload_received=int64_t, payload_sent=int64_t)
    cpdef int receive(self, Py_ssize_t received) except -1
    cpdef Py_ssize_t room(self) noexcept
    cpdef close(self, int code, bytes reason)
    cdef void _begin_reply(self) noexcept
    cpdef ping(self, bytes payload)
    cpdef greet(self, bytes text)
    @cython.locals(
        data=uchar_pointer, stop=Py_ssize_t, longest=int64_t, count=Py_ssize_t, payload=int64_t, opcode=int, size=int
    )
    cdef Py_ssize_t _short_messages(self, Py_ssize_t read, Py_ssize_t end) except -1
    @cython.locals(
        data=uchar_pointer, first=int, second=int, size=int64_t, opcode=int, header=Py_ssize_t
    )
    cdef Py_ssize_t _begin_frame(self, Py_ssize_t read, Py_ssize_t end) except -1
    cdef bint _may_be_compressed(self, int first) noexcept
    cdef int64_t _largest_wire_size(self) noexcept
    @cython.locals(size=int64_t)
    cdef int64_t _extended_size(self, Py_ssize_t start, Py_ssize_t stop) noexcept
    @cython.locals(data=uchar_pointer, stop=Py_ssize_t, second=int, position=Py_ssize_t)
    cdef void _put_header(self, int first, Py_ssize_t read, Py_ssize_t length) noexcept
    @cython.locals(count=Py_ssize_t)
    cdef Py_ssize_t _receive_payload(self, Py_ssize_t read, Py_ssize_t end) except -1
    cdef bint _validate(self, Py_ssize_t count, Py_ssize_t end) except -1
    @cython.locals(ends_message=bint, piece=bytes)
    cdef bint _validate_compressed(self, Py_ssize_t count, Py_ssize_t end) except -1
    cdef int _end_frame(self, Py_ssize_t end) except -1
    cdef int _receive_pong(self) except -1
    cdef void _end_unanswered_frame(self) noexcept
    cdef int _end_data_frame(self, Py_ssize_t end) except -1
    @cython.locals(payload=Py_ssize_t, code=int, reason=Py_ssize_t)
    cdef int _answer_close(self, Py_ssize_t end) except -1
    cdef Py_ssize_t _fail_text(self, Py_ssize_t end) except -1
    cdef Py_ssize_t _fail(self, Py_ssize_t end, object violation) except -1
    cdef int _put_close(self, object code, bytes reason) except -1
    cdef int _suspend_frame(self) except -1
    cdef Py_ssize_t _hold(self, Py_ssize_t start, Py_ssize_t stop) except -1
    cdef int _restore_held(self, Py_ssize_t at) except -1
    cdef void _drop_held(self) noexcept
