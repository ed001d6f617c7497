"""One WebSocket of a crowd: small, so that ten thousand of them fit into a process, and suspicious of every byte."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from array import array
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import cast

from tests.shared.frames import BINARY, CLOSE, PING, PONG, TEXT, client_frame
from tests.shared.raw import HANDSHAKE, SWITCHED

# What a message carries: its number on this connection, and when it was due.
_MESSAGE = struct.Struct("!Qd48x")
# Of a masked binary frame of that length whose mask of zeros changes nothing.
_HEADER = bytes((0x80 | BINARY, 0x80 | _MESSAGE.size)) + bytes(4)
_IP_BIND_ADDRESS_NO_PORT = 24  # ip(7): the port is chosen when the destination is known
# Each address has 28,000 ports of its own.
_SOURCES = itertools.cycle([f"127.0.0.{last}" for last in range(11, 31)])


@dataclass
class Books:
    """What a crowd has seen. Latencies are seconds, from when a message was due to its echo."""

    sent: int = 0
    echoed: int = 0
    wrong: int = 0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    # By the code of the server's Close; 1006: an end without one.
    ends: Counter[int] = field(default_factory=Counter)
    unexpected_ends: int = 0
    failed_to_connect: int = 0

    @property
    def lost(self) -> int:
        return self.sent - self.echoed

    def percentile(self, percent: float) -> float:
        """Return the latency that so many percent of the messages stay within."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Client(asyncio.Protocol):
    """Sends numbered messages, and answers pings and Closes."""

    def __init__(self, books: Books, handshake: bytes = HANDSHAKE) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[bool] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self.all_echoed = asyncio.Event()
        self.all_echoed.set()
        self.sent = self.echoed = 0
        self._books = books
        self._handshake = handshake
        self._received = b""
        self._code = 1006

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self.opened.done():
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            accepted = head.startswith(SWITCHED[:12])
            self.opened.set_result(accepted)
            self._received = rest
        while len(self._received) >= 2 and len(self._received) >= 2 + self._received[1]:
            size = 2 + self._received[1]
            frame, self._received = self._received[:size], self._received[size:]
            self._take(frame[0] & 0xF, frame[2:])

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == BINARY:
            number, due = _MESSAGE.unpack(payload)
            self._books.wrong += number != self.echoed
            self.echoed += 1
            self._books.echoed += 1
            self._books.latencies.append(monotonic() - due)
            if self.echoed == self.sent:
                self.all_echoed.set()
        elif opcode == PING:
            self.transport.write(client_frame(PONG, payload))
        elif opcode == CLOSE:
            self._code = int.from_bytes(payload[:2], "big")
            self.transport.write(client_frame(CLOSE, payload[:2]))
        elif opcode != TEXT:
            self._books.wrong += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(False)
        self.ended.set_result(self._code)
        self._books.ends[self._code] += 1

    def send(self, due: float) -> None:
        """Send the next message, which was `due` at that monotonic time."""
        self.transport.write(_HEADER + _MESSAGE.pack(self.sent, due))
        self.sent += 1
        self._books.sent += 1
        self.all_echoed.clear()

    def close(self) -> None:
        """Begin the closing handshake."""
        self.transport.write(client_frame(CLOSE, (1000).to_bytes(2, "big")))


async def connect(port: int, books: Books, handshake: bytes = HANDSHAKE, *, receive_buffer: int = 0) -> Client | None:
    """Return a WebSocket, None if the server did not accept it."""
    peer = socket.socket()
    peer.setblocking(False)
    peer.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        peer.bind((next(_SOURCES), 0))
        loop = asyncio.get_running_loop()
        await loop.sock_connect(peer, ("127.0.0.1", port))
        _, client = await loop.create_connection(lambda: Client(books, handshake), sock=peer)
        if await client.opened:
            return client
    except OSError:
        peer.close()
    books.failed_to_connect += 1
    return None
