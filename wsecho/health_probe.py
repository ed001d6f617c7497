"""Asks the server on this machine how it is: what HEALTHCHECK runs in the container. Its exit code is the answer."""

import http.client
import os
import socket
import ssl
import sys

from wsecho import start
from wsecho.config import parse_switch
from wsecho.environment import text_of
from wsecho.proxy_header import LOCAL_HEADER

_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 3.0
_CERTIFICATE_REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def is_healthy(port: int, *, encrypted: bool, announced: bool) -> bool:
    """Tell whether the server on `port` says that it is well. Raises OSError or HTTPException if it says nothing.

    A server that is not known to be `encrypted` is asked in plain text first. One that wants every connection
    `announced` gets a PROXY header.
    """
    if not encrypted:
        status = _status(_connected(port, announced=announced))
        if status != http.client.BAD_REQUEST:
            return status == http.client.OK
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It is asked how it is, not who it is.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return _status(context.wrap_socket(_connected(port, announced=announced))) == http.client.OK
    except ssl.SSLError as error:
        # A server that demands a certificate is alive; no more can be asked of it without one.
        if error.reason == _CERTIFICATE_REQUIRED:
            return True
        raise


def _connected(port: int, *, announced: bool) -> socket.socket:
    connected = socket.create_connection((_HOST, port), _PATIENCE_SECONDS)
    if announced:
        connected.sendall(LOCAL_HEADER)
    return connected


def _status(connected: socket.socket) -> int:
    with connected:
        connection = http.client.HTTPConnection(_HOST)
        connection.sock = connected
        connection.request("GET", "/health")
        return connection.getresponse().status


def _is_on(variable: str) -> bool:
    return parse_switch(os.environ.get(variable) or "off")


def main() -> int:
    """Ask the port that the environment names, in the server's own order of precedence, and return the exit code."""
    start.open_standard_streams()
    port = text_of("port", os.environ)
    try:
        encrypted = bool(os.environ.get("WSECHO_TLS_CERT")) or _is_on("WSECHO_TLS_SELF_SIGNED")
        announced = _is_on("WSECHO_PROXY_PROTOCOL")
        return 0 if is_healthy(int(port), encrypted=encrypted, announced=announced) else 1
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
