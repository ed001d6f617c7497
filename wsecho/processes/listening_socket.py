"""A socket that accepts connections for less than the standard library's own does."""

import _socket
import socket
from typing import Any, cast

from wsecho.http.addresses import Address, unmapped


class _FrugalSocket(socket.socket):
    """Tells its family and its type by their numbers.

    The standard library makes members of enumerations of them, each time that they are asked for: four times until an
    accepted socket has its transport, for as much as a system call each.
    """

    __slots__ = ()

    family = cast(Any, _socket.socket.family)
    type = cast(Any, _socket.socket.type)


class _AcceptedSocket(_FrugalSocket):
    """Knows who has connected, for it was told so when the connection was accepted."""

    __slots__ = ("peer",)

    peer: Address | None

    def getpeername(self) -> Address | None:
        """Return that, without asking the system again."""
        return self.peer


class ListeningSocket(_FrugalSocket):
    """A stream socket whose accepted sockets are frugal, too."""

    __slots__ = ()

    def accept(self) -> tuple[socket.socket, Address | None]:
        """Accept a connection, as socket.socket does; return its socket and the address of its peer.

        A client that comes by IPv4 has an IPv4 address, also where the socket takes both families. One that comes by a
        Unix-domain socket has none.
        """
        descriptor, peer = self._accept()  # type: ignore[attr-defined]
        accepted = _AcceptedSocket(self.family, self.type, self.proto, fileno=descriptor)
        if self.family == socket.AF_INET:
            accepted.peer = peer
        else:
            accepted.peer = unmapped(peer) if self.family == socket.AF_INET6 else None
        return accepted, accepted.peer
