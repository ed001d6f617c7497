"""Binds listening sockets to addresses and ports, before the fork: each worker gets sockets of its own."""

import errno
import os
import socket
from itertools import chain
from typing import Any

from wsecho.http.addresses import ALL, ALL_OF_IPV4, parse_ip
from wsecho.options.config import Config
from wsecho.processes import socket_activation
from wsecho.processes.listening_socket import ListeningSocket, Sockets

# The errors of a bind to an address, or an address family, that this system does not have.
_NOT_AVAILABLE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
# How often the system may choose a port that turns out not to be free on all addresses of the host.
_ATTEMPTS = 20


def listen(config: Config, workers: int = 1) -> list[Sockets]:
    """Return the listening sockets of each worker: those of socket activation, or else those that the options ask for.

    Raises OSError if the server cannot listen; the text is one line for the user.
    """
    handed = socket_activation.take(os.environ, config.backlog)
    bound: list[Sockets] = []
    try:
        public = _for_each(handed.public, workers) or bind(config.host, config.port, config.backlog, workers)
        bound = [Sockets(sockets, []) for sockets in public]
        admin = _for_each(handed.admin, workers)
        if config.admin_port is not None and not admin:
            options = "--admin-host and --admin-port"
            admin = bind(config.admin_host, config.admin_port, config.backlog, workers, options=options)
    except OSError:
        close([*bound, handed])
        raise
    for sockets, more in zip(bound, admin, strict=False):
        sockets.admin.extend(more)
    return bound


def _for_each(handed: list[socket.socket], workers: int) -> list[list[socket.socket]]:
    """Return for each worker duplicates of the same sockets: a connection goes to the worker that accepts it first.

    Returns an empty list if no socket was handed over.
    """
    return [handed, *([each.dup() for each in handed] for _ in range(1, workers))] if handed else []


def bind(
    host: str, port: int, backlog: int, workers: int = 1, *, options: str = "--host and --port"
) -> list[list[socket.socket]]:
    """Return for each worker its own listening sockets: one for each address of `host`, all on one port.

    The kernel distributes new connections over the workers (SO_REUSEPORT). Raises OSError if the server cannot listen;
    the text is one line for the user, which names the `options` that host and port come from.
    """
    bound: list[list[socket.socket]] = []
    try:
        # The first worker's sockets are bound without SO_REUSEPORT. With it, the bind would succeed even if another
        # server already listens on the port, and share the port with that server.
        bound.append(_on_one_port(_addresses(host), port) if host != ALL else _on_all(port))
        for _ in range(1, workers):
            bound.append([])
            for first in bound[0]:
                first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                bound[-1].append(_bound(first.family, first.getsockname(), shared=True))
        for listening in chain.from_iterable(bound):
            listening.listen(backlog)
    except (OSError, UnicodeError) as error:
        close([Sockets(sockets, []) for sockets in bound])
        # The message of the IDNA codec means nothing to a user.
        reason = "it is not a valid host name" if isinstance(error, UnicodeError) else error.strerror or str(error)
        raise OSError(f"cannot listen on {host} port {port}, as set by {options}: {reason}") from None
    return bound


def _addresses(host: str) -> list[tuple[int, tuple[Any, ...]]]:
    """Return the families and addresses that `host` resolves to, without duplicates."""
    found = socket.getaddrinfo(_encoded(host), None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _encoded(host: str) -> str | bytes:
    """Return an address as bytes: a text would be encoded by Python's IDNA codec, whose import is slow."""
    try:
        parse_ip(host)
    except ValueError:
        return host
    return host.encode()


def _on_all(port: int) -> list[socket.socket]:
    """Bind one socket to all addresses of IPv6 and IPv4, or of IPv4 only if the system has no IPv6."""
    try:
        return _on_one_port([(socket.AF_INET6, (ALL, 0))], port)
    except OSError as error:
        if error.errno not in _NOT_AVAILABLE:
            raise
        return _on_one_port([(socket.AF_INET, (ALL_OF_IPV4, 0))], port)


def _on_one_port(
    addresses: list[tuple[int, tuple[Any, ...]]], port: int, attempts: int = _ATTEMPTS
) -> list[socket.socket]:
    """Bind one socket to each of the addresses, all on one port, which the system chooses if `port` is 0.

    Addresses that the system does not have, such as those of IPv6, are left out if at least one other remains.
    """
    bound: list[socket.socket] = []
    missing: OSError | None = None
    chosen = port
    try:
        for family, address in addresses:
            try:
                bound.append(_bound(family, (address[0], chosen, *address[2:]), shared=False))
            except OSError as error:
                if error.errno not in _NOT_AVAILABLE:
                    raise
                missing = missing or error
            else:
                chosen = bound[0].getsockname()[1]
        if missing and not bound:
            raise missing
    except OSError as error:
        close([Sockets(bound, [])])
        # A port that the system chose for one address need not be free on the others.
        if port == 0 and error.errno == errno.EADDRINUSE and attempts > 1:
            return _on_one_port(addresses, port, attempts - 1)
        raise
    return bound


def close(bound: list[Sockets]) -> None:
    """Close what `listen` returned."""
    for sockets in bound:
        for listening in sockets.public + sockets.admin:
            listening.close()


def _bound(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
    listening = ListeningSocket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit TCP_NODELAY: an echo does not wait for the acknowledgement of the previous one.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # "::" accepts both families. Any other address accepts IPv6 only: if its host has an IPv4 address as well,
            # that address gets a socket of its own.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != ALL)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening
