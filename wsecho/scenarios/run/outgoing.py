"""What the steps of a scenario send, between the frames or messages of the echo."""

import asyncio
from collections.abc import Callable, Iterator

from wsecho.connections.fair_queues import EchoQueue
from wsecho.scenarios.run.changes import Changes
from wsecho.scenarios.run.incoming import Incoming
from wsecho.scenarios.run.reading import Reading
from wsecho.scenarios.run.scenario import Scenario
from wsecho.scenarios.run.shaping.frames import framed, header
from wsecho.scenarios.run.wire import ScenarioWire
from wsecho.websocket.echo import CONTINUATION, CONTROL_BIT, FIN, OPEN, Echo

# Bytes that a step sends in one iteration of the event loop, and what a frame counts beside its bytes: together a
# millisecond or two.
_MOST_AT_ONCE = 256 << 10
_FRAME_COST = 2 << 10


class Outgoing:
    """Sends frames and raw bytes, as soon as the client has read enough of what was sent before."""

    def __init__(
        self,
        scenario: Scenario,
        echo: Echo,
        wire: ScenarioWire,
        incoming: Incoming,
        reading: Reading,
        changes: Changes,
        is_paused: Callable[[], bool],
        queue: EchoQueue,
    ) -> None:
        """`is_paused` tells whether the client has yet to read. In the `queue`, steps of many connections wait."""
        self._scenario = scenario
        self._echo = echo
        self._wire = wire
        self._incoming = incoming
        self._reading = reading
        self._changes = changes
        self._is_paused = is_paused
        self._queue = queue
        # Messages that the steps have sent, and the bytes since other connections were served.
        self.messages = 0
        self._sent_at_once = 0
        # Whether only a part of a frame was sent, so that nothing but the rest of it may be sent.
        self.is_in_frame = False

    async def send(self, opcode: int, payload: bytes, *, final: bool, reserved: int) -> None:
        """Send one frame, and count it."""
        is_data = not opcode & CONTROL_BIT
        await self.turn(between_messages=is_data)
        frame = framed((FIN if final else 0) | reserved << 4 | opcode, payload)
        self.messages += is_data and final
        self._wire.send_frames(frame)
        self._sent_at_once += len(frame) + _FRAME_COST
        if self._sent_at_once > _MOST_AT_ONCE:
            # What was collected stays so.
            await self.others_served()

    async def send_long(self, opcode: int, size: int, pieces: Iterator[bytes], *, at_once: bool) -> None:
        """Send one frame that is a message, and count it. Of a long one, each piece waits for the client to read, or
        all of it leaves `at_once`, with what is collected.
        """
        if size <= _MOST_AT_ONCE:
            await self.send(opcode, b"".join(pieces), final=True, reserved=0)
            return
        await self.turn(between_messages=True)
        self.messages += 1
        self._wire.send_frames(header(FIN | opcode, size))
        self.is_in_frame = True
        # What the client sends is not handled meanwhile: it may need an answer.
        self._reading.pause("frame")
        for piece in pieces:
            self._wire.send_frames(piece)
            if not at_once:
                self._wire.release()
            await self.others_served()
            await self._changes.until(lambda: at_once or self._has_room())
        self.is_in_frame = False
        self._reading.resume("frame")
        self._incoming.proceed()

    async def others_served(self) -> None:
        """Wait until other connections have been served. However many wait so, each iteration lets one go on."""
        self._sent_at_once = 0
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.wait(lambda: None if waiter.done() else waiter.set_result(None))
        await waiter

    async def write(self, data: bytes) -> None:
        """Send raw bytes, which count as bytes on the wire only."""
        await self.turn(between_messages=True)
        self._wire.write(data)

    async def turn(self, *, between_messages: bool) -> None:
        """Wait until the client has read, and until the echo is at the end of a frame, or of a message."""
        if self._scenario.is_stopped:
            # The connection has been closed by what this step has let the echo receive.
            raise asyncio.CancelledError

        def is_free() -> bool:
            is_between = not self._echo.frame_remaining and not (
                between_messages and not self._incoming.is_discarding and self._is_in_message()
            )
            return is_between and self._has_room()

        if not is_free():
            self._wire.release()
            self._incoming.completes_message = self._is_in_message()
            self._incoming.deliver()
            await self._changes.until(is_free)
            self._incoming.completes_message = False

    def _has_room(self) -> bool:
        return not self._is_paused() and self._wire.shaper.has_room

    def _is_in_message(self) -> bool:
        return self._echo.state == OPEN and self._echo.message_opcode != CONTINUATION

    async def shaped(self) -> None:
        """Wait until everything was handed to the transport."""
        self._wire.release()
        await self._changes.until(lambda: not self._wire.shaper.unsent)
