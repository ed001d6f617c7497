"""Reads the ClientHello, the first and unencrypted message of a TLS client (RFC 8446 section 4.1.2).

Only the fields are read that the TLS library does not make available. The library validates the message itself. As it
stands, this file is used with the Python codec. With the C types in `wsecho/tls/native/client_hello.pxd`, Cython
compiles it for use with the compiled codec.
"""

# RFC 8446 section 5.1: a record has a header of 5 bytes (type, version, length) and at most 2^14 bytes of content.
_RECORD_HEADER = 5
_LONGEST_RECORD = 1 << 14
# The most bytes that are read.
LONGEST = _RECORD_HEADER + _LONGEST_RECORD
_HANDSHAKE = 0x16
# Section 4: type and length of a handshake message. Section 4.1.2: version and random, which are skipped.
_MESSAGE_HEADER = 4
_CLIENT_HELLO = 0x01
_FIXED_FIELDS = 2 + 32
# Types of extensions and names: RFC 6066 section 3 and RFC 7301 section 3.1.
_SERVER_NAME = 0
_HOST_NAME = 0
_PROTOCOLS = 16


def bytes_needed(data: bytes) -> int:
    """Return how many bytes of a connection are needed to read its ClientHello, of which `data` is the beginning.

    If `data` is not the beginning of a ClientHello, return its length: no more bytes are needed.
    """
    if data and data[0] != _HANDSHAKE:
        return len(data)
    if len(data) < _RECORD_HEADER:
        return _RECORD_HEADER
    length = _number(data, 3, 2)
    return _RECORD_HEADER + length if length <= _LONGEST_RECORD else len(data)


def parse(data: bytes) -> tuple[str | None, tuple[bytes, ...]]:
    """Return the host name that a client wants (SNI), and the protocols that it offers (ALPN).

    `data` begins with a ClientHello. If it does not, or with one that is split over several records, then neither is
    known: the host name is None and there are no protocols.
    """
    if len(data) <= _RECORD_HEADER or data[0] != _HANDSHAKE or data[_RECORD_HEADER] != _CLIENT_HELLO:
        return None, ()
    try:
        return _parse_body(data, _RECORD_HEADER + _MESSAGE_HEADER + _FIXED_FIELDS)
    except ValueError:
        return None, ()


def _parse_body(data: bytes, position: int) -> tuple[str | None, tuple[bytes, ...]]:
    """Parse what follows version and random. Raises ValueError if a vector is incomplete or a name is not ASCII."""
    end = len(data)
    for length_size in (1, 2, 1):  # session id, cipher suites, compression methods
        position = _end(data, position, length_size, end)
    end = _end(data, position, 2, end)
    position += 2
    server_name: str | None = None
    protocols: tuple[bytes, ...] = ()
    while position < end:
        value = position + 4
        stop = _end(data, position + 2, 2, end)
        kind = _number(data, position, 2)
        if kind == _SERVER_NAME:
            server_name = _parse_server_name(data, value, stop)
        elif kind == _PROTOCOLS:
            protocols = _parse_protocols(data, value, stop)
        position = stop
    return server_name, protocols


def _parse_server_name(data: bytes, position: int, end: int) -> str | None:
    end = _end(data, position, 2, end)
    name = position + 2
    if name == end or data[name] != _HOST_NAME:
        return None
    end = _end(data, name + 1, 2, end)
    return data[name + 3 : end].decode("ascii")


def _parse_protocols(data: bytes, position: int, end: int) -> tuple[bytes, ...]:
    end = _end(data, position, 2, end)
    position += 2
    protocols = []
    while position < end:
        stop = _end(data, position, 1, end)
        protocols.append(data[position + 1 : stop])
        position = stop
    return tuple(protocols)


def _end(data: bytes, position: int, length_size: int, limit: int) -> int:
    """Return where the vector at `position` ends, whose length takes `length_size` bytes (RFC 8446 section 3.4).

    Raises ValueError if it does not end at `limit` or before.
    """
    start = position + length_size
    if start > limit:
        raise ValueError("the length is cut off")
    end = start + _number(data, position, length_size)
    if end > limit:
        raise ValueError("the vector is cut off")
    return end


def _number(data: bytes, position: int, size: int) -> int:
    """Return the number in the one or two bytes at `position`."""
    return data[position] if size == 1 else data[position] << 8 | data[position + 1]
