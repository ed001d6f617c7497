"""Reads the ClientHello, the first and unencrypted message of a TLS client (RFC 8446 section 4.1.2).

Only the fields are read that the TLS library does not make available. The library validates the message itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# RFC 8446 section 5.1: a record has a header of 5 bytes (type, version, length) and at most 2^14 bytes of content.
_RECORD_HEADER = 5
_LONGEST_RECORD = 1 << 14
# The most bytes that are read.
LONGEST = _RECORD_HEADER + _LONGEST_RECORD
_HANDSHAKE = b"\x16"
# Section 4: type and length of a handshake message. Section 4.1.2: version and random, which are skipped.
_MESSAGE_HEADER = 4
_CLIENT_HELLO = b"\x01"
_FIXED_FIELDS = 2 + 32
# Types of extensions and names: RFC 6066 section 3 and RFC 7301 section 3.1.
_SERVER_NAME = 0
_HOST_NAME = 0
_PROTOCOLS = 16


@dataclass(frozen=True, slots=True)
class ClientHello:
    """The host name that a client wants (SNI), and the protocols that it offers (ALPN)."""

    server_name: str | None = None
    protocols: tuple[bytes, ...] = ()


def bytes_needed(data: bytes) -> int:
    """Return how many bytes of a connection are needed to read its ClientHello, of which `data` is the beginning.

    If `data` is not the beginning of a ClientHello, return its length: no more bytes are needed.
    """
    if data and not data.startswith(_HANDSHAKE):
        return len(data)
    if len(data) < _RECORD_HEADER:
        return _RECORD_HEADER
    length = int.from_bytes(data[3:_RECORD_HEADER], "big")
    return _RECORD_HEADER + length if length <= _LONGEST_RECORD else len(data)


def parse(data: bytes) -> ClientHello:
    """Return the ClientHello at the beginning of `data`.

    It is empty if `data` is no ClientHello or one that is split over several records.
    """
    message = data[_RECORD_HEADER:]
    if not data.startswith(_HANDSHAKE) or not message.startswith(_CLIENT_HELLO):
        return ClientHello()
    try:
        return _parse_body(message[_MESSAGE_HEADER:])
    except ValueError:
        return ClientHello()


def _parse_body(body: bytes) -> ClientHello:
    position = _FIXED_FIELDS
    for length_size in (1, 2, 1):  # session id, cipher suites, compression methods
        position = _vector(body, position, length_size)[1]
    extensions, _ = _vector(body, position, 2)
    server_name: str | None = None
    protocols: tuple[bytes, ...] = ()
    position = 0
    while position < len(extensions):
        kind = int.from_bytes(extensions[position : position + 2], "big")
        value, position = _vector(extensions, position + 2, 2)
        if kind == _SERVER_NAME:
            server_name = _parse_server_name(value)
        elif kind == _PROTOCOLS:
            protocols = tuple(_vectors(_vector(value, 0, 2)[0]))
    return ClientHello(server_name, protocols)


def _parse_server_name(value: bytes) -> str | None:
    names, _ = _vector(value, 0, 2)
    if names[:1] != bytes([_HOST_NAME]):
        return None
    return _vector(names, 1, 2)[0].decode("ascii")


def _vectors(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        value, position = _vector(data, position, 1)
        yield value


def _vector(data: bytes, position: int, length_size: int) -> tuple[bytes, int]:
    """Return the vector at `position` and the position of its end (RFC 8446 section 3.4).

    Raises ValueError if the vector is incomplete.
    """
    start = position + length_size
    end = start + int.from_bytes(data[position:start], "big")
    if start > len(data) or end > len(data):
        raise ValueError("cut off")
    return data[start:end], end
