"""What a client sends in a scenario, frame by frame, and what happens to each."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from wsecho.scenarios.run.changes import Changes
from wsecho.scenarios.run.cutter import Cutter, Piece
from wsecho.scenarios.run.pongs import Pongs
from wsecho.scenarios.run.reading import Reading
from wsecho.scenarios.run.wire import ScenarioWire
from wsecho.scenarios.steps.peer import Closing, Receiving
from wsecho.websocket.echo import CLOSE, CONTINUATION, PING

# Bytes of messages that wait, and pieces, each of which takes some hundred bytes however short it is. With more of
# either, the server stops reading.
_MOST_HELD = 64 << 10
_MOST_PIECES = 1024
# Pieces that are taken and passed on, both counted, before other connections are served: together about a millisecond.
_PIECES_AT_ONCE = 64


class Trigger(Protocol):
    """Something in what the client sends that a step waits for."""

    def fires(self, piece: Piece) -> bool:
        """Return whether it fires with this piece, which the echo has just received."""


class Incoming:
    """Messages are echoed, discarded or held. Ping and Close frames overtake messages that are held."""

    def __init__(
        self,
        wire: ScenarioWire,
        reading: Reading,
        changes: Changes,
        pongs: Pongs,
        must_wait: Callable[[], bool],
        wait: Callable[[], None],
    ) -> None:
        """`must_wait` tells whether other connections are to be served before more is handled, which `wait` demands.
        Then `proceed` must be called.
        """
        self._wire = wire
        self._reading = reading
        self._changes = changes
        self._pongs = pongs
        self._must_wait = must_wait
        self._wait = wait
        # Since other connections were served.
        self._pieces = 0
        self._cutter = Cutter()
        self.closing = Closing.ANSWER
        # The client's Close frame, if it was kept: nothing behind it is handled.
        self.kept_close: Piece | None = None
        # Whether only the beginning of a Close frame has arrived.
        self._begins_close = False
        # Whether the message in progress is discarded, and whether one is completed although messages are held.
        self.is_discarding = False
        self.completes_message = False
        # Messages that wait, in pieces; what happens to messages from the next one on.
        self._held: deque[Piece] = deque()
        self._held_size = 0
        self._receiving = Receiving.HOLD
        # Whether a step that was waited for goes on before more is handled.
        self._is_yielding = False
        self._trigger: Trigger | None = None
        self._trigger_waiter: asyncio.Future[None] | None = None
        self._ping_waiter: asyncio.Future[bytes] | None = None

    def feed(self, data: bytes) -> None:
        """Handle bytes of the client."""
        if not self.kept_close:
            self._cutter.feed(data)
            self._handle()

    def proceed(self) -> None:
        """Handle what is left from earlier."""
        self.deliver()
        self._handle()

    def receive(self, receiving: Receiving) -> None:
        """Set what happens to messages from the next one on."""
        self._receiving = receiving

    def answer_close(self) -> None:
        """Pass on the client's Close frame that was kept, if there is one, behind the messages that wait."""
        if self.kept_close:
            self._hold(self.kept_close)
            self.deliver()

    @property
    def has_closed(self) -> bool:
        """Whether a Close frame was kept, and no message before it waits."""
        return self.kept_close is not None and not self._held

    @property
    def begins_to_close(self) -> bool:
        """Whether at least the first byte of the client's Close frame has arrived, and no message before it waits."""
        return (self.kept_close is not None or self._begins_close) and not self._held

    def clear(self) -> None:
        """Forget everything: the connection has ended."""
        self._held.clear()
        self._pongs.clear()
        self._cutter = Cutter()

    def _handle(self) -> None:
        while not (self._is_yielding or self.kept_close or self._must_wait()):
            piece = self._cutter.take()
            if not piece:
                self._begins_close = self._cutter.begins(CLOSE)
                break
            self._count()
            if piece.is_control and piece.begins_frame:
                self._handle_control(piece)
            else:
                self._hold(piece)
                self.deliver()
        if self._holds_too_much:
            self._reading.pause("held")
        self._pongs.send_late()
        self._changes.notify()

    def _hold(self, piece: Piece) -> None:
        self._held.append(piece)
        self._held_size += len(piece.data)

    @property
    def _holds_too_much(self) -> bool:
        return self._held_size > _MOST_HELD or len(self._held) > _MOST_PIECES

    def _handle_control(self, piece: Piece) -> None:
        if piece.opcode == CLOSE and self.closing is Closing.KEEP:
            self.kept_close = piece
        elif piece.opcode == PING:
            self._pongs.answer(piece)
            self._yield_to(self._ping_waiter, piece.payload())
        else:
            self._wire.echo(piece.data)

    def deliver(self) -> None:
        """Pass on what is held, as far as it may be."""
        while self._held and self._may_deliver(self._held[0]):
            self._count()
            piece = self._held.popleft()
            self._held_size -= len(piece.data)
            if piece.begins_frame and piece.opcode != CONTINUATION:
                self.is_discarding = self._receiving is Receiving.DISCARD
            if self.is_discarding:
                self._wire.swallow(piece.data)
            else:
                self._wire.echo(piece.data)
            if self._trigger and self._trigger.fires(piece):
                self._trigger = None
                self._receiving = Receiving.HOLD
                self._yield_to(self._trigger_waiter, None)
            if piece.ends_message:
                self.completes_message = False
        if not self._holds_too_much:
            self._reading.resume("held")

    def _count(self) -> None:
        self._pieces += 1
        if self._pieces > _PIECES_AT_ONCE:
            self._pieces = 0
            self._wait()

    def _may_deliver(self, piece: Piece) -> bool:
        if self._is_yielding or self._must_wait():
            return False
        # A frame that the echo has begun is always completed.
        return self._receiving is not Receiving.HOLD or not piece.begins_frame or self.completes_message

    def _yield_to(self, waiter: asyncio.Future[Any] | None, result: object) -> None:
        """Let the step that waits go on before anything else that the client has sent is handled."""
        if waiter and not waiter.done():
            waiter.set_result(result)
            self._is_yielding = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_yielding = False
        self.proceed()

    async def fires(self, trigger: Trigger) -> None:
        """Wait until a trigger has fired. Whatever comes behind is held."""
        self._trigger = trigger
        self._trigger_waiter = asyncio.get_running_loop().create_future()
        try:
            # What is held may be what the trigger waits for.
            self.deliver()
            await self._trigger_waiter
        finally:
            self._trigger = self._trigger_waiter = None

    async def ping_arrives(self) -> bytes:
        """Wait for a Ping frame and return its payload."""
        self._ping_waiter = asyncio.get_running_loop().create_future()
        try:
            return await self._ping_waiter
        finally:
            self._ping_waiter = None
