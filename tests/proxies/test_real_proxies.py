"""wsecho behind real proxies: echoes, close codes, upgrades, pings against idle timeouts, addresses of clients.

Modules: `trusted_proxies`, `forwarded`, `proxy_header`, `client`.
"""

import asyncio
import http.client
import json
import random
import re
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from tests.conftest import Serve
from tests.shared.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.processes import wait_until
from tests.shared.proxies import PROXIES, Front, proxy
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, RunningServer


@pytest.fixture(scope="module", params=PROXIES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Run one server for all tests that leave nothing behind. It trusts the proxies."""
    server = RunningServer("--trusted-proxy", "127.0.0.1")
    yield server
    exit_code = server.stop()
    complaints = server.complaints()
    server.close()
    assert (exit_code, complaints) == (0, [])


@pytest.fixture(scope="module")
def asked_before(kind: str, server: RunningServer) -> float:
    """Return how often the server had been asked whether it is ready when the proxy was started."""
    return times_asked(server)


def times_asked(server: RunningServer) -> float:
    labels = 'http_request_method="GET",http_response_status_code="200",http_route="/ready"'
    return server.metrics().get(f"http_server_request_duration_seconds_count{{{labels}}}", 0)


@pytest.fixture(scope="module")
def front(
    kind: str, server: RunningServer, asked_before: float, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """Run a proxy in front of the server that all tests share."""
    with proxy(kind, server.port, tmp_path_factory.mktemp(kind)) as front:
        yield front


def opened(front: Front, handshake: bytes = HANDSHAKE) -> RawConnection:
    """Return a WebSocket through a proxy. The proxy may write the head of the response differently."""
    connection = front.connect()
    connection.send(handshake)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.receive(1)
        assert byte, head
        head += byte
    assert head.startswith(b"HTTP/1.1 101 ")
    return connection


def talk(front: Front, path: str = "/echo", **settings: object) -> "websockets.connect":
    url = f"wss://127.0.0.1:{front.port}{path}"
    patient = {"open_timeout": PATIENCE, "close_timeout": PATIENCE}
    return websockets.connect(url, ssl=front.tls, max_size=None, **patient, **settings)  # type: ignore[arg-type]


def got(front: Front, path: str, *fields: str, source: str = "") -> bytes:
    """Return the response to a GET request through a proxy."""
    lines = [f"GET {path} HTTP/1.1", "Host: here", *fields, "Connection: close", "", ""]
    with front.connect(source) as client:
        client.send("\r\n".join(lines).encode())
        return client.receive_all()


def page_of(answer: bytes) -> dict[str, Any]:
    """Return the JSON object in a response, which may have come in chunks."""
    return dict(json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1]))


def test_messages_of_every_kind_come_back(front: Front) -> None:
    messages: list[str | bytes] = ["", "text", "\N{SNOWMAN}" * 1000, b"", bytes(range(256)) * 300]

    async def exchange(compression: str | None) -> None:
        async with talk(front, compression=compression) as client:
            assert bool(client.protocol.extensions) == (compression is not None)
            for message in messages:
                await client.send(message)
                assert await client.recv() == message
            await client.send([b"in ", b"three ", b"parts"])
            assert await client.recv() == b"in three parts"

    for compression in (None, "deflate"):
        asyncio.run(exchange(compression))


def test_large_messages_come_back_while_they_are_sent(front: Front) -> None:
    message = random.Random(4).randbytes(16 << 20)

    async def exchange() -> None:
        async with talk(front, compression=None, ping_interval=None) as client:
            sending = asyncio.create_task(client.send(message))
            assert await client.recv() == message
            await sending

    asyncio.run(exchange())


def test_frames_pass_as_they_are(front: Front) -> None:
    with opened(front) as client:
        client.send(client_frame(TEXT, b"a", fin=False) + client_frame(PING, b"?") + client_frame(CONTINUATION, b"b"))
        expected = server_frame(TEXT, b"a", fin=False) + server_frame(PONG, b"?") + server_frame(CONTINUATION, b"b")
        assert client.receive(len(expected)) == expected


@pytest.mark.parametrize("code", [1000, 4000])
def test_a_clients_close_code_comes_back(front: Front, server: RunningServer, code: int) -> None:
    label = "1000" if code == 1000 else "4xxx"
    name = f'websocket_closes_total{{code="{label}",initiator="client"}}'
    # The server may still be about to count the ends of the connections of earlier tests.
    before = server.wait_for_metrics(websocket_active_connections=0)[name]

    async def close() -> ClientConnection:
        async with talk(front) as client:
            await client.close(code, "enough")
            return client

    client = asyncio.run(close())
    assert (client.close_code, client.close_reason) == (code, "enough")
    server.wait_for_metrics(**{name: before + 1})


def test_a_violation_is_answered_with_its_code(front: Front) -> None:
    with opened(front) as client:
        client.send(client_frame(3))
        assert client.receive_all() == server_close(1002, "reserved opcode")


def test_a_stop_says_goodbye_through_the_proxy(serve: Serve, kind: str, tmp_path: Path) -> None:
    server = serve()
    with proxy(kind, server.port, tmp_path) as front, opened(front) as client:
        server.process.send_signal(signal.SIGTERM)
        goodbye = server_close(1001, "server is shutting down")
        assert client.receive(len(goodbye)) == goodbye
        client.send(client_frame(CLOSE, b"\x03\xe9"))
        assert client.receive_all() == b""
        client.socket.close()
        assert server.wait() == 0
        assert server.wait_for_log("stopped")["cut_off"] == 0


IDLE_SECONDS = 3


@contextmanager
def silent(serve: Serve, kind: str, folder: Path, *options: str) -> Iterator[tuple[RunningServer, RawConnection]]:
    """Yield a WebSocket through a proxy with a short idle timeout."""
    server = serve(*options)
    with proxy(kind, server.port, folder, idle_seconds=IDLE_SECONDS) as front, opened(front) as client:
        yield server, client


def test_pings_carry_a_silent_client_through_the_proxys_idle_timeout(serve: Serve, kind: str, tmp_path: Path) -> None:
    with silent(serve, kind, tmp_path, "--ping-interval", "500ms") as (_, client):
        # Longer than the proxy's idle timeout.
        end = monotonic() + 1.2 * IDLE_SECONDS
        while monotonic() < end:
            assert client.receive(2) == bytes((0x80 | PING, 8))
            client.send(client_frame(PONG, client.receive(8)))
        client.send(client_frame(TEXT, b"still here"))
        assert client.receive_past_pings(12) == server_frame(TEXT, b"still here")


@pytest.mark.parametrize("kind", [kind for kind, proxy in PROXIES.items() if proxy.idle])
def test_without_pings_the_proxy_cuts_a_silent_client_and_nothing_is_left(
    serve: Serve, kind: str, tmp_path: Path
) -> None:
    with silent(serve, kind, tmp_path, "--ping-interval", "0") as (server, client):
        assert client.receive_all() == b""
        seen = server.wait_for_metrics(websocket_active_connections=0)
        assert seen['websocket_closes_total{code="1006",initiator="client"}'] == 1


@pytest.mark.parametrize(
    ("missing", "status", "hint"),
    [
        (("Upgrade $", "Connection $"), 426, "the Upgrade header lacks 'websocket': did a proxy remove it?"),
        (("Upgrade $",), 426, "the Upgrade header lacks 'websocket': did a proxy remove it?"),
        (("Connection $",), 400, "the Connection header lacks 'upgrade': did a proxy remove it?"),
        (("proxy_http_version",), 400, "a WebSocket handshake needs HTTP/1.1, not HTTP/1.0"),
    ],
)
def test_a_handshake_through_an_nginx_that_lacks_a_line_says_what_is_missing(
    server: RunningServer, tmp_path: Path, missing: tuple[str, ...], status: int, hint: str
) -> None:
    with proxy("nginx", server.port, tmp_path, without=missing) as front, front.connect() as client:
        client.send(HANDSHAKE.replace(b"Connection: Upgrade", b"Connection: close, Upgrade"))
        head, _, body = client.receive_all().decode().partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert body == hint + "\n"


def test_plain_requests_pass_beside_websockets_with_what_the_proxy_says(front: Front, kind: str) -> None:
    """The server sees the client's Host, scheme and address, whatever the client says of them."""
    with opened(front):
        answer = got(front, "/info", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http", source="127.0.0.5")
    told = page_of(answer)
    assert (told["authority"], told["scheme"]) == ("here", "https")
    if kind == "envoy":
        # For a client on its own machine, this proxy adds an address of that machine.
        assert told["client"] != ["203.0.113.9"]
    else:
        assert told["client"] == ["127.0.0.5"]


def test_without_tls_there_is_only_a_redirect(front: Front) -> None:
    with RawConnection(front.plain_port) as client:
        client.send(HANDSHAKE.replace(b"GET / ", b"GET /ws/close/1001?reason=a%20b "))
        head = client.receive(12)
        while not head.endswith(b"\r\n\r\n"):
            byte = client.receive(1)
            assert byte, head
            head += byte
    status, location = int(head.split()[1]), re.search(rb"(?i)\r\nlocation: (\S+)\r\n", head)
    assert location, head
    assert status in (301, 308)
    assert re.fullmatch(rb"https://here(:\d+)?/ws/close/1001\?reason=a%20b", location[1])


def test_pages_for_operators_cannot_be_reached(front: Front) -> None:
    for page in ("metrics", "health", "healthz", "livez", "ready", "readyz"):
        encoded = f"%{ord(page[0]):x}{page[1:]}"
        relative = (page, f"{page}/", f"{page}?a=b", encoded, f"./{page}", f"/{page}", f"a/../{page}")
        for path in (*(f"/{path}" for path in relative), f"http://here/{page}"):
            with front.connect() as client:
                client.send(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
                assert client.receive(12)[-3:] in (b"400", b"403", b"404"), path


def test_a_scenario_arrives_as_its_url_was_written(front: Front) -> None:
    """Some proxies decode a path, or remove slashes and dots from it, unless they are told to leave it alone."""

    async def read() -> str | bytes:
        async with talk(front, "/ws/message/a%2F..%2F%25%3B%20b%2f%2F/close?echo=off") as client:
            return await client.recv()

    assert asyncio.run(read()) == "a/../%; b//"


def test_each_request_reaches_the_server_on_a_connection_of_its_own(front: Front) -> None:
    """A proxy that kept connections could use one that the server is closing, or repeat a request after that."""
    with closing(http.client.HTTPSConnection("127.0.0.1", front.port, context=front.tls, timeout=PATIENCE)) as client:
        peers = []
        for _ in range(2):
            client.request("GET", "/info")
            peers.append(json.load(client.getresponse())["peer"])
    assert peers[0] != peers[1]


def test_a_proxy_that_checks_servers_asks_whether_this_one_is_ready(
    front: Front, kind: str, server: RunningServer, asked_before: float
) -> None:
    if PROXIES[kind].asks_whether_the_server_is_ready:
        wait_until(lambda: times_asked(server) > asked_before)
    else:
        assert times_asked(server) == asked_before


def handshake_of_page(front: Front, origin: str) -> bytes:
    """Return the answer to a page of this origin from a server that requires the token `open-sesame`."""
    with front.connect() as client:
        fields = f"Host: 127.0.0.1:{front.port}\r\nOrigin: {origin}\r\nAuthorization: Bearer open-sesame"
        client.send(HANDSHAKE.replace(b"Host: here", fields.encode()))
        answer = client.receive(12)
        # Some proxies keep the connection open after a refusal.
        while answer != b"HTTP/1.1 101" and b"--allow-origin" not in answer:
            answer += client.receive(1)
        return answer


def test_our_own_page_and_no_other_connects_through_a_proxy(serve: Serve, kind: str, tmp_path: Path) -> None:
    server = serve("--auth-token", "open-sesame")
    with proxy(kind, server.port, tmp_path) as front:
        assert handshake_of_page(front, front.url) == b"HTTP/1.1 101"
        assert handshake_of_page(front, "https://evil.example").startswith(b"HTTP/1.1 403 ")


def test_an_apache_that_writes_its_own_host_is_told_what_to_do(serve: Serve, tmp_path: Path) -> None:
    server = serve("--auth-token", "open-sesame")
    with proxy("apache", server.port, tmp_path, without=("ProxyPreserveHost",)) as front:
        answer = handshake_of_page(front, front.url)
    assert answer.startswith(b"HTTP/1.1 403 ")
    words = f"Origin is {front.url}, Host is 127.0.0.1:{server.port}: let the proxy keep Host, or use --allow-origin"
    assert words in answer.decode()


def test_behind_a_refused_handshake_there_is_no_tunnel(front: Front, server: RunningServer) -> None:
    """Some proxies forward everything after a response that mentions an upgrade. The server must ignore it."""
    labels = 'http_request_method="GET",http_response_status_code="200",http_route="/info"'
    answers = f"http_server_request_duration_seconds_count{{{labels}}}"
    before = server.wait_for_metrics(websocket_active_connections=0).get(answers, 0)
    with front.connect() as client:
        client.send(HANDSHAKE.replace(b"Version: 13", b"Version: 8"))
        assert client.receive(12) == b"HTTP/1.1 426"
        client.send(client_frame(TEXT, b"through?") + b"GET /info HTTP/1.1\r\nHost: here\r\n\r\n")
        with suppress(ConnectionResetError):
            assert b'"method"' not in client.receive_all()
    after = server.metrics()
    assert after.get(answers, 0) == before
    assert after["websocket_active_connections"] == 0


@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_haproxy_announces_its_clients(serve: Serve, words: str, encrypted: bool, tmp_path: Path) -> None:
    options = ("--tls-self-signed",) if encrypted else ()
    server = serve("--trusted-proxy", "127.0.0.1", "--proxy-protocol", *options)
    words = f"{words} ssl verify none alpn http/1.1" if encrypted else words
    with (
        proxy("haproxy", server.port, tmp_path, instead=_to_the_server(words)) as front,
        front.connect("127.0.0.5") as client,
    ):
        client.send(HANDSHAKE)
        assert client.receive(12) == b"HTTP/1.1 101"
        answer = got(front, "/info", source="127.0.0.5")
    assert page_of(answer)["client"][0] == "127.0.0.5"


@pytest.mark.parametrize("encrypted", [False, True])
def test_haproxy_says_whether_its_clients_spoke_tls(serve: Serve, encrypted: bool, tmp_path: Path) -> None:
    server = serve("--trusted-proxy", "127.0.0.1", "--proxy-protocol")
    words = _to_the_server("send-proxy-v2-ssl")
    source = "127.0.0.5"
    with (
        proxy("haproxy", server.port, tmp_path, instead=words, without=("redirect scheme",)) as front,
        front.connect(source) if encrypted else RawConnection(front.plain_port, source=source) as client,
    ):
        # Header fields do not count, because this address is no proxy's.
        client.send(b"GET /info HTTP/1.1\r\nHost: here\r\nX-Forwarded-Proto: gopher\r\nConnection: close\r\n\r\n")
        told = page_of(client.receive_all())
    assert (told["client"][0], told["scheme"]) == ("127.0.0.5", "https" if encrypted else "http")


def _to_the_server(words: str) -> tuple[tuple[str, str], ...]:
    """Return what adds words to HAProxy's line about the server."""
    return (("check inter 2s", f"check inter 2s {words}"),)


def test_a_proxy_of_bytes_that_was_named_as_trusted_is_told_of_once(serve: Serve, tmp_path: Path) -> None:
    """A client behind such a proxy can invent an address, and the server cannot tell. But most clients send none."""
    server = serve("--trusted-proxy", "127.0.0.1")
    layers_above = ("mode http", "forwardfor", "http-", "httpchk")
    with proxy("haproxy", server.port, tmp_path, without=layers_above) as front:
        for _ in range(3):
            with opened(front):
                pass
    line = server.wait_for_log("a trusted proxy adds no address of its client")
    assert (line["severity"], line["peer"].split(":")[0]) == ("WARNING", "127.0.0.1")
    assert "--trusted-proxy" in line["remedy"]
    server.stop()
    server.complaints()
    assert [line["event"] for line in server.logs].count("a trusted proxy adds no address of its client") == 1
