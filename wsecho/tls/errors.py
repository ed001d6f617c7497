"""Errors of encrypted connections: those that the transport and its protocol raise, and what errors of TLS mean."""

import ssl


class AnswerPendingError(OSError):
    """Raised by a protocol in `eof_received` while it still has to answer.

    Without this error the transport would close at once, whatever `eof_received` returns, and write nothing more.
    """


class RefusedError(OSError):
    """The server refused a client before the handshake, and has sent it the reason."""


def failure_reason(error: OSError) -> str:
    """Return why a handshake failed; for an error of OpenSSL, in OpenSSL's words."""
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or error).lower().replace("_", " ")
    return str(error) or type(error).__name__


def is_caused_by_peer(error: object) -> bool:
    """Return whether a peer caused this error, which aiofastnet reports to the event loop as if the server had."""
    # The class, instead of an instance, if a peer closes in the middle of the handshake. The RuntimeError if a peer
    # requests key updates again and again and does not read the responses.
    return error is ConnectionResetError or (isinstance(error, RuntimeError) and "no writable capacity" in str(error))
