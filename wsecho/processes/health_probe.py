"""Checks the health of the server on this machine: the image's HEALTHCHECK runs it, and the exit code is the result."""

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

# The addresses at which this machine reaches a server that listens on all addresses.
_LOOPBACK = {ALL: ("127.0.0.1", "::1"), ALL_OF_IPV4: ("127.0.0.1",)}
_TIMEOUT_SECONDS = 3.0
_CERTIFICATE_REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"


def is_healthy(host: str, port: int, *, encrypted: bool, proxy_protocol: bool) -> bool:
    """Return whether the server that listens on `host` and `port` answers `/health` with 200.

    If the server is not known to be `encrypted` (TLS), the first request is plain HTTP. If it expects connections to
    begin with a PROXY header (`proxy_protocol`), it gets one. Raises OSError or HTTPException if there is no answer.
    """
    if not encrypted:
        status = _status(_connected(host, port, proxy_protocol=proxy_protocol))
        if status != http.client.BAD_REQUEST:
            return status == http.client.OK
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The probe asks for the health of the server, not for its identity.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return _status(context.wrap_socket(_connected(host, port, proxy_protocol=proxy_protocol))) == http.client.OK
    except ssl.SSLError as error:
        # A server that demands a client certificate is alive. Without a certificate the probe cannot find out more.
        if error.reason == _CERTIFICATE_REQUIRED:
            return True
        raise


def _connected(host: str, port: int, *, proxy_protocol: bool) -> socket.socket:
    first, *others = _LOOPBACK.get(host, (host,))
    try:
        connected = socket.create_connection((first, port), _TIMEOUT_SECONDS)
    except OSError:
        if not others:
            raise
        with contextlib.suppress(OSError):
            return _connected(others[0], port, proxy_protocol=proxy_protocol)
        raise
    if proxy_protocol:
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
    """Check the server at the address that the environment configures, read as the server reads it.

    Returns the exit code: 0 if the server is healthy, 1 if not.
    """
    host, port = text_of("host", os.environ), text_of("port", os.environ)
    try:
        encrypted = bool(text_of("tls_cert", os.environ)) or _is_on("tls_self_signed")
        healthy = is_healthy(
            parse_host(host), parse_port(port), encrypted=encrypted, proxy_protocol=_is_on("proxy_protocol")
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
