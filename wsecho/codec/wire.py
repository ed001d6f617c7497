"""The asyncio protocol of a WebSocket in the Python codec: it passes data between the transport and the echo.

`wsecho/codec/native/wire.pxi` does the same in the compiled codec.
"""

import asyncio
from typing import Protocol

from wsecho.websocket.echo import CLOSED, OPEN, Echo

# Each time so many pieces were written (a power of two), the connection checks the memory of unsent pieces.
MANY_PIECES = 512
# After more frames than this in one read, other connections are served first. This many take about a millisecond, and
# clients that wait for echoes have far fewer frames in flight.
MANY_FRAMES = 1024

# The most bytes of one read, unless the rest of a frame is longer. A larger read can bring ten thousand frames, which
# take the Python codec a tenth of a second.
_READ_SIZE = 8 << 10


class WireEvents(Protocol):
    """The events that a wire reports to its connection, one method for each."""

    def echo_closes(self) -> None:
        """The echo is no longer OPEN: the server has sent a Close frame or can no longer send one."""

    def pong_received(self) -> None:
        """The peer has answered the server's Ping frame."""

    def nothing_to_send(self) -> None:
        """The last read produced no reply."""

    def wait(self) -> None:
        """The last read took too much of one iteration of the event loop: read on after others have been served."""

    def many_pieces_written(self) -> None:
        """The wire has handed another `MANY_PIECES` pieces to the transport."""

    def eof_received(self) -> None:
        """The peer has closed its side. The transport sends what is left and then closes the connection."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is closed. `exc` is the error that ended the connection, or None."""

    def pause_writing(self) -> None:
        """The peer does not read, and the transport's write buffer is above its limit."""

    def resume_writing(self) -> None:
        """The peer has read, and the transport's write buffer is below its lower limit again."""


class Wire(asyncio.BufferedProtocol):
    """The asyncio protocol of one WebSocket: passes each read through the echo, reports all else to `connection`."""

    __slots__ = ("_connection", "_echo", "_memory", "_transport", "pieces", "written")

    def __init__(self, echo: Echo, transport: asyncio.Transport, connection: WireEvents) -> None:
        self._echo = echo
        self._transport = transport
        self._connection = connection
        self._memory = memoryview(echo.buffer.data)
        # Bytes handed to the transport, and the number of pieces that they were in.
        self.written = 0
        self.pieces = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the memory that the transport may read into, at the landing of the shared buffer."""
        landing = self._echo.buffer.landing
        room = min(self._echo.room(), max(self._echo.frame_remaining, _READ_SIZE))
        return self._memory[landing : landing + room]

    def feed(self, data: bytes) -> None:
        """Echo data that was read elsewhere, such as after the handshake request: at most `echo.room()` bytes."""
        self._echo.buffer.place(self._echo.buffer.landing, data)
        self.buffer_updated(len(data))

    def buffer_updated(self, received: int) -> None:
        """Echo the `received` bytes that were just read. After the closing handshake, drop them."""
        echo = self._echo
        if echo.state < CLOSED:
            frames = echo.frames
            echo.receive(received)
            self.send()
            if echo.state != OPEN:
                self._connection.echo_closes()
            if echo.ping_answered:
                self._connection.pong_received()
            if echo.frames - frames > MANY_FRAMES:
                self._connection.wait()
        if echo.stop == echo.start:
            self._connection.nothing_to_send()

    def send(self) -> None:
        """Hand the reply to the transport, which copies what the socket does not take at once."""
        echo = self._echo
        if echo.stop > echo.start:
            # Counted first: a client that has read an echo is already counted, whatever happens to this process.
            echo.counters.sent(echo.stop - echo.start, echo.payload, echo.completed)
            self.written += echo.stop - echo.start
            self.pieces += 1
            self._transport.write(self._memory[echo.start : echo.stop])
            if not self.pieces & (MANY_PIECES - 1):
                self._connection.many_pieces_written()

    def eof_received(self) -> None:
        """Report it to the connection. Returning None lets the transport close."""
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report it to the connection."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Report it to the connection."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Report it to the connection."""
        self._connection.resume_writing()
