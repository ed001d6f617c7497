"""The transport of an encrypted connection, on top of aiofastnet's, and the facts that it reports about TLS."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from aiofastnet.ssl_transport import SSLTransport_Socket

from wsecho.http.request import TlsFacts
from wsecho.options.config import Config

# Encrypted bytes that a connection reads or writes in one system call: two records of maximum length (RFC 8446 section
# 5.2). Each connection has two such buffers; an idle one has used only a few of their pages. With room for one record,
# the CPU time for 64 KiB was measured to be a sixth higher; room for three records gains nothing.
_BUFFER_SIZE = 2 * (16 * 1024 + 64)


class AnswerPendingError(OSError):
    """Raised by a protocol in `eof_received` while it still has to answer.

    Without this error the transport would close at once, whatever `eof_received` returns, and write nothing more.
    """


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


def is_caused_by_peer(error: object) -> bool:
    """Return whether a peer caused this error, which aiofastnet reports to the event loop as if the server had."""
    # The class, instead of an instance, if a peer closes in the middle of the handshake. The RuntimeError if a peer
    # requests key updates again and again and does not read the responses.
    return error is ConnectionResetError or (isinstance(error, RuntimeError) and "no writable capacity" in str(error))


def tls_facts(transport: asyncio.BaseTransport, server_name: str | None) -> TlsFacts | None:
    """Return what client and server negotiated on a connection, None if it is not encrypted."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if connection is None:
        return None
    certificate = transport.get_extra_info("peercert") or {}
    subject = [f"{name}={value}" for names in certificate.get("subject", ()) for name, value in names]
    cipher = connection.cipher()
    return TlsFacts(
        version=connection.version() or "",
        cipher=cipher[0] if cipher else "",
        protocol=connection.selected_alpn_protocol(),
        server_name=server_name,
        client_subject=", ".join(subject) or None,
    )
