"""TLS messages that are not data, such as new keys: a few are accepted, and a client that sends many is cut off.

The limit is compiled for the compiled codec.
"""

import ctypes
import os
import ssl
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from aiofastnet.openssl_compat import OPENSSL_DYN_LIBS

from tests.conftest import Serve
from tests.shared.echoing import CODECS
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from tests.shared.tls_records import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    DATA,
    HANDSHAKE_MESSAGE,
    KEY_UPDATE,
    KEY_UPDATE_REQUESTED,
    RecordWriter,
)

KIB = 1024
FLOOD = 10_000
NO_RENEGOTIATION = b"\x01\x64"

Make = Callable[[RecordWriter], bytes]
FLOODS: dict[str, Make] = {
    "new keys": lambda client: client.key_update(KEY_UPDATE),
    "new keys, asked for in return": lambda client: client.key_update(KEY_UPDATE_REQUESTED),
    "new keys in records of a byte": lambda client: client.key_update(KEY_UPDATE, pieces=5),
    "new keys between data": lambda client: client.record(DATA, b"G") + client.key_update(KEY_UPDATE),
    "records without content": lambda client: client.record(DATA, b""),
    "records of padding": lambda client: client.record(DATA, b"", padding=200),
    "warnings": lambda client: client.record(ALERT, NO_RENEGOTIATION),
    "an older version's change of keys": lambda client: bytes((CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1)),
    "a handshake from the beginning": lambda client: client.record(HANDSHAKE_MESSAGE, b"\x01\0\0\1\0"),
}


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    return ssl._create_unverified_context()


def processor_seconds(server: RunningServer) -> float:
    return int(Path(f"/proc/{server.pid}/schedstat").read_text().split()[0]) * 1e-9


@pytest.fixture(params=CODECS)
def server(request: pytest.FixtureRequest, serve: Serve) -> RunningServer:
    return serve("--tls-self-signed", "--codec", request.param)


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_what_is_no_data_is_the_end(
    server: RunningServer, context: ssl.SSLContext, tmp_path: Path, flood: str
) -> None:
    with RawConnection(server.port, tls=context).open() as witness:
        with RecordWriter(server.port, context, tmp_path) as client:
            records = b"".join(FLOODS[flood](client) for _ in range(FLOOD))
            before = processor_seconds(server)
            with suppress(ConnectionError):
                client.send(records)
                client.receive_all()
            # Without the limit, the server needs half a second to read all of them.
            assert processor_seconds(server) - before < 0.1
        witness.send(client_frame(TEXT, b"still there"))
        assert witness.receive(len(server_frame(TEXT, b"still there"))) == server_frame(TEXT, b"still there")
    if "new keys" in flood:
        assert server.wait_for_log("connection cut")["reason"] == "too many TLS messages without data"


def test_a_client_may_change_its_keys_now_and_then(server: RunningServer, context: ssl.SSLContext) -> None:
    with RawConnection(server.port, tls=context).open() as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        for number in range(20):
            update_keys(client.socket)
            message = os.urandom(16) * KIB
            client.send(client_frame(TEXT, b"%d" % number) + client_frame(2, message))
            expected = server_frame(TEXT, b"%d" % number) + server_frame(2, message)
            assert client.receive(len(expected)) == expected


def test_the_limit_is_per_connection(server: RunningServer, context: ssl.SSLContext) -> None:
    """Twenty clients together take more steps than one client may."""
    with ExitStack() as stack:
        clients = [stack.enter_context(RawConnection(server.port, tls=context).open()) for _ in range(20)]
        for number in range(5):
            for client in clients:
                assert isinstance(client.socket, ssl.SSLSocket)
                update_keys(client.socket)
                client.send(client_frame(TEXT, b"%d" % number))
                assert client.receive(3) == server_frame(TEXT, b"%d" % number)


def update_keys(client: ssl.SSLSocket) -> None:
    """Change the client's keys and ask the server to change its own, through OpenSSL, because Python's `ssl` cannot."""
    assert OPENSSL_DYN_LIBS is not None
    library = ctypes.CDLL(OPENSSL_DYN_LIBS.libssl)
    # A Python SSL object consists of its object header, a reference, and the pointer to OpenSSL's connection.
    address = id(client._sslobj) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p)  # type: ignore[attr-defined]
    connection = ctypes.c_void_p.from_address(address)
    assert library.SSL_key_update(connection, 1) == 1
    assert library.SSL_do_handshake(connection) == 1
