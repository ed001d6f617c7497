"""The metrics of a running server compared with what its clients count, during traffic and after it, to the last byte.

Modules: `shared_page`, `row`, `connection_counters`, `worker_table`.
"""

import asyncio
import contextlib
import http.client
import os
import random
import signal
import threading
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator

import aiohttp
import pytest
import websockets

from tests.conftest import Serve
from tests.shared.compression import Compressor, compressed_frame, compressed_reply
from tests.shared.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    client_frame,
    encoded_length,
    server_close,
    server_frame,
)
from tests.shared.processes import children, wait_until
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, RunningServer

NOT_TEXT = "text is not valid UTF-8"
UNMASKED = "frame from a client is not masked"
# Bytes of a masked Close frame with a code: header, mask and code.
MASKED_CLOSE = 8
SIZES = (0, 1, 64, 65, 125, 126, 1000, 70_000)
# On a slow machine the server would send some pings, which the clients do not count.
NO_PINGS = ("--ping-interval", "0")


class Counted:
    """Counts what the clients did: for each metric by its name, the value that it must have."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, **counts: int) -> None:
        """Add to metrics by name. Metrics with labels are named as below."""
        with self._lock:
            self._counts.update(counts)

    def echoed(
        self, opcode: str, size: int, *, frames: int = 1, wire_header: int = 0, inflated: int | None = None
    ) -> None:
        """Count an echoed message with `size` payload bytes on the wire."""
        header = wire_header or len(encoded_length(size)) + 1
        self.add(
            **{
                "websocket_messages_received_total": 1,
                "websocket_messages_sent_total": 1,
                "websocket_message_size_bytes_count": 1,
                "websocket_message_size_bytes_sum": size if inflated is None else inflated,
                "websocket_received_bytes_total": size,
                "websocket_sent_bytes_total": size,
                "websocket_wire_received_bytes_total": size + header + 4 * frames,
                "websocket_wire_sent_bytes_total": size + header,
                f'websocket_frames_received_total{{opcode="{opcode}"}}': 1,
            }
        )
        if frames > 1:
            self.add(**{'websocket_frames_received_total{opcode="continuation"}': frames - 1})

    def ended(self, code: int | str, initiator: str, *, wire_received: int, wire_sent: int) -> None:
        """Count a connection that has ended, and the bytes of its last frames."""
        self.add(
            **{
                "websocket_connections_total": 1,
                "websocket_connection_duration_seconds_count": 1,
                f'websocket_closes_total{{code="{code}",initiator="{initiator}"}}': 1,
                'websocket_handshakes_total{outcome="accepted",reason="accepted",status_class="1xx"}': 1,
                "websocket_wire_received_bytes_total": wire_received,
                "websocket_wire_sent_bytes_total": wire_sent,
            }
        )

    def differences(self, seen: dict[str, float]) -> dict[str, tuple[float, int]]:
        """Return the metrics that differ in `seen`, of all metrics that were counted."""
        return {name: (seen[name], count) for name, count in self._counts.items() if seen[name] != count}


async def with_websockets(server: RunningServer, counted: Counted, chance: random.Random) -> None:
    url = f"ws://127.0.0.1:{server.port}/"
    limits = dict.fromkeys(("open_timeout", "close_timeout"), PATIENCE)
    settings = {"compression": None, "max_size": None, "ping_interval": None, **limits}
    async with websockets.connect(url, **settings) as client:
        for _ in range(60):
            size = chance.choice(SIZES)
            message = "x" * size if chance.random() < 0.5 else bytes(size)
            await client.send(message)
            assert await client.recv() == message
            counted.echoed("text" if isinstance(message, str) else "binary", size)
        parts = [b"a" * 10, b"b" * 20, b"c" * 30]
        await client.send(parts)
        assert await client.recv() == b"".join(parts)
        # websockets marks the end of a fragmented message by an empty frame.
        counted.echoed("binary", 60, frames=4, wire_header=8)
    counted.ended(1000, "client", wire_received=MASKED_CLOSE, wire_sent=MASKED_CLOSE - 4)


async def with_aiohttp(server: RunningServer, counted: Counted, chance: random.Random) -> None:
    url = f"http://127.0.0.1:{server.port}/"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as client:
        for _ in range(60):
            size = chance.choice(SIZES)
            await client.send_bytes(bytes(size))
            assert (await client.receive(PATIENCE)).data == bytes(size)
            counted.echoed("binary", size)
    counted.ended(1000, "client", wire_received=MASKED_CLOSE, wire_sent=MASKED_CLOSE - 4)


def in_fragments_with_pings(server: RunningServer, counted: Counted, chance: random.Random) -> None:
    frames = (
        client_frame(TEXT, b"12", fin=False)
        + client_frame(PING, b"between")
        + client_frame(CONTINUATION, b"345", fin=False)
        + client_frame(CONTINUATION, b"")
    )
    with RawConnection(server.port).open() as client:
        client.send(frames)
        client.receive(len(frames) - 4 * 4)
        counted.echoed("text", 5, frames=3, wire_header=6)
        counted.add(
            **{
                'websocket_frames_received_total{opcode="ping"}': 1,
                "websocket_wire_received_bytes_total": 13,
                "websocket_wire_sent_bytes_total": 9,
            }
        )
        client.send(client_frame(CLOSE, (4321).to_bytes(2, "big")))
        client.receive_all()
    counted.add(**{'websocket_frames_received_total{opcode="close"}': 1})
    counted.ended("4xxx", "client", wire_received=MASKED_CLOSE, wire_sent=MASKED_CLOSE - 4)


def compressed(server: RunningServer, counted: Counted, chance: random.Random) -> None:
    compress = Compressor()
    offer = HANDSHAKE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    with RawConnection(server.port) as client:
        client.send(offer)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.receive(1)
        assert b"permessage-deflate" in answer
        for _ in range(30):
            message = b"the same words, " * chance.randrange(1, 500)
            payload = compress(message)
            client.send(compressed_frame(TEXT, payload))
            reply = compressed_reply(TEXT, payload)
            assert client.receive(len(reply)) == reply
            counted.echoed("text", len(payload), inflated=len(message))
            counted.add(websocket_compressed_bytes_total=len(payload), websocket_inflated_bytes_total=len(message))
        client.send(client_frame(CLOSE))
        client.receive_all()
    counted.add(**{'websocket_frames_received_total{opcode="close"}': 1})
    counted.ended(1005, "client", wire_received=6, wire_sent=2)


def cut_off_in_the_middle(server: RunningServer, counted: Counted, chance: random.Random) -> None:
    frame = client_frame(BINARY, bytes(500_000))
    with RawConnection(server.port).open() as client:
        client.send(frame[:100_000])
        client.receive(100_000 - 4)
        client.reset()
    counted.add(websocket_received_bytes_total=100_000 - 14, websocket_sent_bytes_total=100_000 - 14)
    counted.ended(1006, "client", wire_received=100_000, wire_sent=100_000 - 4)


def breaking_a_rule(server: RunningServer, counted: Counted, chance: random.Random) -> None:
    with RawConnection(server.port).open() as client:
        client.send(client_frame(TEXT, b"good") + client_frame(TEXT, b"b\xff"))
        assert client.receive_all() == server_frame(TEXT, b"good") + server_close(1007, NOT_TEXT)
    counted.echoed("text", 4)
    counted.add(**{"websocket_received_bytes_total": 2, 'websocket_protocol_errors_total{reason="invalid_utf8"}': 1})
    counted.ended(1007, "server", wire_received=8, wire_sent=len(server_close(1007, NOT_TEXT)))
    with RawConnection(server.port).open() as client:
        client.send(b"\x81\x01x")
        assert client.receive_all() == server_close(1002, UNMASKED)
    counted.add(**{'websocket_protocol_errors_total{reason="unmasked"}': 1})
    counted.ended(1002, "server", wire_received=3, wire_sent=len(server_close(1002, UNMASKED)))


def refused(server: RunningServer, counted: Counted, chance: random.Random) -> None:
    with RawConnection(server.port) as client:
        client.send(HANDSHAKE.replace(b"Version: 13", b"Version: 12"))
        assert client.receive_all().startswith(b"HTTP/1.1 426 ")
    counted.add(**{'websocket_handshakes_total{outcome="refused",reason="websocket_version",status_class="4xx"}': 1})


BLOCKING = (in_fragments_with_pings, compressed, cut_off_in_the_middle, breaking_a_rule, refused)


async def traffic(server: RunningServer, counted: Counted) -> None:
    """Run all kinds of clients at once, four of each."""
    async with asyncio.TaskGroup() as clients:
        for seed in range(4):
            clients.create_task(with_websockets(server, counted, random.Random(seed)))
            clients.create_task(with_aiohttp(server, counted, random.Random(seed)))
            for client in BLOCKING:
                clients.create_task(asyncio.to_thread(client, server, counted, random.Random(seed)))


def require_consistency(seen: dict[str, float], before: dict[str, float]) -> None:
    """Require that a scrape is consistent, and that no counter is lower than in the scrape before."""
    for name, value in seen.items():
        if name.endswith(("_total", "_count", "_sum", '"}')) and "gauge" not in name and "up{" not in name:
            assert value >= before.get(name, 0), name
    assert seen["websocket_message_size_bytes_count"] == seen["websocket_messages_received_total"]
    assert seen['websocket_message_size_bytes_bucket{le="+Inf"}'] == seen["websocket_message_size_bytes_count"]
    ended = seen["websocket_connection_duration_seconds_count"]
    lost = seen["websocket_lost_connections_total"]
    assert seen["websocket_active_connections"] == seen["websocket_connections_total"] - ended - lost
    assert ended == sum(value for name, value in seen.items() if name.startswith("websocket_closes_total"))
    for unit in ("messages_{}_total", "{}_bytes_total"):
        received, sent = (seen["websocket_" + unit.format(way)] for way in ("received", "sent"))
        assert received >= sent
    # Some dozens of clients have at most this number of messages in flight.
    assert seen["websocket_messages_received_total"] - seen["websocket_messages_sent_total"] <= 100
    assert seen["websocket_wire_sent_bytes_total"] >= seen["websocket_sent_bytes_total"]


@contextlib.contextmanager
def scraping(server: RunningServer, *, broken: int = 0) -> Iterator[Callable[[], list[dict[str, float]]]]:
    """Scrape continuously, and require each scrape to be consistent. `broken` of them may fail with a dying worker.

    The function that is yielded returns the scrapes so far, or raises the error of the scrape that failed.
    """
    scrapes: list[dict[str, float]] = [{}]
    failures: list[BaseException] = []
    enough = threading.Event()

    def scrape() -> None:
        left = broken
        try:
            while not enough.is_set():
                try:
                    seen = server.metrics()
                except (ConnectionError, urllib.error.URLError, http.client.IncompleteRead):
                    if not left:
                        raise
                    left -= 1
                    continue
                require_consistency(seen, scrapes[-1])
                scrapes.append(seen)
        except BaseException as failure:
            failures.append(failure)

    def so_far() -> list[dict[str, float]]:
        if failures:
            raise failures[0]
        return scrapes

    scraper = threading.Thread(target=scrape)
    scraper.start()
    try:
        yield so_far
    finally:
        enough.set()
        scraper.join(PATIENCE)
    so_far()


@pytest.mark.parametrize("codec", ["compiled", "python"])
def test_every_scrape_is_consistent_and_the_last_one_equals_what_the_clients_counted(serve: Serve, codec: str) -> None:
    server = serve("--codec", codec, *NO_PINGS)
    counted = Counted()
    with scraping(server) as so_far:
        # The traffic goes on until there were ten scrapes, however long they take.
        while len(so_far()) <= 10:
            asyncio.run(traffic(server, counted))
            # The Close frames of the clients from libraries.
            counted.add(**{'websocket_frames_received_total{opcode="close"}': 8})
    seen = server.wait_for_metrics(websocket_active_connections=0)
    require_consistency(seen, so_far()[-1])
    assert counted.differences(seen) == {}


def test_counting_continues_when_a_worker_is_killed_and_replaced() -> None:
    server = RunningServer("--workers", "2", *NO_PINGS)
    counted = Counted()
    with contextlib.ExitStack() as stack:
        stack.callback(server.close)
        stack.enter_context(scraping(server, broken=1))
        asyncio.run(traffic(server, counted))
        server.wait_for_metrics(websocket_active_connections=0)
        held = [stack.enter_context(RawConnection(server.port).open()) for _ in range(30)]
        counted.add(websocket_connections_total=len(held))
        victim = children(server.pid)[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in children(server.pid))
        lost = server.wait_for_metrics(wsecho_worker_restarts_total=1)["websocket_lost_connections_total"]
        assert 0 < lost < len(held)
        asyncio.run(traffic(server, counted))
        for connection in held:
            connection.socket.close()
        seen = server.wait_for_metrics(websocket_active_connections=0)
        counted.add(
            **{
                'websocket_frames_received_total{opcode="close"}': 16,
                'websocket_handshakes_total{outcome="accepted",reason="accepted",status_class="1xx"}': len(held),
                "websocket_connection_duration_seconds_count": len(held) - int(lost),
                'websocket_closes_total{code="1006",initiator="client"}': len(held) - int(lost),
            }
        )
        assert counted.differences(seen) == {}
