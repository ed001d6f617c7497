"""The compiled reader of plain requests: which requests it reads, and that `RequestReader` reads the same from them.

Modules: `selection`.
"""

import asyncio
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from shutil import which

import aiohttp
import picows
import pytest
import websockets.sync.client
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http.test_http1_differential import BYTES, CASES, EDITS, POSITIONS, built, edit
from tests.shared.echoing import CODECS
from tests.shared.heads import head
from tests.shared.raw import HANDSHAKE
from tests.shared.server import PATIENCE, ROOT
from wsecho.http.credentials import redacted
from wsecho.http.http1 import RequestReader, encode_response
from wsecho.http.list_fields import FEWEST_ELEMENTS, SMALLEST_SIZE
from wsecho.http.request import Request
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Upgrade

read = CODECS["compiled"].read_plain_request

_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
_VERSION = "Sec-WebSocket-Version: 13"
_DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
# Handshakes of clients that are not run here, and of proxies.
RECORDED = {
    "Chromium": head(
        "GET /chat?room=1 HTTP/1.1",
        *("Host: 127.0.0.1:8080", "Connection: Upgrade", "Pragma: no-cache", "Cache-Control: no-cache"),
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 "
        "Safari/537.36",
        *("Upgrade: websocket", "Origin: http://127.0.0.1:8080", _VERSION, "Accept-Encoding: gzip, deflate, br, zstd"),
        *("Accept-Language: en-US,en;q=0.9", "Cookie: theme=dark; id=4f", _KEY, _DEFLATE),
    ),
    "Firefox": head(
        "GET / HTTP/1.1",
        *("Host: localhost:8080", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        *("Accept: */*", "Accept-Language: en-US,en;q=0.5", "Accept-Encoding: gzip, deflate, br, zstd", _VERSION),
        *("Origin: null", "Sec-WebSocket-Extensions: permessage-deflate", _KEY, "Connection: keep-alive, Upgrade"),
        *("Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: websocket", "Sec-Fetch-Site: cross-site", "Pragma: no-cache"),
        *("Cache-Control: no-cache", "Upgrade: websocket"),
    ),
    "Safari": head(
        "GET / HTTP/1.1",
        *("Host: [::1]:8080", "Origin: http://[::1]:8080", "Pragma: no-cache", "Cache-Control: no-cache", _VERSION),
        *("Upgrade: websocket", _KEY, "Sec-Fetch-Mode: websocket", "Connection: Upgrade", "Accept: */*"),
        "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.5 Safari/605.1.15",
        *("Sec-WebSocket-Extensions: permessage-deflate", "Accept-Language: en-GB,en;q=0.9"),
        *("Accept-Encoding: gzip, deflate", "Sec-WebSocket-Protocol: chat, superchat"),
    ),
    "Bun": head(
        "GET / HTTP/1.1",
        *("Host: localhost:8080", "Connection: Upgrade", "Upgrade: websocket", _VERSION, _KEY, _DEFLATE),
    ),
    "Go": head(
        "GET / HTTP/1.1",
        *("Host: localhost:8080", "User-Agent: Go-http-client/1.1", "Connection: Upgrade", _KEY, _VERSION),
        "Upgrade: websocket",
    ),
    "Node.js": head(
        "GET / HTTP/1.1",
        *("host: localhost:8080", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"),
        *(
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            "accept: */*",
            "accept-language: *",
            "sec-fetch-mode: websocket",
        ),
        *("user-agent: node", "pragma: no-cache", "cache-control: no-cache", "accept-encoding: gzip, deflate"),
    ),
    "nginx": head(
        "GET / HTTP/1.1",
        *("Upgrade: websocket", "Connection: upgrade", "Host: echo.example", "X-Forwarded-For: 203.0.113.9", _VERSION),
        *("X-Forwarded-Proto: https", _KEY),
    ),
    "the benchmark's client and the tests": HANDSHAKE,
    "a browser that reads a page": head(
        "GET /info HTTP/1.1",
        *("Host: localhost:8080", "Connection: keep-alive", "Upgrade-Insecure-Requests: 1", "Accept: text/html,*/*"),
    ),
}


def check(data: bytes) -> bool:
    """Assert that `RequestReader` reads and the handshake answers alike what the compiled reader accepts.

    Return whether it accepts `data`.
    """
    plain = read(data)
    if plain is None:
        return False
    reader = RequestReader()
    request = reader.feed(data)
    assert type(plain) is type(request) is Request
    assert plain == request
    assert not reader.unread
    assert [plain.values(name.lower()) for name, _ in plain.headers] == [
        request.values(name.lower()) for name, _ in request.headers
    ]
    assert _answer(plain) == _answer(request)
    return True


def test_a_redacted_request_yields_no_credentials_by_their_names() -> None:
    request = read(head("GET /?access_token=secret HTTP/1.1", "Host: a", "Authorization: Bearer secret"))
    assert request is not None
    assert request.values("authorization") == ["Bearer secret"]
    assert redacted(request).values("authorization") == ["[redacted]"]


def _answer(request: Request) -> bytes:
    answer = handshake.answer(request, handshake.FIRST_OFFERED)
    if isinstance(answer, Upgrade):
        return answer.encode()
    return encode_response(answer, head_only=False, keep_alive=request.keep_alive, now=0)


def _first_read(connect: Callable[[str], object]) -> bytes:
    """Return what a client sends first. Then its connection ends, and another one would be refused."""
    with ThreadPoolExecutor(1) as threads:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(PATIENCE)
            threads.submit(connect, f"ws://127.0.0.1:{listening.getsockname()[1]}/a?b=c")
            connection, _ = listening.accept()
        with connection:
            connection.settimeout(PATIENCE)
            return connection.recv(1 << 16)


def _aiohttp(url: str) -> None:
    async def connect() -> None:
        async with aiohttp.ClientSession() as session:
            await session.ws_connect(url, compress=15, headers={"Origin": "http://here"})

    asyncio.run(connect())


def _picows(url: str) -> None:
    asyncio.run(picows.ws_connect(picows.WSListener, url))


def _ws(url: str) -> None:
    program = "import WebSocket from 'ws'; new WebSocket(process.argv[1]).on('error', () => {})"
    command = ["node", "--input-type=module", "-e", program, url]
    subprocess.run(command, cwd=ROOT / "tests/clients", check=True, timeout=PATIENCE)


@pytest.mark.parametrize("client", RECORDED)
def test_the_requests_of_well_known_clients_are_plain(client: str) -> None:
    assert check(RECORDED[client])


@pytest.mark.parametrize("connect", [websockets.sync.client.connect, _aiohttp, _picows], ids=lambda f: f.__name__)
def test_the_handshakes_of_python_clients_are_plain(connect: Callable[[str], object]) -> None:
    data = _first_read(connect)
    assert check(data), data


@pytest.mark.skipif(which("node") is None, reason="needs Node.js")
def test_the_handshake_of_ws_is_plain() -> None:
    data = _first_read(_ws)
    assert check(data), data


def test_nothing_is_plain_to_the_python_codec() -> None:
    assert CODECS["python"].read_plain_request(HANDSHAKE) is None


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("GET", "POST"),
        ("GET", "get"),
        ("GET ", "GET  "),
        ("GET", "\r\nGET"),
        ("/", "*"),
        ("/", "http://here/"),
        ("/", "/#x"),
        ("/", "/\xe9"),
        ("1.1", "1.0"),
        ("1.1", "1.1 "),
        ("HTTP/1.1\r\n", "HTTP/1.1\n"),
        ("Host: here\r\n", ""),
        ("Host: here", "Host: here\r\nHost: here"),
        ("Host: here", "Host: a/b"),
        ("Host:", "Host :"),
        ("Host: here", "Host: here\n"),
        ("Upgrade: ", "Upgrade:"),
        ("Upgrade: ", "Upgrade:\t"),
        ("websocket", " websocket"),
        ("websocket", "websocket "),
        ("websocket", "web\tsocket"),
        ("websocket", "\xe9"),
        ("websocket", ""),
        ("websocket\r\n", "websocket\r\n more\r\n"),
        ("websocket\r\n", "websocket\n"),
        ("websocket\r\n", "websocket\rX"),
        ("Connection: Upgrade", "Connection: close"),
        ("Connection: Upgrade", "Connection: Upgrade, close"),
        ("Connection: Upgrade", "Connection: Upgrade\r\nCONNECTION: CLOSE"),
        ("Host", "Content-Length: 0\r\nHost"),
        ("Host", "CONTENT-LENGTH: 5\r\nHost"),
        ("Host", "Transfer-Encoding: chunked\r\nHost"),
        ("Host", ": x\r\nHost"),
        ("Host", "no colon\r\nHost"),
        ("Sec-WebSocket-Version", "Sec-WebSocket-Version\0"),
        ("13\r\n\r\n", "13\r\n"),
        ("13\r\n\r\n", "13\r\n\n"),
        ("13\r\n\r\n", "13\r\n\r\n\r\n"),
        ("13\r\n\r\n", "13\r\n\r\n\x81\x80abcd"),
    ],
)
def test_everything_unusual_is_left_to_the_general_reader(part: str, other: str) -> None:
    text = HANDSHAKE.decode()
    assert part in text
    assert read(text.replace(part, other, 1).encode("latin-1")) is None


def test_a_head_of_which_a_part_is_missing_is_not_plain() -> None:
    assert not any(read(HANDSHAKE[:end]) for end in range(len(HANDSHAKE)))


def test_the_limits_of_a_plain_request() -> None:
    def with_fields(*fields: str) -> bytes:
        return head("GET / HTTP/1.1", "Host: here", *fields)

    assert check(with_fields(*["X: y"] * (FEWEST_ELEMENTS - 1)))
    assert not check(with_fields(*["X: y"] * FEWEST_ELEMENTS))
    assert check(with_fields("X: y" + "," * (FEWEST_ELEMENTS - 2)))
    assert not check(with_fields("X: y" + "," * (FEWEST_ELEMENTS - 1)))
    room = SMALLEST_SIZE - len(with_fields("X: "))
    assert check(with_fields("X: " + "y" * room))
    assert not check(with_fields("X: " + "y" * (room + 1)))


def test_every_byte_at_every_place_is_read_alike() -> None:
    plain = head("GET /a?b HTTP/1.1", "Host: a:1", "Connection: Upgrade", "X: y z")
    accepted = 0
    for place in range(len(plain)):
        for byte in BYTES:
            accepted += check(plain[:place] + byte + plain[place:])
            accepted += check(plain[:place] + byte + plain[place + 1 :])
    assert accepted > len(plain)


def test_the_table_of_requests_is_read_alike() -> None:
    for data in CASES:
        check(data)
    for template in POSITIONS:
        for byte in BYTES:
            check(template % byte)


@given(built() | st.builds(edit, st.sampled_from(sorted(RECORDED.values())), EDITS))
@settings(derandomize=True, max_examples=1500)
def test_mutated_requests_are_read_alike(data: bytes) -> None:
    check(data)
