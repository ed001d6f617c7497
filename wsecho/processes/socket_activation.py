"""Socket activation: listening sockets that systemd, or another parent process, opened and handed over.

https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
"""

import os
import socket
from collections.abc import MutableMapping

from wsecho.processes.listening_socket import ListeningSocket, Sockets

_FIRST_DESCRIPTOR = 3
# No process has more file descriptors than a number of this length can count.
_MAX_DIGITS = 9
_ADMIN = "admin"
_FAMILIES = {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX}


def take(environment: MutableMapping[str, str], backlog: int) -> Sockets:
    """Return the sockets that were handed over to this process, and remove the LISTEN_* variables from `environment`.

    Those named `admin` are for the admin port, all others for the public port. A socket that is bound but does not
    listen yet is made to listen, with `backlog`. Raises OSError if the variables or a socket cannot be used; the text
    is one line for the user.
    """
    pid, count, names, _ = (
        environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
    )
    handed = Sockets([], [])
    if pid != str(os.getpid()) or not count:
        return handed  # the variables, if any, are meant for a parent process, which did not remove them
    if not count.isascii() or not count.isdecimal() or len(count) > _MAX_DIGITS:
        raise OSError(f"LISTEN_FDS is {count!r}, but must be the number of sockets that were handed over")
    named = names.split(":")
    for number in range(int(count)):
        name = named[number] if number < len(named) else ""
        sockets = handed.admin if name == _ADMIN else handed.public
        sockets.append(_adopted(_FIRST_DESCRIPTOR + number, name or "unknown", backlog))
    return handed


def _adopted(descriptor: int, name: str, backlog: int) -> ListeningSocket:
    """Return the listening socket of a file descriptor.

    Raises OSError if it cannot accept connections; the text is one line for the user.
    """
    try:
        adopted = ListeningSocket(fileno=descriptor)
    except OSError as error:
        raise _unusable(descriptor, name, error.strerror or str(error)) from None
    try:
        if adopted.family not in _FAMILIES or adopted.type != socket.SOCK_STREAM:
            raise _unusable(descriptor, name, "its family or type is not supported")
        address = adopted.getsockname()
        if not (address[1] if isinstance(address, tuple) else address):
            raise _unusable(descriptor, name, "it is not bound to an address")
        if not adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            try:
                adopted.listen(backlog)
            except OSError as error:
                raise _unusable(descriptor, name, error.strerror or str(error)) from None
        adopted.set_inheritable(False)
        adopted.setblocking(False)
        if adopted.family != socket.AF_UNIX:
            adopted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        adopted.close()
        raise
    return adopted


def _unusable(descriptor: int, name: str, reason: str) -> OSError:
    return OSError(
        f"file descriptor {descriptor}, handed over as {name!r} (LISTEN_FDS, LISTEN_FDNAMES), "
        f"cannot be used as a listening socket: {reason}"
    )
