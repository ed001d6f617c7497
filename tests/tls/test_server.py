"""TLS as clients meet it: what is served, what is demanded, what is refused, and that nothing of it touches others."""

import asyncio
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import Serve
from tests.connections.test_resets import descriptors
from tests.shared.certificates import DAY, Authority, Certificate, strict_client
from tests.shared.frames import BINARY, CLOSE, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.memory import peak_memory, resident_memory
from tests.shared.processes import used_seconds, wait_until
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer

MIB = 1 << 20
Client = Callable[..., ssl.SSLContext]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("server")


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> ssl.SSLContext:
    """A client that believes the authority, and checks the server's name."""
    return authority.client()


@pytest.fixture(scope="module")
def tls_server(certificate: Certificate, codec_name: str) -> Iterator[RunningServer]:
    """One server a codec for all tests that leave nothing behind."""
    server = RunningServer("--codec", codec_name, *certificate.options)
    yield server
    exit_code = server.stop()
    complaints = server.complaints()
    server.close()
    assert not complaints
    assert exit_code == 0


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


# The echo


@pytest.mark.parametrize("compression", ["deflate", None])
def test_websockets_gets_its_messages_back(
    tls_server: RunningServer, trusting: ssl.SSLContext, compression: str | None
) -> None:
    async def talk() -> int | None:
        async with (
            asyncio.timeout(PATIENCE),
            connect(tls_server.ws_url, ssl=trusting, compression=compression, max_size=None) as client,
        ):
            assert [extension.name for extension in client.protocol.extensions] == (
                ["permessage-deflate"] if compression else []
            )
            for message in ("", "hällo", b"\x00\xff" * 3, "x" * 100_000, os.urandom(MIB)):
                await client.send(message)
                assert await client.recv() == message
            await client.close(3000, "enough")
        return client.close_code

    assert asyncio.run(talk()) == 3000


def test_aiohttp_gets_its_messages_back(tls_server: RunningServer, trusting: ssl.SSLContext) -> None:
    async def talk() -> int | None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(tls_server.ws_url, ssl=trusting, max_msg_size=0) as client,
        ):
            connection = client.get_extra_info("socket")
            for size in (0, 5, 70_000, MIB):
                message = os.urandom(size)
                await client.send_bytes(message)
                assert await client.receive_bytes(timeout=PATIENCE) == message
            await client.close(code=4001)
        # It does not wait for the end of TLS itself.
        async with asyncio.timeout(PATIENCE):
            while connection.fileno() >= 0:
                await asyncio.sleep(0.01)
        return client.close_code

    assert asyncio.run(talk()) == 4001


def test_what_is_valid_comes_back_before_the_violation_is_answered(
    tls_server: RunningServer, trusting: ssl.SSLContext
) -> None:
    with RawConnection(tls_server.port, tls=trusting).open() as client:
        client.send(client_frame(TEXT, b"good") + client_frame(PING, b"p") + client_frame(3))
        # The end is announced (RFC 8446 section 6.1): without a close_notify this would raise.
        assert client.receive_all() == server_frame(TEXT, b"good") + server_frame(PONG, b"p") + server_close(
            1002, "reserved opcode"
        )


def test_the_closing_handshake_ends_with_the_end_of_tls(tls_server: RunningServer, trusting: ssl.SSLContext) -> None:
    with RawConnection(tls_server.port, tls=trusting).open() as client:
        client.send(client_frame(CLOSE, b"\x03\xe8bye") + client_frame(TEXT, b"too late"))
        assert client.receive_all() == server_close(1000, "bye")
        # We are ended, too, and the server does not wait for more.
        assert isinstance(client.socket, ssl.SSLSocket)
        plain = client.socket.unwrap()
        assert plain.recv(1) == b""
        plain.close()


def received_after_the_end(port: int, trusting: ssl.SSLContext, said: bytes) -> bytes:
    """Say something, end our side of TLS in the same segment, and return what comes until the server ends its own."""
    with RawConnection(port) as tcp:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")

        def exchange(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    tcp.send(outgoing.read())
                    incoming.write(tcp.socket.recv(1 << 16))

        exchange(client.do_handshake)
        client.write(said)
        with pytest.raises(ssl.SSLWantReadError):
            client.unwrap()  # writes our close_notify behind the message
        tcp.send(outgoing.read())
        while data := tcp.socket.recv(1 << 16):
            incoming.write(data)
        received = b""
        with suppress(ssl.SSLZeroReturnError):  # the server's close_notify
            while True:
                received += client.read(1 << 16)
    return received


def test_a_client_that_ends_tls_early_gets_what_is_on_its_way(
    tls_server: RunningServer, trusting: ssl.SSLContext
) -> None:
    message = os.urandom(100_000)
    received = received_after_the_end(tls_server.port, trusting, HANDSHAKE + client_frame(BINARY, message))
    assert received.endswith(server_frame(BINARY, message))


@pytest.mark.parametrize("paths", [["/metrics"], ["/metrics", "/metrics"], ["/health"] * 3, ["/health", "/metrics"]])
def test_a_client_that_ends_tls_behind_its_requests_gets_all_answers(
    tls_server: RunningServer, trusting: ssl.SSLContext, paths: list[str]
) -> None:
    requests = b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode() for path in paths)
    received = received_after_the_end(tls_server.port, trusting, requests)
    assert received.count(b"HTTP/1.1 200 OK\r\n") == len(paths)


def test_a_peer_that_never_ends_tls_is_cut_off(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve("--close-timeout", "300ms", *certificate.options)
    with RawConnection(server.port, tls=trusting).open() as client:
        client.send(client_frame(CLOSE, b"\x03\xe8"))
        assert client.receive_all() == server_frame(CLOSE, b"\x03\xe8")
        server.wait_for_metrics(websocket_active_connections=0)


def test_a_stop_says_goodbye(serve: Serve, certificate: Certificate, trusting: ssl.SSLContext) -> None:
    server = serve(*certificate.options)

    async def stay() -> int | None:
        async with asyncio.timeout(PATIENCE), connect(server.ws_url, ssl=trusting) as client:
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await client.recv()
        return client.close_code

    with (
        RawConnection(server.port, tls=trusting) as idle,
        RawConnection(server.port),  # has not begun its handshake
    ):
        idle.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.receive(12) == b"HTTP/1.1 200"
        assert asyncio.run(stay()) == 1001
        assert idle.receive_all().endswith(b"ok\n")
        assert idle.socket.close() is None
    assert server.wait() == 0


# Clients that do not read


@pytest.mark.parametrize("receive_buffer_size", ["32KiB", "200"])
def test_a_client_that_does_not_read_is_not_read_from_and_loses_nothing(
    serve: Serve, codec_name: str, certificate: Certificate, trusting: ssl.SSLContext, receive_buffer_size: str
) -> None:
    server = serve("--codec", codec_name, "--receive-buffer-size", receive_buffer_size, *certificate.options)
    payloads = [os.urandom(3000) for _ in range(6000)]
    expected = b"".join(server_frame(BINARY, payload) for payload in payloads)
    with RawConnection(server.port, receive_buffer=1 << 16, tls=trusting).open() as client:
        before = resident_memory(server.pid)
        client.socket.setblocking(False)
        frames = [client_frame(BINARY, payload, mask=bytes(4)) for payload in payloads]
        while select.select([], [client.socket], [], 0.5)[1]:
            send_next(client.socket, frames)
        assert frames
        assert peak_memory(server.pid) - before < 2 * MIB
        received = bytearray()
        while len(received) < len(expected):
            assert any(select.select([client.socket], [client.socket] if frames else [], [], PATIENCE))
            send_next(client.socket, frames)
            with suppress(ssl.SSLWantReadError):
                while piece := client.socket.recv(1 << 16):
                    received += piece
        assert received == expected
    server.wait_for_metrics(websocket_active_connections=0, websocket_messages_sent_total=len(payloads))


def send_next(connection: socket.socket, frames: list[bytes]) -> None:
    """Send as much of the first frame as there is room for. TLS wants a record tried again until it is sent."""
    with suppress(ssl.SSLWantWriteError):
        if frames:
            frames[0] = frames[0][connection.send(frames[0]) :]
            if not frames[0]:
                del frames[0]


def test_a_long_message_written_before_its_echo_is_read_comes_back(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve(*certificate.options)
    message = os.urandom(16 * MIB)
    with RawConnection(server.port, tls=trusting).open() as client:
        client.send(client_frame(BINARY, message, mask=bytes(4)) + client_frame(CLOSE, b"\x03\xe8"))
        expected = server_frame(BINARY, message) + server_frame(CLOSE, b"\x03\xe8")
        assert client.receive_all() == expected


# Time and room


def test_silence_and_dripping_are_cut_off_at_one_deadline(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve("--handshake-timeout", "3s", *certificate.options)
    hello = first_record()
    with (
        RawConnection(server.port) as silent,
        RawConnection(server.port) as half,
        RawConnection(server.port) as dripping,
        RawConnection(server.port, tls=trusting) as headless,
        RawConnection(server.port, tls=trusting) as slow_head,
    ):
        half.send(hello[: len(hello) // 2])
        slow_head.send(b"GET / HT")
        for drop in range(len(hello)):
            try:
                dripping.send(hello[drop : drop + 1])
            except OSError:
                break
            dripping.socket.settimeout(0.02)
            try:
                if dripping.socket.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        else:
            pytest.fail("a dripping handshake was let through")
        assert silent.receive_all() == b""
        assert half.is_reset() in (True, False)
        assert slow_head.receive_all().startswith(b"HTTP/1.1 408")
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            headless.receive_all()
    assert server.get("/health")[0] == 200


def test_handshakes_that_never_end_keep_nobody_out_and_are_cut_off(
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


# What is not TLS, or bad TLS


@pytest.mark.parametrize("request_head", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HANDSHAKE, b"POST / HTTP/1.0\r\n"])
def test_plain_text_on_the_tls_port_is_told_so(tls_server: RunningServer, request_head: bytes) -> None:
    with RawConnection(tls_server.port) as client:
        client.send(request_head)
        client.half_close()
        answer = client.receive_all()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"this port speaks TLS: connect with https:// or wss://\n")


def test_tls_on_the_plain_port_ends_cleanly(server: RunningServer, trusting: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLError), RawConnection(server.port, tls=trusting):
        pass
    assert server.get("/health")[0] == 200


RUBBISH = {
    "bytes of no meaning": bytes(range(128, 256)) * 20,
    "zeros": bytes(1000),
    "an SSL 2 hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(35),
    "a record that is too long": b"\x16\x03\x01\xff\xff" + bytes(1000),
    "an empty record": b"\x16\x03\x01\x00\x00" * 100,
    "a hello of 16 KiB of nothing": b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc" + bytes(0x3FFC),
    "a hello that never ends": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + (bytes(0x3FFC) + b"\x16\x03\x01\x40\x00") * 20,
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "data": b"\x17\x03\x03\x00\x20" + bytes(32),
    "half a hello": first_record()[:100],
    "a hello and rubbish": first_record() + bytes(100),
    "a hello with a bad middle": first_record()[:60] + bytes(20) + first_record()[80:],
}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_is_answered_with_the_end_and_nobody_else_notices(
    tls_server: RunningServer, trusting: ssl.SSLContext, rubbish: str
) -> None:
    with RawConnection(tls_server.port, tls=trusting).open() as witness:
        for _ in range(5):
            # It may be cut off before it has said everything.
            with RawConnection(tls_server.port) as client, suppress(OSError):
                client.send(RUBBISH[rubbish])
                client.half_close()
                client.receive_all()
            echo(witness)
        processor_seconds = used_seconds(tls_server.pid)
        threading.Event().wait(0.1)
        # Nothing spins: that would use all of the time.
        assert used_seconds(tls_server.pid) - processor_seconds < 0.06


def test_resets_in_the_middle_of_handshakes_leave_nothing_behind(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve("--handshake-timeout", "1s", *certificate.options)
    hello = first_record()
    server.get("/health")
    before = descriptors(server.pid)
    with RawConnection(server.port, tls=trusting).open() as witness:
        for _ in range(10):
            for sent in (0, 1, len(hello) // 2, len(hello)):
                clients = [RawConnection(server.port) for _ in range(10)]
                for client in clients:
                    client.send(hello[:sent])
                    if sent == len(hello):
                        client.receive(100)
                    client.reset()
            RawConnection(server.port, tls=trusting).open().reset()
            echo(witness)
    server.wait_for_metrics(websocket_active_connections=0)
    wait_until(lambda: descriptors(server.pid) <= before + 1)


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
    # Who only knocks has failed at nothing.
    assert len(failed) + suppressed == 50
    assert {(line["severity"], line["reason"]) for line in failed} == {("INFO", "wrong version number")}
    assert all(line["peer"].startswith("127.0.0.1:") for line in failed)


# What is agreed on


def test_info_tells_what_was_agreed_on(tls_server: RunningServer, trusting: ssl.SSLContext) -> None:
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
    facts = json.loads(tls_server.get("/info")[2])["tls"]  # urllib: http/1.1 is offered, an address has no name
    assert facts["server_name"] is None
    said = openssl(tls_server, "-quiet", "-noservername", words="GET /info HTTP/1.0\r\n\r\n")
    assert '"protocol": null' in said


def test_a_client_that_shares_no_protocol_is_refused_with_the_right_alert(tls_server: RunningServer) -> None:
    with RawConnection(tls_server.port) as client:
        client.send(first_record(("h2", "spdy/1")))
        client.half_close()
        # RFC 7301 section 3.2: fatal, no_application_protocol.
        assert client.receive_all() == b"\x15\x03\x03\x00\x02\x02\x78"


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
    # Forward secrecy and authenticated encryption: in TLS 1.3 by itself, before it by name.
    assert cipher[0].startswith(("TLS_", "ECDHE-"))
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]


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


# Client certificates


def test_only_clients_with_a_certificate_of_the_authority_come_in(
    serve: Serve, certificate: Certificate, authority: Authority, tmp_path: Path
) -> None:
    server = serve(*certificate.options, "--tls-client-ca", str(authority.certificate))
    known, stranger = authority.issue("a client"), Authority(tmp_path, "another authority").issue("a stranger")
    server.client_tls = authority.client()
    server.client_tls.load_cert_chain(known.certificate, known.key)
    assert json.loads(server.get("/info")[2])["tls"]["client_subject"] == "commonName=a client"
    with RawConnection(server.port, tls=server.client_tls).open() as client:
        echo(client)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for certificate_shown, alert in (
                (None, "CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE"),
                (stranger, "UNKNOWN_CA"),
            ):
                refused = authority.client()
                refused.maximum_version = version
                if certificate_shown:
                    refused.load_cert_chain(certificate_shown.certificate, certificate_shown.key)
                # With TLS 1.3 the client learns it when it reads.
                with pytest.raises(ssl.SSLError, match=alert), RawConnection(server.port, tls=refused) as other:
                    other.receive(1)
        echo(client)


# Reloading


def test_a_new_certificate_is_for_new_connections(
    serve: Serve, authority: Authority, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    served = Certificate(tmp_path / "served.crt", tmp_path / "served.key")

    def put(certificate: Certificate) -> None:
        served.certificate.write_bytes(certificate.certificate.read_bytes())
        served.key.write_bytes(certificate.key.read_bytes())

    put(first)
    server = serve(*served.options)
    assert shown_name(server) == "first"
    with RawConnection(server.port, tls=trusting).open() as client:
        put(second)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("reloaded")
        assert shown_name(server) == "second"
        echo(client)


def shown_name(server: RunningServer) -> str:
    """Return the common name of the certificate that the server shows."""
    with RawConnection(server.port, tls=ssl._create_unverified_context()) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        shown = client.socket.getpeercert(binary_form=True)
        assert shown
        return str(x509.load_der_x509_certificate(shown).subject.rfc4514_string().removeprefix("CN="))


@pytest.mark.parametrize("damage", ["gone", "broken", "another key"])
def test_a_broken_file_leaves_the_certificate_as_it_was(
    authority: Authority, tmp_path: Path, trusting: ssl.SSLContext, damage: str
) -> None:
    files = authority.issue(f"before {damage}")
    with closing(RunningServer(*files.options)) as server:
        if damage == "gone":
            files.key.unlink()
        elif damage == "broken":
            files.certificate.write_text("no certificate")
        else:
            files.key.write_bytes(authority.issue("another").key.read_bytes())
        server.process.send_signal(signal.SIGHUP)
        line = server.wait_for_log("not reloaded")
        assert line["severity"] == "ERROR"
        assert "--tls-" in line["error"]
        with RawConnection(server.port, tls=trusting).open() as client:
            echo(client)
        assert server.stop() == 0
        assert server.complaints() == [line]


# The health probe of the container


def probe(server: RunningServer, **environment: str) -> int:
    command = [sys.executable, "-m", "wsecho.processes.health_probe"]
    names = {"PORT": str(server.port), **environment}
    return subprocess.run(command, cwd=ROOT, env=names, timeout=PATIENCE, check=False, capture_output=True).returncode


def test_the_health_probe_finds_out_how_to_ask(
    serve: Serve, server: RunningServer, tls_server: RunningServer, certificate: Certificate, authority: Authority
) -> None:
    assert probe(server) == 0
    assert probe(tls_server) == 0
    assert probe(tls_server, WSECHO_TLS_CERT="/somewhere") == 0
    assert probe(server, WSECHO_TLS_SELF_SIGNED="on") == 1
    demanding = serve(*certificate.options, "--tls-client-ca", str(authority.certificate))
    assert probe(demanding) == 0
    demanding.stop()
    assert probe(demanding) == 1


# Starting


def test_a_self_signed_certificate_is_made_and_nothing_of_it_stays(serve: Serve, tmp_path: Path) -> None:
    server = serve("--tls-self-signed", environment={"TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
    pem = ssl.get_server_certificate(("127.0.0.1", server.port))
    (tmp_path / "shown.pem").write_text(pem)
    context = strict_client(tmp_path / "shown.pem")

    async def hello() -> str | bytes:
        url = server.ws_url.replace("127.0.0.1", "localhost")
        async with asyncio.timeout(PATIENCE), connect(url, ssl=context) as client:
            await client.send("hello")
            return await client.recv()

    assert asyncio.run(hello()) == "hello"
    # A client may demand what its OpenSSL does not.
    found = x509.load_pem_x509_certificate(pem.encode()).extensions
    subject = found.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert found.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == subject
    assert found.get_extension_for_class(x509.KeyUsage).value.digital_signature
    server.process.send_signal(signal.SIGHUP)
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) == pem


def test_what_self_signed_needs_is_named_where_it_is_missing() -> None:
    start = "import sys; sys.modules['cryptography'] = None; from wsecho.cli import main; sys.exit(main())"
    code, line = refusal("--tls-self-signed", command=[sys.executable, "-c", start])
    assert code == 2
    assert "--tls-self-signed needs the extra 'self-signed'" in line
    assert "'cryptography>=" in line


def refusal(*options: str, command: list[str] | None = None) -> tuple[int, str]:
    """Start a server that must not start, and return its exit code and its one line."""
    command = command or [sys.executable, "-m", "wsecho"]
    done = subprocess.run(
        [*command, "--host", "127.0.0.1", "--port", "0", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tls-key", "{key}"], "--tls-key is of no use without --tls-cert"),
        (["--tls-client-ca", "{authority}"], "--tls-client-ca is of no use without"),
        (["--tls-self-signed", "--tls-cert", "{cert}"], "--tls-self-signed makes its own certificate"),
        (["--tls-cert", "{cert}"], "--tls-cert {cert}: there is no private key in PEM format in it, and no --tls-key"),
        (["--tls-cert", "{folder}/none", "--tls-key", "{key}"], "--tls-cert {folder}/none: No such file or directory"),
        (["--tls-cert", "{cert}", "--tls-key", "{folder}/none"], "--tls-key {folder}/none: No such file or directory"),
        (["--tls-cert", "{folder}", "--tls-key", "{key}"], "--tls-cert {folder}: Is a directory"),
        (["--tls-cert", "{rubbish}", "--tls-key", "{key}"], "--tls-cert {rubbish}: there is no certificate"),
        (["--tls-cert", "{key}", "--tls-key", "{cert}"], "--tls-cert {key}: there is no certificate"),
        (["--tls-cert", "{cert}", "--tls-key", "{rubbish}"], "--tls-key {rubbish}: there is no private key"),
        (["--tls-cert", "{cert}", "--tls-key", "{other}"], "--tls-key {other}: the private key is not that of"),
        (["--tls-cert", "{cert}", "--tls-key", "{encrypted}"], "--tls-key {encrypted}: the private key is encrypted"),
        (["--tls-cert", "{cert}", "--tls-key", "{key}", "--tls-client-ca", "{key}"], "--tls-client-ca {key}: there is"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(
    authority: Authority, certificate: Certificate, tmp_path: Path, options: list[str], words: str
) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no PEM at all")
    names = {
        "cert": certificate.certificate,
        "key": certificate.key,
        "other": authority.issue("other").key,
        "encrypted": authority.issue("encrypted", password=b"secret").key,
        "authority": authority.certificate,
        "folder": tmp_path,
        "rubbish": rubbish,
    }
    code, line = refusal(*(option.format_map(names) for option in options))
    assert code == 2
    assert words.format_map(names) in line


def test_a_key_too_weak_is_told_in_one_line(tmp_path: Path) -> None:
    weak = Certificate(tmp_path / "weak.crt", tmp_path / "weak.key")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak"]
    subprocess.run([*make, "-keyout", weak.key, "-out", weak.certificate], check=True, capture_output=True)
    code, line = refusal(*weak.options)
    assert code == 2
    assert "ee key too small" in line


def test_one_file_may_hold_both(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.certificate.read_bytes() + certificate.key.read_bytes())
    with RawConnection(serve("--tls-cert", str(both)).port, tls=trusting).open() as client:
        echo(client)


def test_an_expired_certificate_is_served_with_a_warning(serve: Serve, authority: Authority) -> None:
    expired = authority.issue("expired", lifetime=-DAY)
    server = serve(*expired.options)
    warning = next(line for line in server.logs if line["severity"] == "WARNING")
    assert warning["reason"] == "certificate has expired"
    assert server.get("/health")[0] == 200
