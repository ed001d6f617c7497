"""The server's certificate, those of its clients' authorities, and the context of OpenSSL that they are loaded into."""

import contextlib
import signal
import ssl
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime

from wsecho.options.option import OptionError
from wsecho.tls.self_signed import make_certificate

# The one protocol that is spoken here (RFC 7301 section 6).
PROTOCOL = "http/1.1"
# RFC 9325 section 4.2: forward secrecy and authenticated encryption. TLS 1.3 has nothing else.
_TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def reason(error: OSError) -> str:
    """Return why a handshake failed, in OpenSSL's words where it is OpenSSL that says so."""
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or error).lower().replace("_", " ")
    return str(error) or type(error).__name__


def new_context() -> ssl.SSLContext:
    """Return a server's context that has no certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.set_alpn_protocols([PROTOCOL])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load the certificate and its private key from files in PEM format; `key` is empty where one file has both.

    Raises OptionError with a line for the user.
    """
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


def load_self_signed(context: ssl.SSLContext) -> None:
    """Make a certificate and load it. Raises OptionError with a line for the user.

    The library reads certificates from files only, so there is a file for as long as that takes.
    """
    try:
        with _held_back_signals(), tempfile.NamedTemporaryFile() as file:
            file.write(make_certificate())
            file.flush()
            context.load_cert_chain(file.name)
    except OSError as error:
        raise OptionError(f"--tls-self-signed needs a folder for temporary files: {error.strerror}") from None


@contextlib.contextmanager
def _held_back_signals() -> Iterator[None]:
    """Hold back the signals that end a start, so that no file is left behind."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def load_client_authority(context: ssl.SSLContext, authority: str) -> None:
    """Load the authorities that sign the certificates of clients. Raises OptionError with a line for the user."""
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


def handshake_with_ourselves(context: ssl.SSLContext, certificate: str) -> datetime:
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
