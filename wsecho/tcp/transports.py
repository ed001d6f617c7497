"""Transports of plain TCP connections, made by aiofastnet.

With the compiled codec on Linux, the server uses its own instead: `wsecho/tcp/epoll_transport.pyx`.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from aiofastnet.selector_transport import SelectorSocketTransport

from wsecho.http.addresses import Address


class TcpTransports:
    """Makes the transports of a worker. `starting` counts those whose `connection_made` has not been called yet."""

    # A function that accepts a connection with less work than the socket does; None: there is none.
    accept: Callable[[socket.socket], tuple[Any, Address | None] | None] | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.starting = 0

    def start(self, accepted: socket.socket, protocol: asyncio.BufferedProtocol) -> None:
        """Take over an accepted socket, as aiofastnet's own function does, but without a task that waits for it.

        `connection_made` of `protocol` is called in the next iteration of the event loop. Raises OSError if the socket
        cannot be taken over.
        """
        SelectorSocketTransport(self._loop, accepted, protocol)
        self._loop.call_soon(self._started)
        self.starting += 1

    def _started(self) -> None:
        self.starting -= 1

    def close(self) -> None:
        """Give up what the transports share. All of them have ended."""
