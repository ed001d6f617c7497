"""What comes between accept and the first request: whose connection it is, a PROXY header, the handshake of TLS."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any

import structlog
from aiofastnet.selector_transport import SelectorSocketTransport

from wsecho.connections.internal_errors import report
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.http.addresses import Address
from wsecho.proxies import proxy_header
from wsecho.proxies.client import Client
from wsecho.proxies.proxy_header import ProxyHeader, ProxyHeaderError
from wsecho.proxies.trusted_proxies import TrustedProxies
from wsecho.tls.certificates import reason
from wsecho.tls.peek import Peek
from wsecho.tls.server import MakeProtocol, Tls


class ConnectionStarter:
    """Starts the protocol of one port on accepted sockets.

    With `tls` connections are encrypted. `announcers` are the only ones who may connect, and begin with a PROXY header;
    None: anybody may, without one. What header and TLS need is done within `handshake_timeout` seconds or not at all.
    """

    def __init__(
        self,
        make_client: Callable[[Address | None, ProxyHeader | None], Client],
        make_protocol: Callable[[float, Client, str | None], asyncio.BufferedProtocol],
        counters: ConnectionCounters,
        log: structlog.typing.FilteringBoundLogger,
        handshake_timeout: float,
        tls: Tls | None = None,
        announcers: TrustedProxies | None = None,
    ) -> None:
        """`make_caller` is told the peer and what its PROXY header says; `make_protocol` the monotonic time of accept,
        the caller, and the host name that came with TLS.
        """
        self._make_client = make_client
        self._make_protocol = make_protocol
        self._counters = counters
        self._log = log
        self._handshake_timeout = handshake_timeout
        self._tls = tls
        self._announcers = announcers
        self._peek = Peek(proxy_header.LONGEST, proxy_header.bytes_needed)
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[object]] = set()
        self._unborn = 0

    def __len__(self) -> int:
        """Return how many accepted connections have not reached their protocol yet."""
        return len(self._starting) + self._unborn

    def cancel(self) -> None:
        """Close all that have not reached it."""
        for task in self._starting:
            task.cancel()

    def start(self, accepted: socket.socket, peer: Any) -> None:
        """Take over an accepted socket."""
        if self._announcers and not self._announcers.have_peer(peer):
            self._refuse(accepted, peer, "only trusted proxies may connect here")
        elif self._announcers:
            self._begin(self._prepare(accepted, peer, None))
        elif client := self._admit(accepted, peer, None):
            if self._tls:
                self._begin(self._prepare(accepted, peer, client))
            else:
                self._start(accepted, client, partial(self._make_protocol, monotonic(), client))

    def _begin(self, preparation: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(preparation)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def _admit(self, accepted: socket.socket, peer: Address | None, header: ProxyHeader | None) -> Client | None:
        """Count a connection among those of its client, from here on; None: it was far too many, and is closed."""
        client = self._make_client(peer, header)
        if not client.has_far_too_many:
            return client
        client.leave()
        self._counters.connection_refused("address")
        accepted.close()
        return None

    def _start(self, accepted: socket.socket, client: Client, make_protocol: MakeProtocol) -> None:
        """Give the socket to a transport, as aiofastnet's own function does, but without a task to wait for it."""
        try:
            SelectorSocketTransport(self._loop, accepted, make_protocol(None))
            # Its protocol hears of it in this turn of the loop, and nobody counts it before.
            self._loop.call_soon(self._is_born)
            self._unborn += 1
        except Exception as error:
            client.leave()
            if not isinstance(error, OSError):
                raise
            self._lost(accepted, error)

    def _is_born(self) -> None:
        self._unborn -= 1

    async def _prepare(self, accepted: socket.socket, peer: Any, client: Client | None) -> None:
        """Read what comes before HTTP, a PROXY header and the handshake of TLS, and start the protocol behind it."""
        began = monotonic()
        accepted.setblocking(False)
        try:
            async with asyncio.timeout(self._handshake_timeout):
                client = client or self._admit(accepted, peer, await self._take_header(accepted))
                if not client:
                    return
                make_protocol = partial(self._make_protocol, began, client)
                if self._tls:
                    await self._tls.start(accepted, make_protocol, self._loop)
                else:
                    self._start(accepted, client, make_protocol)
                client = None  # its connection gives back what it has taken
        except TimeoutError:
            self._counters.handshake("timeout")
            self._counters.timeout("handshake")
            accepted.close()
        except ProxyHeaderError as error:
            self._refuse(accepted, peer, str(error))
        except ConnectionError as error:
            self._lost(accepted, error)
        except OSError as error:
            self._log.info("TLS handshake failed", peer=peer, reason=reason(error))
            accepted.close()
        except asyncio.CancelledError:
            accepted.close()
        except Exception as error:
            accepted.close()
            report(self._loop, "accept", error)
        finally:
            if client:
                client.leave()

    async def _take_header(self, accepted: socket.socket) -> ProxyHeader:
        """Take the PROXY header off a connection."""
        header = proxy_header.parse(await self._peek.first_bytes(accepted, self._loop))
        accepted.recv(header.size)
        return header

    def _refuse(self, accepted: socket.socket, peer: Any, reason: str) -> None:
        self._log.info("connection refused", peer=peer, reason=reason)
        self._counters.connection_refused("proxy_header")
        accepted.close()

    def _lost(self, accepted: socket.socket, error: OSError) -> None:
        self._log.debug("connection lost before it began", error=str(error))
        accepted.close()
