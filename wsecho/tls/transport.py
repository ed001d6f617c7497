"""The transport of an encrypted connection, on top of aiofastnet's."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from aiofastnet.ssl_transport import SSLTransport_Socket

from wsecho.options.config import Config
from wsecho.tls.errors import AnswerPendingError

# Encrypted bytes that a connection reads or writes in one system call: two records of maximum length (RFC 8446 section
# 5.2). Each connection has two such buffers; an idle one has used only a few of their pages. With room for one record,
# the CPU time for 64 KiB was measured to be a sixth higher; room for three records gains nothing.
_BUFFER_SIZE = 2 * (16 * 1024 + 64)


class EncryptedTransport(SSLTransport_Socket):  # type: ignore[misc]  # it comes without types
    """aiofastnet's transport for the server side of a connection, with additions.

    It reads data that is already decrypted when reading is resumed, sends the alert when a handshake fails, stays open
    for a pending answer, and reports each forced close.
    """

    def __init__(
        self,
        accepted: socket.socket,
        protocol: asyncio.BufferedProtocol,
        context: ssl.SSLContext,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        on_force_close: Callable[[object], None],
    ) -> None:
        """`on_force_close` is called with the peer's address before the connection is aborted."""
        self._event_loop = loop
        self._on_force_close = on_force_close
        self._has_alerted = False
        self.handshake: asyncio.Future[None] = loop.create_future()
        timeouts = config.handshake_timeout, config.close_timeout
        super().__init__(
            loop, protocol, context, True, *timeouts, _BUFFER_SIZE, _BUFFER_SIZE, accepted, waiter=self.handshake
        )

    def resume_reading(self) -> None:
        """Read on, beginning with the data that was already read from the socket: no more may arrive."""
        self._event_loop.call_soon(self._retry_ssl_read)
        super().resume_reading()

    def _force_close(self, error: Exception | None) -> None:
        """Abort the connection; if the handshake failed, send the alert with the reason first (RFC 8446 section 6.2).

        While an answer is pending, the connection stays open. The next read finds the peer's end of data again, and
        closes in the regular way.
        """
        if isinstance(error, AnswerPendingError):
            return
        if isinstance(error, ssl.SSLError) and not self.handshake.done() and not self._has_alerted:
            self._has_alerted = True
            self._write_ready()
        self._on_force_close(self.get_extra_info("peername"))
        super()._force_close(error)
