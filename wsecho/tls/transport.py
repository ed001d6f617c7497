"""The transport of an encrypted connection, and what it says about it."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from aiofastnet.ssl_transport import SSLTransport_Socket

from wsecho.http.request import TlsFacts
from wsecho.options.config import Config

# What a connection reads at once and writes at once, encrypted: two records of the longest kind (RFC 8446 section 5.2).
# Each connection has these two buffers, of which an idle one has touched little. One record was measured to take a
# sixth more processor time for 64 KiB; three take no less.
_BUFFER_SIZE = 2 * (16 * 1024 + 64)


class AnswerPendingError(OSError):
    """What a protocol that has yet to answer raises when its peer has announced the end of what it sends.

    The transport would close at once, whatever it is returned, and take nothing more to be written.
    """


class EncryptedTransport(SSLTransport_Socket):  # type: ignore[misc]  # it comes without types
    """The server's end of one connection: aiofastnet's, and three things that it leaves undone."""

    def __init__(
        self,
        accepted: socket.socket,
        protocol: asyncio.BufferedProtocol,
        context: ssl.SSLContext,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        will_end: Callable[[object], None],
    ) -> None:
        """`will_end` is told the peer when the connection is about to be cut."""
        self._event_loop = loop
        self._will_end = will_end
        self._has_alerted = False
        self.handshake: asyncio.Future[None] = loop.create_future()
        timeouts = config.handshake_timeout, config.close_timeout
        super().__init__(
            loop, protocol, context, True, *timeouts, _BUFFER_SIZE, _BUFFER_SIZE, accepted, waiter=self.handshake
        )

    def resume_reading(self) -> None:
        """Read on, beginning with what was already taken from the socket: there may be no more to come."""
        self._event_loop.call_soon(self._retry_ssl_read)
        super().resume_reading()

    def _force_close(self, error: Exception | None) -> None:
        """Send the alert that says why there is no agreement (RFC 8446 section 6.2).

        Stay open for an answer that is pending: the next read comes upon the peer's end again, and closes in order.
        """
        if isinstance(error, AnswerPendingError):
            return
        if isinstance(error, ssl.SSLError) and not self.handshake.done() and not self._has_alerted:
            self._has_alerted = True
            self._write_ready()
        self._will_end(self.get_extra_info("peername"))
        super()._force_close(error)


def is_peers_doing(error: object) -> bool:
    """Tell whether aiofastnet reports this as an error of ours, when it only is how a peer went or what it did."""
    # The type alone where a peer goes in the middle of the handshake; the other one where it does not read what it has
    # itself asked for, new keys again and again.
    return error is ConnectionResetError or (isinstance(error, RuntimeError) and "no writable capacity" in str(error))


def tls_facts(transport: asyncio.BaseTransport, server_name: str | None) -> TlsFacts | None:
    """Return what was agreed on a connection, None if it is not encrypted."""
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
