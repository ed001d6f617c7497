"""The asyncio protocol of a scenario: it passes data between the transport and the echo of the codec, in steps.

It stands in the place of the codec's wire, for both codecs.
"""

import asyncio
from typing import Protocol

from wsecho.codec.wire import MANY_PIECES, Wire, WireEvents
from wsecho.scenarios.language.budget import LONGEST_WRITE
from wsecho.scenarios.language.word import Options
from wsecho.scenarios.run.shaping.draws import Draws
from wsecho.scenarios.run.shaping.frames import Frames
from wsecho.scenarios.run.shaping.shaper import Shaper
from wsecho.websocket.echo import CLOSED, OPEN, Echo
from wsecho.websocket.message_counters import MessageCounters
from wsecho.websocket.receive_buffer import ReceiveBuffer


class ScenarioEvents(WireEvents, Protocol):
    """The events that the wire of a scenario reports to its connection."""

    def received(self, data: bytes) -> None:
        """The client has sent these bytes."""

    def may_hand_over(self) -> bool:
        """Return whether the transport takes more bytes."""

    def shaped(self) -> None:
        """Some of the bytes that waited, or the last ones, have been handed to the transport."""


class ScenarioWire(Wire):
    """Reads into memory of its own, and calls the echo only when the connection asks for it.

    The methods of an asyncio protocol and `written`, `pieces` are those of `Wire`.
    """

    __slots__ = ("_buffer", "_collected", "_counters", "_events", "_frames", "shaper")

    def __init__(
        self,
        echo: Echo,
        buffer: ReceiveBuffer,
        counters: MessageCounters,
        transport: asyncio.Transport,
        connection: ScenarioEvents,
        memory: memoryview,
        options: Options,
        draws: Draws,
    ) -> None:
        """`buffer` and `counters` are those of `echo`. `memory` is what is read into; all connections may share it."""
        self._echo = echo
        self._buffer = buffer
        self._counters = counters
        self._transport = transport
        self._connection = self._events = connection
        self._memory = memory
        self._collected: bytearray | None = None
        percentage = options["drop"] or 0
        self._frames = Frames(options["fragment"], lambda number: draws.draw("drop", number) * 100 < percentage)
        self.shaper = Shaper(options, draws.draw, self)
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
            self.send_frames(self._buffer.take(echo.start, echo.stop))

    def send_frames(self, data: bytes) -> None:
        """Send frames, in whatever pieces they come, as the options say: in fragments, or not at all."""
        frames = self._frames
        if data := frames.feed(data):
            self.write(data, frames.payload, frames.completed)

    def write(self, data: bytes, payload: int = 0, messages: int = 0) -> None:
        """Send bytes and count them. `payload` of them are payload of data frames, and complete so many `messages`."""
        # Counted first: a client that has read them is already counted, whatever happens to this process.
        self._counters.sent(len(data), payload, messages)
        self.pass_on(data)

    def pass_on(self, data: bytes | bytearray) -> None:
        """Send bytes as the options say: at once, later or in chunks. Or collect them."""
        if self._collected is not None:
            self._put_aside(data)
        else:
            self.shaper.put(data, self._frames.number)

    def hand_over(self, data: bytes | bytearray) -> None:
        """Hand bytes to the transport."""
        self.written += len(data)
        self.pieces += 1
        self._transport.write(data)
        if not self.pieces & (MANY_PIECES - 1):
            self._connection.many_pieces_written()

    def open(self, answer: bytes) -> None:
        """Send the 101 response, which is not shaped."""
        if self._collected is not None:
            self._put_aside(answer)
        else:
            self.hand_over(answer)

    def may_hand_over(self) -> bool:
        """Return whether the transport takes more bytes."""
        return self._events.may_hand_over()

    def shaped(self) -> None:
        """Report that bytes have been handed over."""
        self._events.shaped()

    def collect(self) -> None:
        """Collect what is sent until `release`."""
        if self._collected is None:
            self._collected = bytearray()

    def _put_aside(self, data: bytes | bytearray) -> None:
        if self._collected and len(self._collected) + len(data) > LONGEST_WRITE:
            self.release()
            self.collect()
        assert self._collected is not None
        self._collected += data

    def release(self) -> None:
        """Send what was collected with one write."""
        collected, self._collected = self._collected, None
        if collected:
            self.pass_on(collected)
