"""The steps between accept and the first request: find the client, take a PROXY header, perform the TLS handshake."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog

from wsecho.connections.internal_errors import report
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.http.addresses import Address
from wsecho.proxies import proxy_header
from wsecho.proxies.client import Client
from wsecho.proxies.proxy_header import ProxyHeader, ProxyHeaderError
from wsecho.proxies.trusted_proxies import TrustedProxies
from wsecho.tls.errors import failure_reason
from wsecho.tls.peek import Peek

if TYPE_CHECKING:
    from wsecho.tcp.transports import TcpTransports
    from wsecho.tls.server import Tls


# The message of a cancellation because of the time limit.
_TIMED_OUT = "the handshake timeout is over"


class ConnectionStarter:
    """Starts the protocol of one port on accepted sockets.

    With `tls`, connections are encrypted. With `header_senders`, only these proxies may connect, and each of their
    connections begins with a PROXY header; with None, any peer may connect and no header is expected. The server closes
    a connection whose PROXY header and TLS handshake are not complete within `handshake_timeout` seconds.
    """

    def __init__(
        self,
        make_client: Callable[[Address | None, ProxyHeader | None], Client],
        make_protocol: Callable[[float, Client, str | None], asyncio.BufferedProtocol],
        transports: TcpTransports,
        counters: ConnectionCounters,
        log: structlog.typing.FilteringBoundLogger,
        handshake_timeout: float,
        tls: Tls | None = None,
        header_senders: TrustedProxies | None = None,
    ) -> None:
        """`make_client` takes the peer's address and its PROXY header. `make_protocol` takes the monotonic time of
        accept, the client, and the host name from the TLS ClientHello.
        """
        self._make_client = make_client
        self._make_protocol = make_protocol
        self._transports = transports
        self._counters = counters
        self._log = log
        self._handshake_timeout = handshake_timeout
        self._tls = tls
        self._header_senders = header_senders
        self._peek = Peek(proxy_header.LONGEST, proxy_header.bytes_needed)
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[object]] = set()
        # Accepts a connection that waits on a listening socket. Returns what `start` takes, or None if none waits. The
        # transport's own way skips the socket, which TLS and PROXY headers need.
        needs_socket = tls is not None or header_senders is not None
        self.accept = _accept_socket if needs_socket else transports.accept or _accept_socket

    def __len__(self) -> int:
        """Return how many accepted connections have no started protocol yet."""
        return len(self._starting) + self._transports.starting

    def cancel(self) -> None:
        """Close the connections whose PROXY header or TLS handshake is not complete."""
        for task in self._starting:
            task.cancel()

    def start(self, accepted: Any, peer: Address | None) -> None:
        """Start the protocol on an accepted connection, at once or after its PROXY header and TLS handshake."""
        if self._header_senders and not self._header_senders.include_peer(peer):
            self._refuse(accepted, peer, "only trusted proxies may connect here")
        elif self._header_senders:
            self._start_task(self._prepare(accepted, peer, None))
        elif client := self._admit(accepted, peer, None):
            if self._tls:
                self._start_task(self._prepare(accepted, peer, client))
            else:
                self._start(accepted, client, monotonic())

    def _start_task(self, preparation: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(preparation)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def _admit(self, accepted: Any, peer: Address | None, header: ProxyHeader | None) -> Client | None:
        """Return the client, which counts the connection from here on. Close the connection and return None if the
        client has far too many.
        """
        client = self._make_client(peer, header)
        if not client.client_key or not client.has_far_too_many:
            return client
        client.release()
        self._counters.connection_refused("address")
        accepted.close()
        return None

    def _start(self, accepted: Any, client: Client, accepted_at: float) -> None:
        """Start the protocol on a connection that is not encrypted."""
        try:
            self._transports.start(accepted, self._make_protocol(accepted_at, client, None))
        except Exception as error:
            client.release()
            if not isinstance(error, OSError):
                raise
            self._close_lost(accepted, error)

    async def _prepare(self, accepted: socket.socket, peer: Any, client: Client | None) -> None:
        """Take the PROXY header, if there is one, and start the protocol, with a TLS handshake if TLS is configured."""
        accepted_at = monotonic()
        task = asyncio.current_task()
        assert task is not None
        # asyncio.timeout would take as many objects as the rest of this method.
        deadline = self._loop.call_later(self._handshake_timeout, task.cancel, _TIMED_OUT)
        try:
            accepted.setblocking(False)
            client = client or self._admit(accepted, peer, await self._take_header(accepted))
            if not client:
                return
            if self._tls:
                await self._tls.start(accepted, partial(self._make_protocol, accepted_at, client), self._loop)
            else:
                self._start(accepted, client, accepted_at)
            client = None  # from here on the connection releases the client
        except ProxyHeaderError as error:
            self._refuse(accepted, peer, str(error))
        except (ConnectionError, TimeoutError) as error:
            self._close_lost(accepted, error)
        except OSError as error:
            self._log.info("TLS handshake failed", peer=peer, reason=failure_reason(error))
            accepted.close()
        except asyncio.CancelledError as cancelled:
            if cancelled.args == (_TIMED_OUT,):
                self._counters.handshake("timeout")
                self._counters.timeout("handshake")
            accepted.close()
        except Exception as error:
            accepted.close()
            report(self._loop, "accept", error)
        finally:
            deadline.cancel()
            if client:
                client.release()

    async def _take_header(self, accepted: socket.socket) -> ProxyHeader:
        """Read the PROXY header from a connection, and not a byte more. Raises ProxyHeaderError or OSError."""
        header = proxy_header.parse(await self._peek.first_bytes(accepted, self._loop))
        accepted.recv(header.size)
        return header

    def _refuse(self, accepted: socket.socket, peer: Any, reason: str) -> None:
        self._log.info("connection refused", peer=peer, reason=reason)
        self._counters.connection_refused("proxy_header")
        accepted.close()

    def _close_lost(self, accepted: socket.socket, error: OSError) -> None:
        self._log.debug("connection lost before it began", error=str(error))
        accepted.close()


def _accept_socket(listening: socket.socket) -> tuple[socket.socket, Address | None] | None:
    try:
        return listening.accept()
    except (BlockingIOError, InterruptedError):
        return None
