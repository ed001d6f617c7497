"""Asks the server on this machine how it is: what HEALTHCHECK runs in the container. Its exit code is the answer."""

import http.client
import os
import ssl
import sys

_HOST = "127.0.0.1"
_DEFAULT_PORT = "8080"
_PATIENCE_SECONDS = 3.0
_CERTIFICATE_REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def is_healthy(port: int, *, encrypted: bool) -> bool:
    """Tell whether the server on `port` says that it is well. Raises OSError or HTTPException if it says nothing.

    A server that is not known to be `encrypted` is asked in plain text first.
    """
    if not encrypted:
        status = _status(http.client.HTTPConnection(_HOST, port, timeout=_PATIENCE_SECONDS))
        if status != http.client.BAD_REQUEST:
            return status == http.client.OK
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It is asked how it is, not who it is.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return _status(http.client.HTTPSConnection(_HOST, port, timeout=_PATIENCE_SECONDS, context=context)) == 200
    except ssl.SSLError as error:
        # A server that demands a certificate is alive; no more can be asked of it without one.
        if error.reason == _CERTIFICATE_REQUIRED:
            return True
        raise


def _status(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/health")
    return connection.getresponse().status


def main() -> int:
    """Ask the port that the environment names, in the server's own order of precedence, and return the exit code."""
    port = os.environ.get("WSECHO_PORT") or os.environ.get("PORT") or _DEFAULT_PORT
    encrypted = any(os.environ.get(name) for name in ("WSECHO_TLS_CERT", "WSECHO_TLS_SELF_SIGNED"))
    try:
        return 0 if is_healthy(int(port), encrypted=encrypted) else 1
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
