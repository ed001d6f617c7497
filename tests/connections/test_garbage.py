"""However a connection ends, it leaves nothing to the garbage collector, which runs rarely.

Modules: `connection_starter`, `http_connection`, `websocket_connection`, `transports`.
"""

import json
import ssl
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic

import pytest

from tests.faults.patched import patched
from tests.shared.certificates import Authority, Certificate
from tests.shared.compression import Compressor, compressed_frame
from tests.shared.frames import CLOSE, TEXT, client_frame
from tests.shared.processes import descriptors, wait_until
from tests.shared.raw import HANDSHAKE, OFFER, RawConnection
from tests.shared.server import PATIENCE, RunningServer
from tests.shared.tls_clients import first_record

# The garbage collector never runs by itself. `/ready` on the admin port returns the types of what it would have found.
TELLING = """
import gc, json
from wsecho.routes.health import Health
from wsecho.http.response import plain
gc.disable()
def garbage(self, request):
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    types = [type(found).__module__ + "." + type(found).__qualname__ for found in gc.garbage]
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    return plain(200, json.dumps(types))
Health._ready = garbage
"""

# The time that the server gives to handshakes: the ends by silence take as long.
HANDSHAKE_SECONDS = 1
CLOSE_FRAME = client_frame(CLOSE, (1000).to_bytes(2, "big"))
GOOD = HANDSHAKE + client_frame(TEXT, b"a") + CLOSE_FRAME
COMPRESSED = compressed_frame(TEXT, Compressor()(b"a"))
Client = Callable[[RunningServer, Authority], None]


def reset_at(share: float) -> Client:
    """Send this share of a ClientHello and reset the connection."""

    def meet(server: RunningServer, authority: Authority) -> None:
        hello = first_record()
        with RawConnection(server.port) as client:
            client.send(hello[: int(len(hello) * share)])
            if share == 1:
                client.receive(100)
            client.reset()

    return meet


def leaves_at(share: float) -> Client:
    """The same, but close the connection in order."""

    def meet(server: RunningServer, authority: Authority) -> None:
        hello = first_record()
        with RawConnection(server.port) as client, suppress(ConnectionResetError):
            client.send(hello[: int(len(hello) * share)])
            client.half_close()
            client.receive_all()

    return meet


def says(data: bytes) -> Client:
    def meet(server: RunningServer, authority: Authority) -> None:
        with RawConnection(server.port) as client, suppress(ConnectionResetError):
            client.send(data)
            client.half_close()
            client.receive_all()

    return meet


def silent(server: RunningServer, authority: Authority) -> None:
    with RawConnection(server.port) as client, suppress(ConnectionResetError):
        client.receive_all()


def stuck(server: RunningServer, authority: Authority) -> None:
    with RawConnection(server.port) as client, suppress(ConnectionResetError):
        client.send(first_record())
        client.receive_all()


def speaks_tls(change: Callable[[ssl.SSLContext], object], data: bytes = b"") -> Client:
    """Perform a TLS handshake as a client whose context was changed by `change`, send `data`, and wait for the end."""

    def meet(server: RunningServer, authority: Authority) -> None:
        context = authority.client()
        change(context)
        with suppress(OSError), RawConnection(server.port, tls=context) as client:
            client.send(data)
            client.receive_all()

    return meet


def in_time(client: Client) -> Client:
    """Meet the server again if this process was so slow that the time limit has ended the connection."""

    def meet(server: RunningServer, authority: Authority) -> None:
        while True:
            began = monotonic()
            try:
                client(server, authority)
            except OSError:
                if not HANDSHAKE_SECONDS < monotonic() - began < PATIENCE:
                    raise
            else:
                return

    return meet


def with_certificate(data: bytes) -> Client:
    """Perform a TLS handshake with a certificate of the authority, send `data`, and wait for the end."""

    def meet(server: RunningServer, authority: Authority) -> None:
        with RawConnection(server.port, tls=known(authority)) as client:
            client.send(data)
            client.receive_all()

    return in_time(meet)


def cut(server: RunningServer, authority: Authority) -> None:
    """Reset an open connection in the middle of a message."""
    with RawConnection(server.port, tls=known(authority)).open() as client:
        client.send(client_frame(TEXT, b"a") + client_frame(TEXT, b"b")[:3])
        client.receive(3)
        client.reset()


def known(authority: Authority) -> ssl.SSLContext:
    client, context = authority.issue("a client"), authority.client()
    context.load_cert_chain(client.certificate, client.key)
    return context


def no_certificate(version: ssl.TLSVersion) -> Client:
    return speaks_tls(lambda context: setattr(context, "maximum_version", version), GOOD)


def old(context: ssl.SSLContext) -> None:
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AES128+SHA256")


def other_protocol(context: ssl.SSLContext) -> None:
    context.set_alpn_protocols(["h2"])


ENDS: dict[str, Client] = {
    "reset at once": reset_at(0),
    "reset in the ClientHello": reset_at(0.5),
    "reset behind the ClientHello": reset_at(1),
    "end at once": leaves_at(0),
    "end in the ClientHello": leaves_at(0.5),
    "end behind the ClientHello": leaves_at(1),
    "silence": silent,
    "no end of the handshake": stuck,
    "plain HTTP": says(HANDSHAKE),
    "rubbish": says(b"\x00" * 100),
    "rubbish in a record": says(b"\x16\x03\x01\x00\x05hello"),
    "rubbish behind the ClientHello": says(first_record() + bytes(100)),
    "an older version": says(first_record().replace(b"\x03\x03", b"\x03\x01").replace(b"\x03\x04", b"\x03\x01")),
    "no common cipher": speaks_tls(old),
    "no common protocol": speaks_tls(other_protocol),
    "no certificate, TLS 1.2": no_certificate(ssl.TLSVersion.TLSv1_2),
    "no certificate, TLS 1.3": no_certificate(ssl.TLSVersion.TLSv1_3),
    "a message": speaks_tls(lambda context: None, GOOD),
    "a message, with a certificate": with_certificate(GOOD),
    "a compressed message": with_certificate(OFFER + COMPRESSED + CLOSE_FRAME),
    "reset of an open connection": in_time(cut),
    "a request that is none": speaks_tls(lambda context: None, b"\x00\r\n\r\n"),
}


@pytest.fixture(scope="module", params=["anybody", "known clients"])
def server(request: pytest.FixtureRequest, authority: Authority, certificate: Certificate) -> Iterator[RunningServer]:
    """A server for all kinds of ends, open to any client or only to clients with a certificate of the authority."""
    demanded = ["--tls-client-ca", str(authority.certificate)] if request.param == "known clients" else []
    options = ["--handshake-timeout", f"{HANDSHAKE_SECONDS}s", "--admin-port", "0", *certificate.options]
    running = RunningServer(*options, *demanded, command=patched(TELLING))
    garbage(running)
    yield running
    assert running.stop() == 0
    assert not running.complaints()
    running.close()


def garbage(server: RunningServer) -> Counter[str]:
    """Return the types of objects that are unreachable and were not freed."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.listening['admin_port']}/ready", timeout=PATIENCE) as answer:
        return Counter(json.load(answer))


@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_a_connection_leaves_garbage(server: RunningServer, authority: Authority, end: str) -> None:
    garbage(server)
    before = descriptors(server.pid)
    for _ in range(2):
        ENDS[end](server, authority)
    wait_until(lambda: descriptors(server.pid) <= before)
    assert not garbage(server)
