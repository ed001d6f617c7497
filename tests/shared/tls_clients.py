"""Clients that speak TLS, and the first message that a client sends."""

import ssl
import subprocess

import pytest

from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, RunningServer


def echo(connection: RawConnection, payload: bytes = b"still there") -> None:
    """Send a message and check its echo."""
    connection.send(client_frame(TEXT, payload))
    expected = server_frame(TEXT, payload)
    assert connection.receive(len(expected)) == expected


def first_record(protocols: tuple[str, ...] = ()) -> bytes:
    """Return the record with a client's first message, the ClientHello."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    written = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), written, server_hostname="localhost").do_handshake()
    return written.read()


def openssl(server: RunningServer, *options: str, words: str = "") -> str:
    """Connect with OpenSSL's own client, send `words`, and return everything that the client printed."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options]
    done = subprocess.run(command, input=words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr
