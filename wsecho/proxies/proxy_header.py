"""Parses the header of the PROXY protocol, versions 1 and 2: a proxy sends it first, to say who connected to it.

https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
"""

from typing import NamedTuple

from wsecho.http.addresses import Address, parse_ip
from wsecho.http.pattern import pattern

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
# Section 2.2: size of the fixed part, which is the signature, version and command, family and protocol, and the length
# of what follows.
_FIXED = len(_SIGNATURE) + 4
_VERSION_2 = 2
_LOCAL, _PROXY = 0, 1
# Bytes of one address, by family. Section 2.2 lists the families and protocols; all others must be refused.
_ADDRESS_SIZES = {0: 0, 1: 4, 2: 16, 3: 108}
_IP_FAMILIES = (1, 2)
# Sections 2.2.5 and 2.2.6: type-length-value entries follow the addresses, with a length of two bytes. The value of the
# entry about TLS begins with a byte of flags; this flag means that the client used TLS.
_TLS = 0x20
_CLIENT_USED_TLS = 1
_MAX_PROTOCOL = 2
# The longest header that is accepted, in bytes. Addresses take 36 bytes, or 216 for Unix sockets. What proxies add to
# them is seldom longer.
LONGEST = 4096

# Section 2.1. Whether the addresses are valid is checked by `parse_ip`. Ports have no leading zeros.
_LINE = pattern(rb"PROXY (TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n")
_LINE_START = b"PROXY "
_UNKNOWN = b"PROXY UNKNOWN"
_SHORTEST_LINE, _LONGEST_LINE = 15, 107
_MAX_PORT = 65535

# The header of a program that connects for itself, such as a health check.
LOCAL_HEADER = _SIGNATURE + bytes([_VERSION_2 << 4 | _LOCAL, 0, 0, 0])


class ProxyHeaderError(ValueError):
    """A connection does not begin with a valid PROXY header. The text says what is wrong, in one line."""


class ProxyHeader(NamedTuple):
    """A parsed header. `size` is its length in bytes.

    `source` is the client that connected to the proxy, None if the header names none, as where the proxy connects for
    itself. `is_encrypted` says that the client used TLS to the proxy.
    """

    size: int
    source: Address | None
    is_encrypted: bool = False


def bytes_needed(data: bytes) -> int:
    """Return how many bytes of a connection must be there before its header can be read further.

    `data` is what there is so far. The result never exceeds the size of the header. Raises ProxyHeaderError as soon as
    `data` cannot be the beginning of a header.
    """
    if not data:
        return 1
    if data.startswith(_SIGNATURE[: len(data)]):
        if len(data) < _FIXED:
            return _FIXED
        size = _FIXED + int.from_bytes(data[_FIXED - 2 : _FIXED], "big")
        if size > LONGEST:
            raise ProxyHeaderError(f"the PROXY header is longer than {LONGEST} bytes")
        return size
    if not data.startswith(_LINE_START[: len(data)]):
        raise ProxyHeaderError("the connection does not begin with a PROXY header")
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end >= 0:
        return end + 2
    if len(data) >= _LONGEST_LINE:
        raise ProxyHeaderError(f"the PROXY header's line is longer than {_LONGEST_LINE} bytes")
    return max(len(data) + 1, _SHORTEST_LINE)


def parse(data: bytes) -> ProxyHeader:
    """Parse the complete header at the beginning of `data`. Raises ProxyHeaderError."""
    size = bytes_needed(data)
    if size > len(data):
        raise ProxyHeaderError("the connection ended within its PROXY header")
    header = data[:size]
    if not header.startswith(_SIGNATURE):
        return ProxyHeader(size, _parse_line(header))
    return ProxyHeader(size, _parse_binary(header), _is_encrypted(header))


def _parse_line(line: bytes) -> Address | None:
    if line.startswith((_UNKNOWN + b"\r\n", _UNKNOWN + b" ")):
        return None
    match = _LINE.fullmatch(line)
    try:
        if not match or max(int(match[4]), int(match[5])) > _MAX_PORT:
            raise ValueError
        addresses = [match[2].decode(), match[3].decode()]
        if any((":" in address) != (match[1] == b"TCP6") for address in addresses):
            raise ValueError
        source, _ = map(parse_ip, addresses)
    except ValueError:
        raise ProxyHeaderError("the PROXY header's line is not protocol, two addresses and two ports") from None
    return str(source), int(match[4])


def _parse_binary(header: bytes) -> Address | None:
    version, command = header[12] >> 4, header[12] & 15
    family, protocol = header[13] >> 4, header[13] & 15
    if version != _VERSION_2 or command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"the PROXY header has version {version} and command {command}")
    if command == _LOCAL:
        return None
    if family not in _ADDRESS_SIZES or protocol > _MAX_PROTOCOL:
        raise ProxyHeaderError(f"the PROXY header has family {family} and protocol {protocol}")
    if family not in _IP_FAMILIES or not protocol:
        return None
    size = _ADDRESS_SIZES[family]
    addresses = header[_FIXED : _FIXED + 2 * size + 4]
    if len(addresses) < 2 * size + 4:
        raise ProxyHeaderError("the PROXY header is too short for its addresses")
    return str(parse_ip(addresses[:size])), int.from_bytes(addresses[2 * size : 2 * size + 2], "big")


def _is_encrypted(header: bytes) -> bool:
    """Return whether an entry after the addresses says that the client used TLS. A truncated entry is ignored."""
    if header[12] & 15 == _LOCAL:
        return False
    family = header[13] >> 4
    at = _FIXED + 2 * _ADDRESS_SIZES[family] + (4 if family in _IP_FAMILIES else 0)
    while (value := at + 3) < len(header):
        end = value + int.from_bytes(header[at + 1 : value], "big")
        if header[at] == _TLS:
            return value < end <= len(header) and bool(header[value] & _CLIENT_USED_TLS)
        at = end
    return False
