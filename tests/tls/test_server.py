"""The TLS handshake: versions, ciphers, ALPN, time limits, failed handshakes, and that they disturb no other client."""

import json
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.conftest import Serve
from tests.shared.certificates import Authority, Certificate
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, RunningServer
from tests.shared.tls_clients import echo, first_record, openssl
from wsecho.tls import client_hello, message_limit
from wsecho.tls import server as tls_server

Client = Callable[..., ssl.SSLContext]


def test_what_is_compiled_is_used_with_the_compiled_codec_only(monkeypatch: pytest.MonkeyPatch) -> None:
    in_python = (message_limit.MessageLimit, client_hello.parse)
    assert tls_server.parts(compiled=False) == in_python
    for part in tls_server.parts(compiled=True):
        assert part.__module__.startswith("wsecho.tls.native.")
    monkeypatch.setitem(sys.modules, "wsecho.tls.native.client_hello", None)
    assert tls_server.parts(compiled=True) == in_python


def test_handshakes_that_never_end_block_no_client_and_are_cut_off(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve("--max-connections", "2", "--handshake-timeout", "2s", *certificate.options)
    with RawConnection(server.port) as silent, RawConnection(server.port) as half:
        half.send(first_record()[:50])
        with RawConnection(server.port, tls=trusting).open():
            assert ended(silent)
            assert ended(half)


def ended(connection: RawConnection) -> bool:
    try:
        return connection.socket.recv(1) == b""
    except ConnectionResetError:
        return True


def test_tls_on_the_plain_port_ends_cleanly(server: RunningServer, trusting: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLError), RawConnection(server.port, tls=trusting):
        pass
    assert server.get("/health")[0] == 200


def test_a_scan_of_the_port_does_not_fill_the_log(serve: Serve, certificate: Certificate) -> None:
    server = serve(*certificate.options)
    for _ in range(50):
        for said in (b"", b"is this a shell?"):
            with RawConnection(server.port) as client, suppress(OSError):
                client.send(said)
                client.half_close()
                client.receive_all()
    assert server.stop() == 0
    assert server.complaints() == []
    failed = [line for line in server.logs if line["event"] == "TLS handshake failed"]
    suppressed = sum(line["lines"] for line in server.logs if line.get("of") == "TLS handshake failed")
    # A client that connects and sends nothing has not failed a handshake.
    assert len(failed) + suppressed == 50
    assert {(line["severity"], line["reason"]) for line in failed} == {("INFO", "wrong version number")}
    assert all(line["peer"].startswith("127.0.0.1:") for line in failed)


def test_info_shows_what_was_negotiated(tls_server: RunningServer, trusting: ssl.SSLContext) -> None:
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    with RawConnection(tls_server.port, tls=trusting) as client:
        client.send(b"GET /info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        facts = json.loads(client.receive_all().partition(b"\r\n\r\n")[2])
        assert isinstance(client.socket, ssl.SSLSocket)
        cipher = client.socket.cipher()
    assert facts["scheme"] == "https"
    assert cipher
    assert facts["tls"] == {
        "version": "TLSv1.3",
        "cipher": cipher[0],
        "protocol": "http/1.1",
        "server_name": "localhost",
        "client_subject": None,
    }


def test_neither_a_host_name_nor_a_protocol_must_be_named(tls_server: RunningServer) -> None:
    facts = json.loads(tls_server.get("/info")[2])[
        "tls"
    ]  # urllib offers http/1.1 and sends no server name, because the host is an address
    assert facts["server_name"] is None
    said = openssl(tls_server, "-quiet", "-noservername", words="GET /info HTTP/1.0\r\n\r\n")
    assert '"protocol": null' in said


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_spoken(tls_server: RunningServer, authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    with RawConnection(tls_server.port, tls=context).open() as client:
        echo(client)
        assert isinstance(client.socket, ssl.SSLSocket)
        cipher = client.socket.cipher()
        assert client.socket.compression() is None
    assert cipher
    # Forward secrecy and authenticated encryption: every TLS 1.3 cipher has both; before TLS 1.3 the name of the cipher
    # tells.
    assert cipher[0].startswith(("TLS_", "ECDHE-"))
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]


def test_each_connection_brings_one_ticket_with_which_the_next_resumes_its_session(
    tls_server: RunningServer, trusting: ssl.SSLContext
) -> None:
    session = None
    for number in range(3):
        with (
            socket.create_connection(("127.0.0.1", tls_server.port), timeout=PATIENCE) as plain,
            trusting.wrap_socket(plain, server_hostname="localhost", session=session) as client,
        ):
            client.sendall(b"HEAD /health HTTP/1.0\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
            assert client.session_reused == (number > 0)
            session = client.session
    said = openssl(tls_server, "-quiet", "-msg", words="HEAD /health HTTP/1.0\r\n\r\n")
    assert said.count("NewSessionTicket") == 1


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused_with_the_right_alert(tls_server: RunningServer, version: str) -> None:
    said = openssl(tls_server, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in said


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256"])
def test_weak_ciphers_are_refused(tls_server: RunningServer, cipher: str) -> None:
    said = openssl(tls_server, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert "alert handshake failure" in said


def test_renegotiation_is_refused(tls_server: RunningServer, trusting: ssl.SSLContext) -> None:
    with RawConnection(tls_server.port, tls=trusting).open() as witness:
        said = openssl(tls_server, "-tls1_2", words="R\n")
        assert "RENEGOTIATING" in said
        assert "no renegotiation" in said
        echo(witness)
