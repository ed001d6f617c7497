"""The accept loop: never out of descriptors, never a busy loop, never a lost listener."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any

import structlog
from aiofastnet.selector_transport import SelectorSocketTransport

from wsecho.connections.internal_errors import tell
from wsecho.counting.connection_counters import Ledger
from wsecho.http.addresses import Address
from wsecho.proxies import proxy_header
from wsecho.proxies.client import Caller
from wsecho.proxies.proxy_header import ProxyHeader, ProxyHeaderError
from wsecho.proxies.trusted_proxies import Proxies
from wsecho.tls.certificates import reason
from wsecho.tls.peek import Peek
from wsecho.tls.server import MakeProtocol, Tls

# Connections accepted in one turn of the loop, so that a storm of them cannot starve those that are open.
_BATCH = 64
_HOLD_SECONDS = 0.1
# The same shortage is told no more often than this.
_COMPLAINT_SECONDS = 1.0
_SHORT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts connections as long as `has_room()` says so, and starts `make_protocol()` on each."""

    def __init__(
        self,
        sockets: list[socket.socket],
        make_caller: Callable[[Address | None, ProxyHeader | None], Caller],
        make_protocol: Callable[[float, Caller, str | None], asyncio.BufferedProtocol],
        has_room: Callable[[int], bool],
        ledger: Ledger,
        log: structlog.typing.FilteringBoundLogger,
        tls: Tls | None,
        announcers: Proxies | None,
        handshake_timeout: float,
    ) -> None:
        """`has_room` is told how many accepted connections have not reached their protocol yet.

        `announcers` are the only ones who may connect, and begin with a PROXY header; None: anybody may, without one.
        `make_caller` is told the peer and what that header says; `make_protocol` the monotonic time of accept, the
        caller, and the host name that came with TLS. What header and TLS need is done within `handshake_timeout`
        seconds or not at all.
        """
        self._sockets = sockets
        self._make_caller = make_caller
        self._make_protocol = make_protocol
        self._has_room = has_room
        self._ledger = ledger
        self._log = log
        self._tls = tls
        self._announcers = announcers
        self._peek = Peek(proxy_header.LONGEST, proxy_header.bytes_needed)
        self._handshake_timeout = handshake_timeout
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[object]] = set()
        self._unborn = 0
        # Given up when descriptors run out, so that waiting peers can be accepted and turned away.
        self._reserve: int | None = None
        self._closed = False
        self._complain_after = 0.0

    def start(self) -> None:
        """Begin to accept."""
        self._take_reserve()
        self._accept_again()

    def close(self) -> None:
        """Stop accepting. Connections that wait in the backlog are reset by the system; what has not begun is cut."""
        self._closed = True
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        for task in self._starting:
            task.cancel()
        self._give_reserve()

    def _accept_again(self) -> None:
        if not self._closed:
            for listening in self._sockets:
                self._loop.add_reader(listening, self._accept, listening)

    def _hold(self) -> None:
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        self._loop.call_later(_HOLD_SECONDS, self._accept_again)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BATCH):
            if not self._has_room(len(self._starting) + self._unborn):
                self._hold()
                return
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _SHORT_OF_RESOURCES:
                    continue  # accept(2): errors of the network are those of one waiting connection
                self._turn_away(listening, error)
                self._hold()
                return
            try:
                self._adopt(accepted, peer)
            except Exception as error:
                # The socket closes with its last reference, which a transport that is half made may have.
                tell(self._loop, "accept", error)

    def _adopt(self, accepted: socket.socket, peer: Any) -> None:
        if self._announcers and not self._announcers.have_peer(peer):
            self._refuse(accepted, peer, "only trusted proxies may connect here")
        elif self._announcers:
            self._begin(self._prepare(accepted, peer, None))
        elif caller := self._admit(accepted, peer, None):
            if self._tls:
                self._begin(self._prepare(accepted, peer, caller))
            else:
                self._start(accepted, caller, partial(self._make_protocol, monotonic(), caller))

    def _begin(self, preparation: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(preparation)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def _admit(self, accepted: socket.socket, peer: Address | None, header: ProxyHeader | None) -> Caller | None:
        """Count a connection among those of its client, from here on; None: it was far too many, and is closed."""
        caller = self._make_caller(peer, header)
        if not caller.has_far_too_many:
            return caller
        caller.leave()
        self._ledger.connection_refused("address")
        accepted.close()
        return None

    def _start(self, accepted: socket.socket, caller: Caller, make_protocol: MakeProtocol) -> None:
        """Give the socket to a transport, as aiofastnet's own function does, but without a task to wait for it."""
        try:
            SelectorSocketTransport(self._loop, accepted, make_protocol(None))
            # Its protocol hears of it in this turn of the loop, and nobody counts it before.
            self._loop.call_soon(self._is_born)
            self._unborn += 1
        except Exception as error:
            caller.leave()
            if not isinstance(error, OSError):
                raise
            self._lost(accepted, error)

    def _is_born(self) -> None:
        self._unborn -= 1

    async def _prepare(self, accepted: socket.socket, peer: Any, caller: Caller | None) -> None:
        """Read what comes before HTTP, a PROXY header and the handshake of TLS, and start the protocol behind it."""
        began = monotonic()
        accepted.setblocking(False)
        try:
            async with asyncio.timeout(self._handshake_timeout):
                caller = caller or self._admit(accepted, peer, await self._take_header(accepted))
                if not caller:
                    return
                make_protocol = partial(self._make_protocol, began, caller)
                if self._tls:
                    await self._tls.start(accepted, make_protocol, self._loop)
                else:
                    self._start(accepted, caller, make_protocol)
                caller = None  # its connection gives back what it has taken
        except TimeoutError:
            self._ledger.handshake("timeout")
            self._ledger.timeout("handshake")
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
            tell(self._loop, "accept", error)
        finally:
            if caller:
                caller.leave()

    async def _take_header(self, accepted: socket.socket) -> ProxyHeader:
        """Take the PROXY header off a connection."""
        header = proxy_header.parse(await self._peek.first_bytes(accepted, self._loop))
        accepted.recv(header.size)
        return header

    def _refuse(self, accepted: socket.socket, peer: Any, reason: str) -> None:
        self._log.info("connection refused", peer=peer, reason=reason)
        self._ledger.connection_refused("proxy_header")
        accepted.close()

    def _lost(self, accepted: socket.socket, error: OSError) -> None:
        self._log.debug("connection lost before it began", error=str(error))
        accepted.close()

    def _turn_away(self, listening: socket.socket, error: OSError) -> None:
        """Close a batch of waiting connections: better refused at once than left to hang."""
        if self._loop.time() >= self._complain_after:
            self._complain_after = self._loop.time() + _COMPLAINT_SECONDS
            self._log.error("out of resources for new connections", error=os.strerror(error.errno or 0))
        self._give_reserve()
        closed = 0
        try:
            while closed < _BATCH:
                listening.accept()[0].close()
                closed += 1
        except OSError:
            pass
        self._take_reserve()
        self._ledger.connection_refused("descriptors", closed)

    def _take_reserve(self) -> None:
        try:
            self._reserve = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            self._reserve = None

    def _give_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
