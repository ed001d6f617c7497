"""The asyncio protocol of a scenario: it passes data between the transport and the echo of the codec, in steps.

It stands in the place of the codec's wire, for both codecs.
"""

import asyncio
from typing import Protocol

from wsecho.codec.wire import MANY_PIECES, Wire, WireEvents
from wsecho.websocket.echo import CLOSED, OPEN, SIZE_IN_2_BYTES, SIZE_IN_8_BYTES, Echo
from wsecho.websocket.message_counters import MessageCounters
from wsecho.websocket.receive_buffer import ReceiveBuffer


class ScenarioEvents(WireEvents, Protocol):
    """The events that the wire of a scenario reports to its connection."""

    def received(self, data: bytes) -> None:
        """The client has sent these bytes."""


class ScenarioWire(Wire):
    """Reads into memory of its own, and calls the echo only when the connection asks for it.

    The methods of an asyncio protocol and `written`, `pieces` are those of `Wire`.
    """

    __slots__ = ("_buffer", "_collected", "_counters", "_events")

    def __init__(
        self,
        echo: Echo,
        buffer: ReceiveBuffer,
        counters: MessageCounters,
        transport: asyncio.Transport,
        connection: ScenarioEvents,
        memory: memoryview,
    ) -> None:
        """`buffer` and `counters` are those of `echo`. `memory` is what is read into; all connections may share it."""
        self._echo = echo
        self._buffer = buffer
        self._counters = counters
        self._transport = transport
        self._connection = self._events = connection
        self._memory = memory
        self._collected: list[bytes] | None = None
        self.written = 0
        self.pieces = 0

    def is_buffered_protocol(self) -> bool:
        """Return True. Without this method, aiofastnet raises and catches an exception for each connection."""
        return True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the memory that the transport reads into."""
        return self._memory

    def buffer_updated(self, received: int) -> None:
        """Report what was read."""
        self._events.received(bytes(self._memory[:received]))

    def feed(self, data: bytes) -> None:
        """Report data that was read elsewhere, such as after the handshake request."""
        self._events.received(data)

    def echo(self, data: bytes) -> None:
        """Let the echo answer bytes of one frame, and send its reply."""
        self._let_echo_receive(data, is_sent=True)

    def swallow(self, data: bytes) -> None:
        """Let the echo check and count bytes of one frame. Its reply is dropped, except for a Close frame."""
        self._let_echo_receive(data, is_sent=False)

    def _let_echo_receive(self, data: bytes, *, is_sent: bool) -> None:
        echo = self._echo
        while data and echo.state < CLOSED:
            room = echo.room()
            piece, data = data[:room], data[room:]
            self._buffer.place(self._buffer.landing, piece)
            echo.receive(len(piece))
            if is_sent or echo.state != OPEN:
                self.send()
            if echo.state != OPEN:
                self._connection.echo_closes()
            if echo.ping_answered:
                self._connection.pong_received()
        self._connection.nothing_to_send()

    def send(self) -> None:
        """Send the reply of the echo."""
        echo = self._echo
        if echo.stop > echo.start:
            reply = self._buffer.take(echo.start, echo.stop)
            self.write(reply, echo.payload, echo.completed)

    def write(self, data: bytes, payload: int = 0, messages: int = 0) -> None:
        """Send bytes and count them. `payload` of them are payload of data frames, and complete so many `messages`."""
        # Counted first: a client that has read them is already counted, whatever happens to this process.
        self._counters.sent(len(data), payload, messages)
        self.pass_on(data)

    def pass_on(self, data: bytes) -> None:
        """Hand bytes to the transport, or collect them."""
        if self._collected is not None:
            self._collected.append(data)
            return
        self.written += len(data)
        self.pieces += 1
        self._transport.write(data)
        if not self.pieces & (MANY_PIECES - 1):
            self._connection.many_pieces_written()

    def collect(self) -> None:
        """Collect what is sent until `release`."""
        if self._collected is None:
            self._collected = []

    def release(self) -> None:
        """Send what was collected with one write."""
        collected, self._collected = self._collected, None
        if collected:
            self.pass_on(b"".join(collected))


def framed(first: int, payload: bytes) -> bytes:
    """Return a frame as a server writes it (RFC 6455 section 5.2). `first` is its first byte."""
    size = len(payload)
    if size < SIZE_IN_2_BYTES:
        return bytes((first, size)) + payload
    if size <= 0xFFFF:
        return bytes((first, SIZE_IN_2_BYTES)) + size.to_bytes(2, "big") + payload
    return bytes((first, SIZE_IN_8_BYTES)) + size.to_bytes(8, "big") + payload
