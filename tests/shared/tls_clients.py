"""Clients that speak TLS, and the first message of one."""

import ssl
import subprocess

import pytest

from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, RunningServer


def echo(connection: RawConnection, payload: bytes = b"still there") -> None:
    """Require the echo of a message."""
    connection.send(client_frame(TEXT, payload))
    expected = server_frame(TEXT, payload)
    assert connection.receive(len(expected)) == expected


def first_record(protocols: tuple[str, ...] = ()) -> bytes:
    """Return what a client sends first."""
    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    written = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), written, server_hostname="localhost").do_handshake()
    return written.read()


def openssl(server: RunningServer, *options: str, words: str = "") -> str:
    """Let OpenSSL's own client connect, say something, and tell what happened to it."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options]
    done = subprocess.run(command, input=words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr
