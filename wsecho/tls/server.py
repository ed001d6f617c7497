"""The server's end of TLS: its certificate, what it demands of clients, and how an accepted connection is encrypted."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from aiofastnet import openssl_compat
from aiofastnet.ssl_transport import SSLTransport_Socket

from wsecho.http.http1 import encode_response
from wsecho.http.request import TlsFacts
from wsecho.http.response import plain
from wsecho.options.config import Config, OptionError
from wsecho.processes import start
from wsecho.tls import client_hello
from wsecho.tls.message_limit import MessageLimit
from wsecho.tls.peek import Peek
from wsecho.tls.self_signed import make_certificate

# The one protocol that is spoken here (RFC 7301 section 6).
_PROTOCOL = "http/1.1"
# RFC 9325 section 4.2: forward secrecy and authenticated encryption. TLS 1.3 has nothing else.
_TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# An alert record: fatal, no_application_protocol (RFC 8446 section 6, RFC 7301 section 3.2).
_NO_APPLICATION_PROTOCOL = b"\x15\x03\x03\x00\x02\x02\x78"
# What a connection reads at once and writes at once, encrypted: two records of the longest kind (RFC 8446 section 5.2).
# Each connection has these two buffers, of which an idle one has touched little. One record was measured to take a
# sixth more processor time for 64 KiB; three take no less.
_BUFFER_SIZE = 2 * (16 * 1024 + 64)
# What a refused client says is dropped in pieces of this size.
_DROPPED = 4096

MakeProtocol = Callable[[str | None], asyncio.BufferedProtocol]


class RefusedError(OSError):
    """A client that was told, before TLS began, why it cannot."""


class AnswerPendingError(OSError):
    """What a protocol that has yet to answer raises when its peer has announced the end of what it sends.

    The transport would close at once, whatever it is returned, and take nothing more to be written.
    """


class Tls:
    """One server's TLS. `reload` changes what later connections get, and nothing about those that are open."""

    def __init__(self, config: Config, log: structlog.typing.FilteringBoundLogger, message_limit: MessageLimit) -> None:
        """Raises OptionError with a line for the user."""
        self._config = config
        self._log = log
        self._peek = Peek(client_hello.LONGEST, client_hello.bytes_needed)
        self._message_limit = message_limit
        self._context = self._load()

    def reload(self) -> None:
        """Read the files again. Raises OptionError, and changes nothing, if they are no good."""
        if not self._config.tls_self_signed:
            self._context = self._load()

    async def start(
        self, accepted: socket.socket, make_protocol: MakeProtocol, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Do the handshake on `accepted` and start the protocol, which is told the host name that the client wants.

        Raises OSError if it fails; the socket is then for the caller to close.
        """
        first_bytes = await self._peek.first_bytes(accepted, loop)
        hello = client_hello.parse(first_bytes)
        if first_bytes[:1].isupper():
            await self._refuse(accepted, _https_only(), loop)
            raise RefusedError("plain text on a TLS port")
        # The library would go on without a protocol. RFC 7301 section 3.2 wants a client told that shares none.
        if hello.protocols and _PROTOCOL.encode() not in hello.protocols:
            await self._refuse(accepted, _NO_APPLICATION_PROTOCOL, loop)
            raise RefusedError("the client does not offer http/1.1")
        protocol = make_protocol(hello.server_name)
        transport = _Transport(accepted, protocol, self._context, self._config, loop, self._tell_why)
        try:
            await transport.handshake
        except BaseException:
            transport.close()
            raise
        finally:
            # The transport keeps the error, whose traceback keeps this frame: a cycle for the collector to find.
            del transport, protocol

    def _tell_why(self, peer: object) -> None:
        """Say why a connection ends, if we made it end."""
        if self._message_limit.has_ended:
            self._message_limit.has_ended = False
            self._log.info("connection cut", peer=peer, reason="too many messages of TLS that are no data")

    async def _refuse(self, accepted: socket.socket, answer: bytes, loop: asyncio.AbstractEventLoop) -> None:
        """Send `answer`, end our side, and read to the peer's end, so that no reset can destroy the answer."""
        with suppress(OSError):
            async with asyncio.timeout(self._config.close_timeout):
                await loop.sock_sendall(accepted, answer)
                accepted.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(accepted, _DROPPED):
                    pass

    def _load(self) -> ssl.SSLContext:
        config = self._config
        context = _context()
        if config.tls_client_ca:
            _load_client_authority(context, config.tls_client_ca)
        if config.tls_self_signed:
            _load_self_signed(context)
        else:
            _load_certificate(context, config.tls_cert or "", config.tls_key or "")
            self._try_certificate(context)
        context.verify_mode = ssl.CERT_REQUIRED if config.tls_client_ca else ssl.CERT_NONE
        self._message_limit.watch(context)
        return context

    def _try_certificate(self, context: ssl.SSLContext) -> None:
        """Shake hands with ourselves, as a client that trusts just this certificate, and warn of what it dislikes."""
        try:
            expires = _handshake_with_ourselves(context, self._config.tls_cert or "")
        except ssl.SSLCertVerificationError as error:
            self._log.warning(
                "certificate not acceptable to clients", file=self._config.tls_cert, reason=error.verify_message
            )
        except ssl.SSLError as error:
            raise OptionError(f"--tls-cert {self._config.tls_cert}: no handshake works: {reason(error)}") from None
        else:
            self._log.info("certificate loaded", file=self._config.tls_cert, expires=expires.isoformat())


class _Transport(SSLTransport_Socket):  # type: ignore[misc]  # it comes without types
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


def configured(config: Config, log: structlog.typing.FilteringBoundLogger) -> Tls | None:
    """Return the TLS that the options ask for, if they ask for it. Raises OptionError with a line for the user."""
    if not (config.tls_cert or config.tls_self_signed):
        return None
    option = "--tls-self-signed" if config.tls_self_signed else "--tls-cert"
    if openssl_compat.OPENSSL_DYN_LIBS is None:
        raise OptionError(f"{option} needs a Python that is linked dynamically against OpenSSL, and this one is not")
    try:
        message_limit = MessageLimit()
    except AttributeError as error:
        raise OptionError(f"{option} needs OpenSSL, and this Python has {ssl.OPENSSL_VERSION}: {error}") from None
    return Tls(config, log, message_limit)


def is_peers_doing(error: object) -> bool:
    """Tell whether aiofastnet reports this as an error of ours, when it only is how a peer went or what it did."""
    # The type alone where a peer goes in the middle of the handshake; the other one where it does not read what it has
    # itself asked for, new keys again and again.
    return error is ConnectionResetError or (isinstance(error, RuntimeError) and "no writable capacity" in str(error))


def reason(error: OSError) -> str:
    """Return why a handshake failed, in OpenSSL's words where it is OpenSSL that says so."""
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or error).lower().replace("_", " ")
    return str(error) or type(error).__name__


def facts(transport: asyncio.BaseTransport, server_name: str | None) -> TlsFacts | None:
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


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.set_alpn_protocols([_PROTOCOL])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    _check_readable("--tls-cert", certificate)
    _check_certificates("--tls-cert", certificate)
    if key:
        _check_readable("--tls-key", key)
    keeper = f"--tls-key {key}" if key else f"--tls-cert {certificate}"
    try:
        # A password that nobody can type in must not be asked for.
        context.load_cert_chain(certificate, key or None, password=_refuse_password)
    except _EncryptedKeyError:
        raise OptionError(
            f"{keeper}: the private key is encrypted, and there is nobody to ask for its password"
        ) from None
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            raise OptionError(f"{keeper}: the private key is not that of the certificate in {certificate}") from None
        if error.reason is None:
            remedy = "" if key else ", and no --tls-key names another file"
            raise OptionError(f"{keeper}: there is no private key in PEM format in it{remedy}") from None
        raise OptionError(f"--tls-cert {certificate}: {reason(error)}") from None


def _load_self_signed(context: ssl.SSLContext) -> None:
    """The library reads certificates from files only: there is one for as long as that takes."""
    try:
        with start.held_back(), tempfile.NamedTemporaryFile() as file:
            file.write(make_certificate())
            file.flush()
            context.load_cert_chain(file.name)
    except OSError as error:
        raise OptionError(f"--tls-self-signed needs a folder for temporary files: {error.strerror}") from None


def _load_client_authority(context: ssl.SSLContext, authority: str) -> None:
    _check_readable("--tls-client-ca", authority)
    _check_certificates("--tls-client-ca", authority)
    context.load_verify_locations(authority)
    try:
        # aiofastnet writes each client's certificate to a temporary file, to have it read.
        tempfile.TemporaryFile().close()
    except OSError as error:
        raise OptionError(f"--tls-client-ca needs a folder for temporary files: {error.strerror}") from None


def _check_readable(option: str, file: str) -> None:
    try:
        with open(file, "rb"):
            pass
    except OSError as error:
        raise OptionError(f"{option} {file}: {error.strerror}") from None


def _check_certificates(option: str, file: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except (ssl.SSLError, OSError):
        raise OptionError(f"{option} {file}: there is no certificate in PEM format in it") from None


class _EncryptedKeyError(ValueError):
    pass


def _refuse_password() -> str:
    raise _EncryptedKeyError


def _handshake_with_ourselves(context: ssl.SSLContext, certificate: str) -> datetime:
    """Return until when our certificate is valid, as a client sees it that trusts it. Raises ssl.SSLError."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.load_verify_locations(certificate)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    expires = (client.getpeercert() or {})["notAfter"]
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(expires)), UTC)


def _https_only() -> bytes:
    refusal = plain(400, "this port speaks TLS: connect with https:// or wss://", close=True)
    return encode_response(refusal, head_only=False, keep_alive=False, now=time.time())
