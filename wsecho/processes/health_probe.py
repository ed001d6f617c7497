"""Asks the server on this machine how it is: what HEALTHCHECK runs in the container. Its exit code is the answer."""

import contextlib
import http.client
import os
import socket
import ssl
import sys

from wsecho.http.addresses import ALL, ALL_OF_IPV4
from wsecho.options.environment import text_of
from wsecho.options.values import parse_host, parse_port, parse_switch
from wsecho.proxies.proxy_header import LOCAL_HEADER

# Addresses at which this machine reaches a server that listens on all of them.
_LOOPBACK = {ALL: ("127.0.0.1", "::1"), ALL_OF_IPV4: ("127.0.0.1",)}
_PATIENCE_SECONDS = 3.0
_CERTIFICATE_REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def is_healthy(host: str, port: int, *, encrypted: bool, announced: bool) -> bool:
    """Tell whether the server that listens on `host` and `port` says that it is well.

    Raises OSError or HTTPException if it says nothing. A server that is not known to be `encrypted` is asked in plain
    text first. One that wants every connection `announced` gets a PROXY header.
    """
    if not encrypted:
        status = _status(_connected(host, port, announced=announced))
        if status != http.client.BAD_REQUEST:
            return status == http.client.OK
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It is asked how it is, not who it is.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return _status(context.wrap_socket(_connected(host, port, announced=announced))) == http.client.OK
    except ssl.SSLError as error:
        # A server that demands a certificate is alive; no more can be asked of it without one.
        if error.reason == _CERTIFICATE_REQUIRED:
            return True
        raise


def _connected(host: str, port: int, *, announced: bool) -> socket.socket:
    first, *others = _LOOPBACK.get(host, (host,))
    try:
        connected = socket.create_connection((first, port), _PATIENCE_SECONDS)
    except OSError:
        if not others:
            raise
        with contextlib.suppress(OSError):
            return _connected(others[0], port, announced=announced)
        raise
    if announced:
        connected.sendall(LOCAL_HEADER)
    return connected


def _status(connected: socket.socket) -> int:
    with connected:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = connected
        connection.request("GET", "/health")
        return connection.getresponse().status


def _is_on(switch: str) -> bool:
    return parse_switch(text_of(switch, os.environ))


def main() -> int:
    """Ask where the environment says that the server listens, as the server reads it, and return the exit code."""
    host, port = text_of("host", os.environ), text_of("port", os.environ)
    try:
        encrypted = bool(text_of("tls_cert", os.environ)) or _is_on("tls_self_signed")
        healthy = is_healthy(
            parse_host(host), parse_port(port), encrypted=encrypted, announced=_is_on("proxy_protocol")
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
