"""The first bytes of a connection, which the server reads before the TLS handshake without consuming them.

They may be missing, slow, not TLS, or a ClientHello that cannot be served.
"""

import ssl
import threading
from contextlib import suppress

import pytest

from tests.conftest import Serve
from tests.shared.certificates import Certificate
from tests.shared.processes import descriptors, used_seconds, wait_until
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import RunningServer
from tests.shared.tls_clients import echo, first_record


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


@pytest.mark.parametrize("request_head", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HANDSHAKE, b"POST / HTTP/1.0\r\n"])
def test_plain_text_on_the_tls_port_gets_an_explanation(tls_server: RunningServer, request_head: bytes) -> None:
    with RawConnection(tls_server.port) as client:
        client.send(request_head)
        client.half_close()
        answer = client.receive_all()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"this port speaks TLS: connect with https:// or wss://\n")


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
def test_rubbish_ends_the_connection_and_disturbs_no_other(
    tls_server: RunningServer, trusting: ssl.SSLContext, rubbish: str
) -> None:
    with RawConnection(tls_server.port, tls=trusting).open() as witness:
        for _ in range(5):
            # The server may cut off the client before the client has sent everything.
            with RawConnection(tls_server.port) as client, suppress(OSError):
                client.send(RUBBISH[rubbish])
                client.half_close()
                client.receive_all()
            echo(witness)
        processor_seconds = used_seconds(tls_server.pid)
        threading.Event().wait(0.1)
        # Nothing spins: a busy loop would use all of this time.
        assert used_seconds(tls_server.pid) - processor_seconds < 0.06


def test_resets_in_the_middle_of_handshakes_leave_nothing_behind(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    server = serve("--handshake-timeout", "20s", *certificate.options)
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


def test_a_client_that_shares_no_protocol_is_refused_with_the_right_alert(tls_server: RunningServer) -> None:
    with RawConnection(tls_server.port) as client:
        client.send(first_record(("h2", "spdy/1")))
        client.half_close()
        # RFC 7301 section 3.2: a fatal no_application_protocol alert.
        assert client.receive_all() == b"\x15\x03\x03\x00\x02\x02\x78"
