"""The message limit, whose callback uses nothing of Python. OpenSSL calls it some twenty times in each handshake, and a
callback into Python takes longer than all other code of the server in a handshake's way.

`wsecho/tls/message_limit.py` says what each method does.
"""

import ctypes
from libc.stdint cimport uintptr_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from wsecho.tls.message_limit import Callback, MessageLimit as PythonMessageLimit
from wsecho.tls.message_limit import HANDSHAKE_DONE as _HANDSHAKE_DONE
from wsecho.tls.message_limit import MAX_STEPS as _MAX_STEPS
from wsecho.tls.message_limit import MINUTE as _MINUTE
from wsecho.tls.message_limit import SHUT_DOWN as _SHUT_DOWN

ctypedef void *(*GetExData)(const void *, int) noexcept nogil
ctypedef int (*SetExData)(void *, int, void *) noexcept nogil
ctypedef void (*SetShutdown)(void *, int) noexcept nogil

cdef int HANDSHAKE_DONE = _HANDSHAKE_DONE
cdef unsigned int MAX_STEPS = _MAX_STEPS
cdef unsigned int MINUTE = _MINUTE
cdef int SHUT_DOWN = _SHUT_DOWN

# OpenSSL's callback gets the connection and nothing else, so what it needs is here, once for the process.
cdef GetExData get_ex_data
cdef SetExData set_ex_data
cdef SetShutdown set_shutdown
cdef int index_of_steps
cdef bint ended = False


cdef void step(void *connection, int where, int result) noexcept nogil:
    global ended
    cdef uintptr_t stored = <uintptr_t>get_ex_data(connection, index_of_steps)
    cdef timespec time
    cdef uintptr_t now, steps
    if not stored and where != HANDSHAKE_DONE:
        return
    clock_gettime(CLOCK_MONOTONIC, &time)
    now = <uintptr_t>time.tv_sec // MINUTE
    steps = (stored & 0xFFFF) + 1 if stored >> 16 == now else 1
    if steps > MAX_STEPS:
        ended = True
        set_shutdown(connection, SHUT_DOWN)
    else:
        set_ex_data(connection, index_of_steps, <void *>(now << 16 | steps))


class MessageLimit(PythonMessageLimit):
    @property
    def has_ended(self):
        return ended

    @has_ended.setter
    def has_ended(self, value):
        global ended
        ended = value

    def _new_callback(self):
        global get_ex_data, set_ex_data, set_shutdown, index_of_steps
        get_ex_data = <GetExData><uintptr_t>_address(self._library.SSL_get_ex_data)
        set_ex_data = <SetExData><uintptr_t>_address(self._library.SSL_set_ex_data)
        set_shutdown = <SetShutdown><uintptr_t>_address(self._library.SSL_set_shutdown)
        index_of_steps = self._index
        return Callback(<uintptr_t>&step)


def _address(function):
    return ctypes.cast(function, ctypes.c_void_p).value
