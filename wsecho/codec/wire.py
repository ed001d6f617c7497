"""The plain glue between a transport and an echo. `wsecho/codec/native/wire.pyx` is the compiled twin."""

import asyncio
from typing import Protocol

from wsecho.websocket.echo import CLOSED, OPEN, Echo

# After so many pieces, a power of two, the connection is asked what they cost, if they wait.
MANY_PIECES = 512
# Frames in one read after which others have their turn: a millisecond of work, and far more than those who wait for
# echoes have under way.
MANY_FRAMES = 1024

# Bytes that are read at once, unless they are the rest of one frame: more can be ten thousand frames, which take this
# codec a tenth of a second.
_ROOM = 8 << 10


class Connection(Protocol):
    """What a wire tells its connection."""

    def echo_closes(self) -> None:
        """The echo has left its open state: a Close was sent, or can no longer be."""

    def pong_received(self) -> None:
        """Our ping was answered."""

    def nothing_to_send(self) -> None:
        """What was read needs no answer."""

    def wait(self) -> None:
        """What was read took too much of one turn of the loop: read on when others have had theirs."""

    def many_pieces_written(self) -> None:
        """Another `MANY_PIECES` were handed to the transport."""

    def eof_received(self) -> None:
        """The peer closed its side; the transport sends what is left and closes ours."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, however it did."""

    def pause_writing(self) -> None:
        """The peer does not read."""

    def resume_writing(self) -> None:
        """The peer has caught up."""


class Wire(asyncio.BufferedProtocol):
    """The protocol object of one WebSocket: reads go through the echo and out again, all else goes to `connection`."""

    __slots__ = ("_connection", "_echo", "_memory", "_transport", "pieces", "written")

    def __init__(self, echo: Echo, transport: asyncio.Transport, connection: Connection) -> None:
        self._echo = echo
        self._transport = transport
        self._connection = connection
        self._memory = memoryview(echo.buffer.data)
        # Bytes handed to the transport, and in how many pieces.
        self.written = 0
        self.pieces = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the transport may read to: the landing of the shared buffer."""
        landing = self._echo.buffer.landing
        room = min(self._echo.room(), max(self._echo.rest, _ROOM))
        return self._memory[landing : landing + room]

    def take(self, data: bytes) -> None:
        """Echo what came in by another way than this, such as behind the handshake: `echo.room()` bytes at most."""
        self._echo.buffer.place(self._echo.buffer.landing, data)
        self.buffer_updated(len(data))

    def buffer_updated(self, received: int) -> None:
        """Echo what was just read; after the closing handshake it is read only to be dropped."""
        echo = self._echo
        if echo.state < CLOSED:
            frames = echo.frames
            echo.receive(received)
            self.send()
            if echo.state != OPEN:
                self._connection.echo_closes()
            if echo.ponged:
                self._connection.pong_received()
            if echo.frames - frames > MANY_FRAMES:
                self._connection.wait()
        if echo.stop == echo.start:
            self._connection.nothing_to_send()

    def send(self) -> None:
        """Hand the echo's reply to the transport, which copies what the socket does not take at once."""
        echo = self._echo
        if echo.stop > echo.start:
            # Counted first, so that whoever has read an echo is in the books, whatever happens to this process.
            echo.counters.sent(echo.stop - echo.start, echo.payload, echo.completed)
            self.written += echo.stop - echo.start
            self.pieces += 1
            self._transport.write(self._memory[echo.start : echo.stop])
            if not self.pieces & (MANY_PIECES - 1):
                self._connection.many_pieces_written()

    def eof_received(self) -> None:
        """Let the connection know; returning None lets the transport close."""
        self._connection.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the connection know."""
        self._connection.connection_lost(exc)

    def pause_writing(self) -> None:
        """Let the connection know."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Let the connection know."""
        self._connection.resume_writing()
