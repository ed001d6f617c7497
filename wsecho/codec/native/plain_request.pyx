"""Reads plain requests, among them nearly every handshake, without llhttp.

A plain request is a GET that arrived whole, is short, announces no body, and has no byte that could be read in two
ways. `wsecho/http/http1.py` has the rules for all requests. This reader accepts only what `RequestReader` certainly
accepts, and returns the same `Request`. It refuses nothing: every other request is left to `RequestReader`.
"""

from libc.string cimport memcmp, strlen, strncmp

from wsecho.http.list_fields import FEWEST_ELEMENTS, SMALLEST_SIZE
from wsecho.http.request import Request

cdef enum:
    MAX_FIELDS = 32
    # Classes of bytes.
    IN_TARGET = 1
    IN_NAME = 2
    IN_VALUE = 4
    IN_HOST = 8

ctypedef const unsigned char *Position

# The parts of a header field, `name: value`, and how many commas the value has.
cdef struct Field:
    Position name
    Position colon
    Position value
    Position end
    int commas

# If the whole head keeps to the bounds of the shortest list, then so does every list in it.
cdef Py_ssize_t max_size = SMALLEST_SIZE
cdef int max_elements = FEWEST_ELEMENTS
# Values of Connection, in lower case. None of them ends the connection after the answer.
cdef frozenset plain_connections = frozenset({"upgrade", "keep-alive", "keep-alive, upgrade", "upgrade, keep-alive"})

# Usual names of fields as clients spell them, as bytes and as the result of `_name_of`, by their length.
cdef list usual_names = [[] for _ in range(32)]
for _name in (
    *("Host", "Connection", "Upgrade", "Origin", "User-Agent", "Cookie", "Pragma", "Cache-Control", "Authorization"),
    *("Sec-WebSocket-Version", "Sec-WebSocket-Key", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"),
    *("Accept", "Accept-Encoding", "Accept-Language", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"),
):
    for _spelling in (_name, _name.lower()):
        usual_names[len(_name)].append((_spelling.encode(), (_spelling, _name.lower())))

# The classes of each byte. NUL, which follows the last byte of every bytes object, is in none.
cdef unsigned char classes[256]


cdef void _add(bytes members, int byte_class):
    for byte in members:
        classes[byte] |= byte_class


cdef bytes alphanumeric = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_add(alphanumeric + b"-._~!$&'()*+,;=:@/?%", IN_TARGET)  # RFC 3986 sections 3.3 and 3.4
_add(alphanumeric + b"!#$%&'*+-.^_`|~", IN_NAME)  # RFC 9110 section 5.6.2
_add(bytes(range(0x20, 0x7F)), IN_VALUE)
_add(alphanumeric + b"-.:[]_", IN_HOST)


def read_plain_request(bytes data not None):
    """Return the request whose head is exactly `data`, or None if `RequestReader` has to read it."""
    cdef Position start = data
    cdef Position position
    cdef Field field
    cdef int elements = 0
    cdef bint has_host = False
    if len(data) > max_size or not _begins(start, b"GET /"):
        return None
    position = _skip(start + 4, IN_TARGET)
    cdef str target = _text(start + 4, position)
    if not _begins(position, b" HTTP/1.1\r\n"):
        return None
    position += 11
    cdef list headers = []
    cdef dict values = {}
    while position[0] != c"\r":
        if len(headers) == MAX_FIELDS or not _read_field(position, &field):
            return None
        if _is_named(&field, b"host"):
            if has_host or _skip(field.value, IN_HOST) != field.end:
                return None
            has_host = True
        elif _is_named(&field, b"content-length") or _is_named(&field, b"transfer-encoding"):
            return None
        value = _text(field.value, field.end)
        if _is_named(&field, b"connection") and value.lower() not in plain_connections:
            return None
        name, lower_name = _name_of(&field)
        headers.append((name, value))
        if lower_name in values:
            (<list>values[lower_name]).append(value)
        else:
            values[lower_name] = [value]
        elements += 1 + field.commas
        position = field.end + 2
    if not has_host or elements > max_elements or position + 2 != start + len(data) or position[1] != c"\n":
        return None
    path, _, query = target.partition("?")
    return _request(target, path, query, tuple(headers), values)


cdef object _request(str target, str path, str query, tuple headers, dict values):
    """Return the same object as `Request("GET", target, path, query, "1.1", headers)`, in a third of the time."""
    request = Request.__new__(Request)
    request.method = "GET"
    request.target = target
    request.path = path
    request.query = query
    request.version = "1.1"
    request.headers = headers
    request.keep_alive = True
    request.has_body = False
    request.peer = None
    request.client = None
    request.scheme = "http"
    request.tls = None
    request.client_key = ""
    request.authority = (<list>values["host"])[0]
    request._values = values
    return request


cdef bint _read_field(Position position, Field *field) noexcept:
    """Find the parts of the field at `position`. Return whether it is written as clients write it."""
    field.name = position
    field.colon = _skip(position, IN_NAME)
    if field.colon == field.name or not _begins(field.colon, b": "):
        return False
    field.value = field.colon + 2
    field.end = field.value
    field.commas = 0
    while classes[field.end[0]] & IN_VALUE:
        field.commas += field.end[0] == c","
        field.end += 1
    # RFC 9110 section 5.5: spaces around a value do not belong to it.
    is_trimmed = field.end > field.value and field.value[0] != c" " and field.end[-1] != c" "
    return is_trimmed and _begins(field.end, b"\r\n")


cdef bint _is_named(Field *field, const char *name) noexcept:
    """Return whether a field has this name (in lower case), whatever the locale is, unlike strncasecmp."""
    cdef Position byte = field.name
    while byte < field.colon and byte[0] | 0x20 == name[0]:
        byte += 1
        name += 1
    return byte == field.colon and name[0] == 0


cdef tuple _name_of(Field *field):
    """Return the name of a field as it is spelt, and in lower case."""
    cdef Py_ssize_t size = field.colon - field.name
    if size < len(usual_names):
        for usual in <list>usual_names[size]:
            if memcmp(field.name, <const char *><bytes>(<tuple>usual)[0], size) == 0:
                return <tuple>(<tuple>usual)[1]
    name = _text(field.name, field.colon)
    return name, name.lower()


cdef Position _skip(Position position, int byte_class) noexcept:
    """Return where the bytes of a class end."""
    while classes[position[0]] & byte_class:
        position += 1
    return position


cdef bint _begins(Position position, const char *text) noexcept:
    """Return whether the bytes at `position` begin with `text`. Nothing is read behind the first byte that differs."""
    return strncmp(<const char *>position, text, strlen(text)) == 0


cdef str _text(Position start, Position end):
    return (<const char *>start)[: end - start].decode("latin-1")
