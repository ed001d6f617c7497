"""Makes the server's SSL context, and loads and checks its certificate and the CA certificates for its clients."""

import contextlib
import signal
import ssl
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

from wsecho.options.option import OptionError
from wsecho.tls.errors import failure_reason
from wsecho.tls.self_signed import make_certificate

# The only application protocol that the server supports (ALPN, RFC 7301 section 6).
PROTOCOL = "http/1.1"
# RFC 9325 section 4.2: forward secrecy and authenticated encryption, as all cipher suites of TLS 1.3 have them.
_TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# Session tickets of TLS 1.3 (RFC 8446 section 4.6.1) after each handshake. A client needs one for its next connection,
# which brings it another one. Each costs a fiftieth of the handshake's CPU time; OpenSSL would send two.
_TICKETS = 1


class _ServerContext(ssl.SSLContext):
    """An SSL context whose `options` are a plain integer.

    aiofastnet reads them for each connection. In the standard library, each access makes a member of an enumeration.
    """

    options = cast(Any, ssl.SSLContext.__mro__[1]).options


def new_context() -> ssl.SSLContext:
    """Return an SSL context for a server, without a certificate."""
    context = _ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.set_alpn_protocols([PROTOCOL])
    context.num_tickets = _TICKETS
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate and its private key from files in PEM format. `key` is empty if one file contains both.

    Raises OptionError; its text is one line for the user.
    """
    _check_readable("--tls-cert", certificate)
    _check_certificates("--tls-cert", certificate)
    if key:
        _check_readable("--tls-key", key)
    key_source = f"--tls-key {key}" if key else f"--tls-cert {certificate}"
    try:
        # Without this callback OpenSSL would ask for a password on the terminal.
        context.load_cert_chain(certificate, key or None, password=_refuse_password)
    except _EncryptedKeyError:
        raise OptionError(f"{key_source}: the private key is encrypted, but the server needs it unencrypted") from None
    except ssl.SSLError as error:
        if error.reason in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
            raise OptionError(
                f"{key_source}: the private key does not belong to the certificate in {certificate}"
            ) from None
        if error.reason is None:
            remedy = "" if key else ", and no --tls-key names another file"
            raise OptionError(f"{key_source}: the file contains no private key in PEM format{remedy}") from None
        raise OptionError(f"--tls-cert {certificate}: {failure_reason(error)}") from None


def load_self_signed(context: ssl.SSLContext) -> None:
    """Make a certificate and load it. Raises OptionError; its text is one line for the user.

    The ssl module reads certificates only from files, so the certificate is in a temporary file while it is loaded.
    """
    try:
        with _signals_blocked(), tempfile.NamedTemporaryFile() as file:
            file.write(make_certificate())
            file.flush()
            context.load_cert_chain(file.name)
    except OSError as error:
        raise OptionError(f"--tls-self-signed cannot write a temporary file: {error.strerror}") from None


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block SIGTERM and SIGINT during the block, so that a signal cannot end the process and leave the file behind."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def load_client_authority(context: ssl.SSLContext, authority: str) -> None:
    """Load the CA certificates that clients' certificates must be signed by.

    Raises OptionError; its text is one line for the user.
    """
    _check_readable("--tls-client-ca", authority)
    _check_certificates("--tls-client-ca", authority)
    context.load_verify_locations(authority)
    try:
        # aiofastnet writes each client's certificate to a temporary file, because the ssl module decodes only files.
        tempfile.TemporaryFile().close()
    except OSError as error:
        raise OptionError(f"--tls-client-ca cannot write a temporary file: {error.strerror}") from None


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
        raise OptionError(f"{option} {file}: the file contains no certificate in PEM format") from None


class _EncryptedKeyError(ValueError):
    pass


def _refuse_password() -> str:
    raise _EncryptedKeyError


def handshake_in_memory(context: ssl.SSLContext, certificate: str) -> datetime:
    """Perform a handshake with a client that trusts `certificate`, and return the time when the certificate expires.

    Client and server are both in memory. Raises ssl.SSLError if the handshake fails.
    """
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.load_verify_locations(certificate)
    client_context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
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
