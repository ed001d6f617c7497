"""Sockets that whoever started us has opened for us: socket activation, as systemd does it.

https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from wsecho.processes.listening_socket import ListeningSocket

_FIRST = 3
# More files than that no process has open.
_MOST_DIGITS = 9
_ADMIN = "admin"
_FAMILIES = {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX}


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Sockets that listen already: those called `admin` are for the admin port, all others for the public one."""

    public: list[socket.socket] = field(default_factory=list)
    admin: list[socket.socket] = field(default_factory=list)


def take(environment: MutableMapping[str, str], backlog: int) -> HandedOver:
    """Return the sockets that were handed over to this process, and remove from `environment` what says so.

    One that is bound and does not listen yet begins to, with `backlog`. Raises OSError with a line for the user.
    """
    pid, count, names, _ = (
        environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
    )
    handed = HandedOver()
    if pid != str(os.getpid()) or not count:
        return handed  # meant for a process that has started us, which left its variables behind
    if not count.isascii() or not count.isdecimal() or len(count) > _MOST_DIGITS:
        raise OSError(f"LISTEN_FDS is {count!r}, not the number of sockets that were handed over")
    named = names.split(":")
    for number in range(int(count)):
        name = named[number] if number < len(named) else ""
        sockets = handed.admin if name == _ADMIN else handed.public
        sockets.append(_adopted(_FIRST + number, name or "unknown", backlog))
    return handed


def _adopted(descriptor: int, name: str, backlog: int) -> ListeningSocket:
    """Return the socket of a descriptor. Raises OSError with a line for the user if it cannot accept connections."""
    try:
        adopted = ListeningSocket(fileno=descriptor)
    except OSError as error:
        raise _unfit(descriptor, name, error.strerror or str(error)) from None
    try:
        if adopted.family not in _FAMILIES or adopted.type != socket.SOCK_STREAM:
            raise _unfit(descriptor, name, "it is of another family or type")
        address = adopted.getsockname()
        if not (address[1] if isinstance(address, tuple) else address):
            raise _unfit(descriptor, name, "it is bound to no address")
        if not adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            try:
                adopted.listen(backlog)
            except OSError as error:
                raise _unfit(descriptor, name, error.strerror or str(error)) from None
        adopted.set_inheritable(False)
        adopted.setblocking(False)
        if adopted.family != socket.AF_UNIX:
            adopted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        adopted.close()
        raise
    return adopted


def _unfit(descriptor: int, name: str, reason: str) -> OSError:
    return OSError(
        f"descriptor {descriptor}, handed over as {name!r} (LISTEN_FDS, LISTEN_FDNAMES), "
        f"is not a stream socket that could listen: {reason}"
    )
