# The C types of wsecho/tls/client_hello.py, which Cython compiles as wsecho.tls.native.client_hello.
cimport cython

cdef Py_ssize_t _RECORD_HEADER, _LONGEST_RECORD
cdef int _HANDSHAKE, _MESSAGE_HEADER, _CLIENT_HELLO, _FIXED_FIELDS, _SERVER_NAME, _HOST_NAME, _PROTOCOLS

@cython.locals(length=Py_ssize_t)
cpdef Py_ssize_t bytes_needed(bytes data) except -1
cpdef tuple parse(bytes data)
@cython.locals(end=Py_ssize_t, length_size=Py_ssize_t, value=Py_ssize_t, stop=Py_ssize_t, kind=int)
cdef tuple _parse_body(bytes data, Py_ssize_t position)
@cython.locals(name=Py_ssize_t)
cdef str _parse_server_name(bytes data, Py_ssize_t position, Py_ssize_t end)
@cython.locals(stop=Py_ssize_t, protocols=list)
cdef tuple _parse_protocols(bytes data, Py_ssize_t position, Py_ssize_t end)
@cython.locals(start=Py_ssize_t, end=Py_ssize_t)
cdef Py_ssize_t _end(bytes data, Py_ssize_t position, Py_ssize_t length_size, Py_ssize_t limit) except -1
cdef Py_ssize_t _number(bytes data, Py_ssize_t position, Py_ssize_t size) except -1
