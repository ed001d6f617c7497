"""Addresses of clients and networks, in the one form that they are compared in."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

# As sockets have it: host, then port where it is known.
Address = tuple[str | int, ...]
Network = IPv4Network | IPv6Network

# RFC 4291 section 2.5.5.2, as the system writes it.
_MAPPED = "::ffff:"
# All addresses of the machine, of both families.
ALL = "::"
ALL_OF_IPV4 = "0.0.0.0"

_AUTHORITY = re.compile(r"([^:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(\d{0,5}))?", re.ASCII)

# What one customer of a provider gets at least: whoever has one address of it has all (RFC 6177).
_IPV6_SHARE = 64
# IPv4 clients as NAT64 shows them (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")


def parse_ip(text: str | bytes) -> IPv4Address | IPv6Address:
    """Return the address that a text or its own 4 or 16 bytes stand for; IPv4 also where IPv6 carries it.

    The zone that sockets add to addresses of a link is left out. Raises ValueError.
    """
    address = ip_address(text.partition("%")[0] if isinstance(text, str) else text)
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def is_loopback(host: str) -> bool:
    """Tell whether what is sent to `host` stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split_authority(text: str) -> tuple[str, int | None] | None:
    """Return the host, IPv6 in its brackets, and the port that a request asks for (RFC 3986 section 3.2).

    The port is None where there is none behind the host, or nothing but its colon. None: this names no host.
    """
    match = _AUTHORITY.fullmatch(text)
    return (match[1], int(match[2]) if match[2] else None) if match else None


def unmapped(peer: Address) -> Address:
    """Return the address of a peer as a socket of its own family would have it: IPv4 also where IPv6 carries it."""
    host = str(peer[0])
    return (host.removeprefix(_MAPPED), peer[1]) if host.startswith(_MAPPED) and "." in host else peer


def parse_network(text: str) -> Network:
    """Return the network that `text` writes, `10.0.0.0/8`, or the one of a single address. Raises ValueError."""
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8: {error}") from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError(f"{text!r} is one of IPv4 addresses within IPv6: write it as IPv4")
    return network


def client_key(host: str) -> str:
    """Return what `host` is counted under: an IPv4 address itself, an IPv6 address with all of its network."""
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
    return str(IPv6Network((address, _IPV6_SHARE), strict=False))
