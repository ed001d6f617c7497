"""permessage-deflate through the wire: three independent clients read back what they compressed themselves.

Each sends 1,000 messages: empty, of one byte, text with several bytes for a character, incompressible, repetitive, 1
MiB; whole and in fragments; compressed and, where the client can, uncompressed in between.

Modules: `echo_factory`, `websocket_connection`.
"""

import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.conftest import Serve
from tests.shared.compression import Compressor, compressed_frame, compressed_reply
from tests.shared.frames import BINARY, CLOSE, client_frame, server_close
from tests.shared.memory import peak_memory, resident_memory
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer

CLIENTS = ROOT / "tests" / "clients"
COUNT = 1000


def mixed_messages(seed: int) -> Iterator[str | bytes]:
    chance = random.Random(seed)
    for number in range(COUNT):
        match number % 6:
            case 0:
                yield "" if number % 12 else b""
            case 1:
                yield chance.randbytes(1)
            case 2:
                yield "κόσμε 🙂 " * chance.randrange(200)
            case 3:
                yield chance.randbytes(1 << 20 if number % 250 == 249 else chance.randrange(3000))
            case 4:
                yield "the same words again and again, " * chance.randrange(300)
            case _:
                yield json.dumps({"number": number, "values": [chance.random() for _ in range(20)]})


OFFERS = [
    {},
    {"client_max_window_bits": True},
    {"client_max_window_bits": 10},
    {"client_no_context_takeover": True},
    {"server_no_context_takeover": True},
    *({"server_max_window_bits": bits, "client_max_window_bits": True} for bits in (9, 12, 15)),
    {"server_max_window_bits": 11, "client_max_window_bits": 10, "server_no_context_takeover": True},
]


@pytest.mark.parametrize("offer", OFFERS, ids=str)
def test_the_websockets_client_reads_back_what_it_compressed(
    shared_server: RunningServer, offer: dict[str, Any]
) -> None:
    async def converse() -> None:
        factory = ClientPerMessageDeflateFactory(**offer)
        async with websockets.connect(
            shared_server.ws_url, compression=None, extensions=[factory], max_size=None, proxy=None
        ) as client:
            assert client.response is not None
            assert client.response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
            messages = list(mixed_messages(len(offer)))
            sending = asyncio.create_task(send_all(client, messages))
            for message in messages:
                assert await client.recv() == message
            await sending

    asyncio.run(converse())


async def send_all(client: websockets.ClientConnection, messages: list[str | bytes]) -> None:
    for number, message in enumerate(messages):
        third = len(message) // 3
        fragments = [message[:third], message[third : 2 * third], message[2 * third :]]
        await client.send(fragments if number % 4 == 0 else message)  # type: ignore[arg-type]


@pytest.mark.parametrize("window_bits", [9, 12, 15])
def test_the_aiohttp_client_reads_back_what_it_compressed(shared_server: RunningServer, window_bits: int) -> None:
    async def converse() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(shared_server.http_url, compress=window_bits, max_msg_size=0) as client,
        ):
            assert client.compress
            messages = list(mixed_messages(window_bits))

            async def send() -> None:
                for message in messages:
                    await (client.send_str(message) if isinstance(message, str) else client.send_bytes(message))

            sending = asyncio.create_task(send())
            for message in messages:
                assert (await client.receive(timeout=PATIENCE)).data == message
            await sending

    asyncio.run(converse())


@pytest.mark.parametrize(
    "offer",
    [
        {},
        {"clientMaxWindowBits": True},
        {"clientMaxWindowBits": 10},
        {"clientNoContextTakeover": True},
        {"serverNoContextTakeover": True},
        {"serverMaxWindowBits": 9, "clientMaxWindowBits": True},
        {"serverMaxWindowBits": 12, "clientMaxWindowBits": 11, "serverNoContextTakeover": True},
    ],
    ids=str,
)
def test_the_ws_client_of_node_reads_back_what_it_compressed(
    shared_server: RunningServer, offer: dict[str, bool | int]
) -> None:
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "ws").is_dir():
        pytest.skip("node or its package ws is not installed (Debian packages: nodejs, npm; then `make test`)")
    done = subprocess.run(
        [node, str(CLIENTS / "ws_messages.js"), shared_server.ws_url, json.dumps(offer)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"received": COUNT, "code": 1000, "extensions": "permessage-deflate"}


def handshake_offering(offer: str) -> bytes:
    return HANDSHAKE.replace(b"\r\n\r\n", f"\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n".encode("latin-1"))


def answer_to(server: RunningServer, offer: str) -> bytes:
    with RawConnection(server.port) as connection:
        connection.send(handshake_offering(offer))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.receive(1)
        return answer


@pytest.mark.parametrize(
    "offer",
    [
        "client_max_window_bits",
        *(f"client_max_window_bits={bits}" for bits in (8, 10, 14)),
        "server_max_window_bits=9; client_max_window_bits",
        "server_max_window_bits=10; client_max_window_bits=12; server_no_context_takeover",
    ],
)
def test_a_client_that_writes_with_the_negotiated_window_or_else_the_largest_can_read_the_echo(
    shared_server: RunningServer, offer: str
) -> None:
    """Boost.Beast and libwebsockets assume a window of 15 bits if the answer names none, whatever they have offered."""
    text = "".join(f"{number:x} " for number in range(60_000)).encode()
    with RawConnection(shared_server.port) as connection:
        connection.send(handshake_offering(f"permessage-deflate; {offer}"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.receive(1)
        told = re.search(rb"client_max_window_bits=(\d+)", head)
        # With what zlib calls 9 bits, it writes no distance beyond 2**8.
        takeover = b"client_no_context_takeover" not in head
        compress = Compressor(bits=max(9, int(told[1])) if told else 15, context_takeover=takeover)
        for payload in (compress(text), compress(text)):
            connection.send(compressed_frame(BINARY, payload))
            expected = compressed_reply(BINARY, payload)
            assert connection.receive(len(expected)) == expected


def test_compression_can_be_declined_always(serve: Serve) -> None:
    for server in (serve("--no-deflate"), serve(environment={"WSECHO_NO_DEFLATE": "on"})):
        answer = answer_to(server, "permessage-deflate")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"Extensions" not in answer


def test_a_malformed_offer_is_refused_in_words(server: RunningServer) -> None:
    answer = answer_to(server, "permessage-deflate; =")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_offers_in_several_headers_are_one_list(server: RunningServer) -> None:
    answer = answer_to(server, "foo\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover")
    assert b"permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n" in answer


def test_beyond_the_memory_for_inflaters_new_connections_are_not_compressed(serve: Serve) -> None:
    server = serve("--inflater-memory", "40KiB")
    handshake = handshake_offering("permessage-deflate")
    payload = Compressor()(b"first use")
    with RawConnection(server.port) as first:
        first.send(handshake + compressed_frame(BINARY, payload))
        answer = first.receive(1)
        while not answer.endswith(compressed_reply(BINARY, payload)):
            answer += first.receive(1)
        assert b"permessage-deflate" in answer
        assert b"permessage-deflate" not in answer_to(server, "permessage-deflate")
    server.wait_for_metrics(websocket_active_connections=0)
    assert b"permessage-deflate" in answer_to(server, "permessage-deflate")


def test_sizes_are_those_before_compression(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    payload = Compressor()(bytes(5000))
    with RawConnection(server.port) as connection:
        connection.send(handshake_offering("permessage-deflate") + compressed_frame(BINARY, payload))
        seen = server.wait_for_metrics(websocket_messages_sent_total=1)
    assert seen["websocket_message_size_bytes_sum"] == 5000


def test_bombs_leave_memory_flat(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--max-message-size", "1MiB", "--hold-limit", "128KiB")
    bomb = compressed_frame(BINARY, Compressor(level=9)(bytes(64 << 20)))
    before = resident_memory(server.pid)
    for _ in range(20):
        with RawConnection(server.port) as connection:
            connection.send(handshake_offering("permessage-deflate") + bomb + client_frame(BINARY, b"never answered"))
            assert connection.receive_all().endswith(server_close(1009, "message is longer than the limit"))
    assert peak_memory(server.pid) - before < 4 << 20


# A server without garbage collection. When it ends, it fails if objects of these types are still there.
UNCOLLECTED = """
import gc, sys
gc.disable()
from wsecho.cli import main
code = main()
names = {"HttpConnection", "WebSocketConnection", "Wire", "Echo", "Inflater", "SelectorSocketTransport"}
left = [kind.__name__ for kind in map(type, gc.get_objects()) if kind.__name__ in names]
sys.exit(code or (f"left: {left}" if left else 0))
"""


def test_a_connection_leaves_nothing_to_the_garbage_collector(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, command=[sys.executable, "-c", UNCOLLECTED])
    compressed = compressed_frame(BINARY, Compressor()(bytes(5000)))
    for number, (offer, frames) in enumerate(
        [
            (HANDSHAKE, client_frame(BINARY, b"plain")),
            (handshake_offering("permessage-deflate"), b""),
            (handshake_offering("permessage-deflate"), compressed),
            (handshake_offering("permessage-deflate"), compressed + client_frame(CLOSE)),
            (handshake_offering("permessage-deflate"), compressed + client_frame(3)),
        ],
        start=1,
    ):
        with RawConnection(server.port) as connection:
            connection.send(offer + frames)
            assert connection.receive(12) == b"HTTP/1.1 101"
            if not frames.endswith((client_frame(CLOSE), client_frame(3))):
                connection.reset()
            else:
                connection.receive_all()
        server.wait_for_metrics(websocket_connections_total=number, websocket_active_connections=0)
    assert server.stop() == 0, server.errors()
