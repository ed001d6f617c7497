"""Listening sockets, which accept a connection in less time than those of the standard library."""

import _socket
import socket
from typing import Any, NamedTuple, cast

from wsecho.http.addresses import Address, unmapped


class _PlainSocket(socket.socket):
    """A socket whose `family` and `type` are plain integers.

    In the standard library these properties convert to members of an enumeration at each access. An accepted socket is
    asked four times before it has its transport, and each conversion takes as long as a system call.
    """

    __slots__ = ()

    family = cast(Any, _socket.socket.family)
    type = cast(Any, _socket.socket.type)


class _AcceptedSocket(_PlainSocket):
    """A connected socket that keeps the address of its peer, which `accept` returned."""

    __slots__ = ("peer",)

    peer: Address | None

    def getpeername(self) -> Address | None:
        """Return the address of the peer, without a system call."""
        return self.peer


class ListeningSocket(_PlainSocket):
    """A stream socket whose accepted sockets have the same plain `family` and `type`."""

    __slots__ = ()

    def accept(self) -> tuple[socket.socket, Address | None]:
        """Accept a connection, as socket.socket does. Return its socket and the address of its peer.

        A client that connects by IPv4 has an IPv4 address, also if the socket accepts both families. A client of a
        Unix-domain socket has no address: None.
        """
        descriptor, peer = self._accept()  # type: ignore[attr-defined]
        accepted = _AcceptedSocket(self.family, self.type, self.proto, fileno=descriptor)
        if self.family == socket.AF_INET:
            accepted.peer = peer
        else:
            accepted.peer = unmapped(peer) if self.family == socket.AF_INET6 else None
        return accepted, accepted.peer


class Sockets(NamedTuple):
    """Listening sockets of the public port and of the admin port."""

    public: list[socket.socket]
    admin: list[socket.socket]
