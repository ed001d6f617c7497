"""TLS of the server: loads the SSL context from the options, and performs the handshake on accepted connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from aiofastnet import openssl_compat

from wsecho.http.http1 import encode_response
from wsecho.http.response import plain
from wsecho.options.config import Config
from wsecho.options.option import OptionError
from wsecho.tls import client_hello
from wsecho.tls.certificates import (
    PROTOCOL,
    handshake_in_memory,
    load_certificate,
    load_client_authority,
    load_self_signed,
    new_context,
)
from wsecho.tls.errors import RefusedError, failure_reason
from wsecho.tls.message_limit import MessageLimit
from wsecho.tls.peek import Peek
from wsecho.tls.transport import EncryptedTransport

# An alert record: fatal, no_application_protocol (RFC 8446 section 6, RFC 7301 section 3.2).
_NO_APPLICATION_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"
# Bytes per read when the data of a refused client is discarded.
_DISCARD_SIZE = 4096

MakeProtocol = Callable[[str | None], asyncio.BufferedProtocol]
# Returns the host name and the protocols in a ClientHello.
ParseClientHello = Callable[[bytes], tuple[str | None, tuple[bytes, ...]]]


class Tls:
    """The TLS of one server. `reload` affects later connections only."""

    def __init__(
        self,
        config: Config,
        log: structlog.typing.FilteringBoundLogger,
        message_limit: MessageLimit,
        parse_client_hello: ParseClientHello,
    ) -> None:
        """Load the certificates. Raises OptionError; its text is one line for the user."""
        self._config = config
        self._log = log
        self._peek = Peek(client_hello.LONGEST, client_hello.bytes_needed)
        self._parse_client_hello = parse_client_hello
        self._message_limit = message_limit
        self._context = self._load()

    def reload(self) -> None:
        """Read the files again. Raises OptionError, and keeps the old certificates, if a file cannot be used."""
        if not self._config.tls_self_signed:
            self._context = self._load()

    async def start(
        self, accepted: socket.socket, make_protocol: MakeProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Perform the handshake on `accepted` and start the protocol.

        `make_protocol` gets the host name that the client asked for. Raises OSError if the handshake fails; the caller
        must then close the socket.
        """
        first_bytes = await self._peek.first_bytes(accepted, loop)
        server_name, protocols = self._parse_client_hello(first_bytes)
        if first_bytes[:1].isupper():
            await self._refuse(accepted, _https_only(), loop)
            raise RefusedError("plain text on a TLS port")
        # OpenSSL would go on without a protocol. RFC 7301 section 3.2 requires an alert if there is none in common.
        if protocols and PROTOCOL.encode() not in protocols:
            await self._refuse(accepted, _NO_APPLICATION_PROTOCOL, loop)
            raise RefusedError("the client does not offer http/1.1")
        protocol = make_protocol(server_name)
        transport = EncryptedTransport(accepted, protocol, self._context, self._config, loop, self._log_message_limit)
        try:
            await transport.handshake
        except BaseException:
            transport.close()
            raise
        finally:
            # After a failure, the transport refers to the error, and the error's traceback to this frame. Without this
            # line the frame would refer to the transport, a cycle that only the garbage collector could free.
            del transport, protocol

    def _log_message_limit(self, peer: object) -> None:
        """Log the end of a connection if the message limit has ended it."""
        if self._message_limit.has_ended:
            self._message_limit.has_ended = False
            self._log.info("connection cut", peer=peer, reason="too many TLS messages without data")

    async def _refuse(self, accepted: socket.socket, answer: bytes, loop: asyncio.AbstractEventLoop) -> None:
        """Send `answer`, shut down writing, and read until the client closes, so that no reset destroys the answer."""
        with suppress(OSError):
            async with asyncio.timeout(self._config.close_timeout):
                await loop.sock_sendall(accepted, answer)
                accepted.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(accepted, _DISCARD_SIZE):
                    pass

    def _load(self) -> ssl.SSLContext:
        config = self._config
        context = new_context()
        if config.tls_client_ca:
            load_client_authority(context, config.tls_client_ca)
        if config.tls_self_signed:
            load_self_signed(context)
        else:
            load_certificate(context, config.tls_cert or "", config.tls_key or "")
            self._check_certificate(context)
        context.verify_mode = ssl.CERT_REQUIRED if config.tls_client_ca else ssl.CERT_NONE
        self._message_limit.watch(context)
        return context

    def _check_certificate(self, context: ssl.SSLContext) -> None:
        """Test the certificate in a handshake with a client that trusts only it; warn if that client rejects it.

        Raises OptionError if no handshake is possible.
        """
        try:
            expires = handshake_in_memory(context, self._config.tls_cert or "")
        except ssl.SSLCertVerificationError as error:
            self._log.warning(
                "certificate not acceptable to clients", file=self._config.tls_cert, reason=error.verify_message
            )
        except ssl.SSLError as error:
            raise OptionError(
                f"--tls-cert {self._config.tls_cert}: a test handshake with it failed: {failure_reason(error)}"
            ) from None
        else:
            self._log.info("certificate loaded", file=self._config.tls_cert, expires=expires.isoformat())


def configured(config: Config, log: structlog.typing.FilteringBoundLogger, *, compiled: bool) -> Tls:
    """Return the TLS that the options configure.

    `compiled` says that the compiled modules are used, if there are any. Raises OptionError; its text is one line for
    the user.
    """
    option = "--tls-self-signed" if config.tls_self_signed else "--tls-cert"
    if openssl_compat.OPENSSL_DYN_LIBS is None:
        raise OptionError(f"{option} needs a Python that is linked dynamically against OpenSSL, but this one is not")
    make_message_limit, parse_client_hello = parts(compiled=compiled)
    try:
        message_limit = make_message_limit()
    except AttributeError as error:
        raise OptionError(f"{option} needs OpenSSL, but this Python has {ssl.OPENSSL_VERSION}: {error}") from None
    return Tls(config, log, message_limit, parse_client_hello)


def parts(*, compiled: bool) -> tuple[Callable[[], MessageLimit], ParseClientHello]:
    """Return the class of the message limit and the parser of ClientHellos, `compiled` if they are, or in Python."""
    if compiled:
        with suppress(ImportError):
            from wsecho.tls.native.client_hello import parse
            from wsecho.tls.native.message_limit import MessageLimit as CompiledMessageLimit

            return CompiledMessageLimit, parse
    return MessageLimit, client_hello.parse


def _https_only() -> bytes:
    refusal = plain(400, "this port speaks TLS: connect with https:// or wss://", close=True)
    return encode_response(refusal, head_only=False, keep_alive=False, now=time.time())
