"""IP addresses and networks of clients and proxies, in the one form in which they are compared."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from wsecho.http.pattern import pattern

# As in Python's sockets: the host, then the port if it is known.
Address = tuple[str | int, ...]
Network = IPv4Network | IPv6Network

# The beginning of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), as the operating system writes it.
_MAPPED = "::ffff:"
# All addresses of the machine: of both families, and of IPv4 only.
ALL = "::"
ALL_OF_IPV4 = "0.0.0.0"

_AUTHORITY = pattern(r"([^:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d{0,5}))?", re.ASCII)

# The prefix length, in bits, of the smallest IPv6 network that a provider assigns to a customer (RFC 6177). A client
# that has one address of such a network has all of them.
_CLIENT_PREFIX = 64
# The addresses that NAT64 gives to IPv4 clients (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")


def parse_ip(text: str | bytes) -> IPv4Address | IPv6Address:
    """Return the address that a text, or its 4 or 16 bytes, stand for. An IPv4-mapped IPv6 address becomes IPv4.

    A zone, which sockets add to link-local addresses, is left out. Raises ValueError.
    """
    address = ip_address(text.partition("%")[0] if isinstance(text, str) else text)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def is_loopback(host: str) -> bool:
    """Return whether data sent to `host` stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_authority(text: str) -> tuple[str, int | None] | None:
    """Return the host and the port of the authority in a request (RFC 3986 section 3.2), or None if it has no host.

    An IPv6 host stays in its brackets. The port is None if nothing follows the host, or only a colon.
    """
    match = _AUTHORITY.fullmatch(text)
    return (match[1], int(match[2]) if match[2] else None) if match else None


def unmapped(peer: Address) -> Address:
    """Return the address of a peer, with an IPv4-mapped IPv6 address as an IPv4 socket would have it."""
    host = str(peer[0])
    return (host.removeprefix(_MAPPED), peer[1]) if host.startswith(_MAPPED) and "." in host else peer


def parse_network(text: str) -> Network:
    """Return the network that `text` stands for, such as `10.0.0.0/8`, or that of a single address.

    Raises ValueError; its text is one line for the user.
    """
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8: {error}") from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError(f"{text!r} is a network of IPv4-mapped IPv6 addresses: write it as an IPv4 network")
    return network


def client_key(host: str) -> str:
    """Return the key that `host` is counted under: an IPv4 address, or the /64 network of an IPv6 address."""
    if ":" not in host:
        return host
    try:
        address = parse_ip(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address in _TRANSLATED:
        address = IPv4Address(address.packed[-4:])
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, _CLIENT_PREFIX), strict=False))
