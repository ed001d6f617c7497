"""The WebSocket of a scenario. It is what the steps see as `wsecho.scenarios.steps.peer.Peer`."""

import asyncio
from collections.abc import Callable, Iterator
from time import monotonic

from wsecho.connections.transports import half_close
from wsecho.scenarios.language.arguments import FOREVER, Amount
from wsecho.scenarios.run.endings import acknowledged, cut, reset, vanish
from wsecho.scenarios.run.incoming import Trigger
from wsecho.scenarios.run.triggers import Bytes, Messages, TextMessage
from wsecho.scenarios.run.websocket import ScenarioWebSocket
from wsecho.scenarios.steps.peer import Closing, Receiving
from wsecho.websocket.echo import CLOSE, FIN, NO_STATUS, OPEN

# Seconds that a client has to read before a reset, which can destroy what it has not read.
_TIME_TO_READ = 0.1


class ScenarioConnection(ScenarioWebSocket):
    """A WebSocket that does what the steps of a scenario say."""

    __slots__ = ()

    # Time and events.

    async def sleep(self, seconds: float) -> None:
        """Wait. `inf` waits until the client leaves, at most for the longest time that a plan may take."""
        self._scenario_wire.release()
        if seconds == FOREVER:
            await self.ended()
        elif seconds:
            await asyncio.sleep(seconds)
        else:
            await self._outgoing.others_served()

    async def ended(self) -> None:
        """Wait for the end of the connection, at most for the longest time that a plan may take."""
        self._scenario_wire.release()
        longest = self._scenario.limits.seconds
        age_limit = self._time_to_age_limit()
        await asyncio.sleep(min(longest, age_limit))
        if age_limit < longest:
            self._count_timeout("lifetime")
        self.abort()
        await asyncio.Event().wait()

    def _time_to_age_limit(self) -> float:
        """Return the seconds until a connection that a step keeps open behind its Close frame is too old.

        Others have timers for that, or a deadline that comes first: for them, this is `inf`.
        """
        lifetime = self._context.config.max_lifetime
        if not (lifetime and self._sent_code) or self._context.connections.is_watched(self):
            return FOREVER
        return max(self._opened_at + lifetime - monotonic(), 0.0)

    async def happens(self, amount: Amount) -> None:
        """Wait until so many messages or bytes have arrived, or so much time has passed, since this call."""
        if amount.unit == "seconds":
            await self.sleep(amount.value)
        else:
            kind = Messages if amount.unit == "messages" else Bytes
            await self._fires(kind(self._echo, int(amount.value)))

    async def text_arrives(self, text: bytes) -> None:
        """Wait until the client has sent a text message with this payload. Whatever comes behind is held."""
        await self._fires(TextMessage(text))

    async def _fires(self, trigger: Trigger) -> None:
        self._scenario_wire.release()
        await self._incoming.fires(trigger)

    async def ping_arrives(self) -> bytes:
        """Wait for a Ping frame and return its payload."""
        self._scenario_wire.release()
        return await self._incoming.ping_arrives()

    async def falls_silent(self, seconds: float) -> None:
        """Wait until the client has sent nothing for so long. The server sends no ping from here on."""
        self._scenario_wire.release()
        self._stop_pings()
        since = monotonic()
        while (rest := max(since, self._received_at) + seconds - monotonic()) > 0:
            await asyncio.sleep(rest)

    async def client_begins_close(self) -> None:
        """Wait for the first byte of a Close frame of the client, which is kept."""
        self.closing = Closing.KEEP
        self._scenario_wire.release()
        await self._changes.until(lambda: self._incoming.begins_to_close)

    async def client_closes(self) -> bytes:
        """Wait for a Close frame of the client, or take one that was kept, and return its payload."""
        self.closing = Closing.KEEP
        self._scenario_wire.release()
        await self._changes.until(lambda: self._incoming.has_closed)
        return self.client_close or b""

    # What the server sends.

    async def send(self, opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0) -> None:
        """Send one frame, and count it."""
        await self._outgoing.send(opcode, payload, final=final, reserved=reserved)

    async def send_long(self, opcode: int, size: int, pieces: Iterator[bytes], *, at_once: bool = False) -> None:
        """Send one frame that is a message, in pieces, and count it. Nothing else is sent or read meanwhile."""
        await self._outgoing.send_long(opcode, size, pieces, at_once=at_once)
        if self._late_close:
            self._closing = False
            self._close(*self._late_close)
            raise asyncio.CancelledError

    async def write(self, data: bytes) -> None:
        """Send raw bytes, which count as bytes on the wire only."""
        # They may be a part of a frame, which a ping must not get into.
        self._stop_pings()
        await self._outgoing.write(data)

    @property
    def messages_sent(self) -> int:
        """The messages that the steps have sent so far."""
        return self._outgoing.messages

    def collect(self) -> None:
        """Collect what is sent from here on, and send it with one write at the next wait, or at the end."""
        self._scenario_wire.collect()

    async def sent(self) -> None:
        """Wait until the transport has handed everything to the kernel."""
        self._scenario_wire.release()
        await self._outgoing.shaped()
        await self._changes.until(lambda: not self.unsent())

    # The end.

    async def close(self, code: int, reason: bytes = b"") -> None:
        """Send a Close frame, wait for the client's, and end TCP with FIN. A Close frame that was kept is answered.

        A `code` of 0 is none.
        """
        await self.send_close(code.to_bytes(2, "big") + reason if code else b"")
        await self.closed()

    async def closed(self) -> None:
        """After `send_close`: wait for the client's Close frame, and end TCP with FIN. A Close that was kept counts."""
        self.closing = Closing.ANSWER
        self._closing = True
        self._scenario_wire.release()
        self._watch(self._context.config.close_timeout)
        self._incoming.answer_close()
        await self.ended()

    async def send_close(self, payload: bytes, *, frame: bytes = b"") -> None:
        """Send a Close frame with any payload, or `frame` in its place, and nothing else.

        It counts as the close code of the connection.
        """
        await self._outgoing.turn(between_messages=False)
        if self._echo.state == OPEN:
            # From here on, the echo answers nothing and waits for the client's Close frame. Its own is not sent.
            self._echo.close(1000, b"")
        if not self._sent_code:
            self._sent_code = int.from_bytes(payload[:2], "big") or NO_STATUS
            self._closes_first = self.client_close is None
        self._scenario_wire.write(frame or bytes((FIN | CLOSE, len(payload))) + payload)
        # The echo drops messages from here on, but it must receive them to find the Close frame behind them.
        self.receive(Receiving.ECHO)

    async def end(self) -> None:
        """End TCP with FIN and without a Close frame, after what was sent. On TLS this sends close_notify."""
        await self._outgoing.turn(between_messages=False)
        await self._outgoing.shaped()
        await self._end_with(half_close)

    async def cut(self) -> None:
        """End TCP with FIN, after what was sent. On TLS this sends no close_notify."""
        await self._outgoing.turn(between_messages=False)
        await self.sent()
        await self._end_with(cut)

    async def _end_with(self, end: Callable[[asyncio.Transport], None]) -> None:
        """End the server's side, and drop what the client sends until it has ended its own."""
        self._aborted = self._closing = self._drops = True
        self._reading.resume("held")
        self._scenario.observation.server_ended("fin")
        end(self._transport)
        self._watch(self._context.config.close_timeout)
        await self.ended()

    async def reset(self, *, at_once: bool = False) -> None:
        """End TCP with RST, after what was sent and has been taken by the kernel."""
        await self.sent()
        if not at_once:
            await acknowledged(self._transport, self._context.config.close_timeout)
            await asyncio.sleep(_TIME_TO_READ)
        self._aborted = True
        reset(self._transport)
        await self.ended()

    async def vanish(self) -> None:
        """End the connection without a packet. Where the system does not allow it, stop reading and sending instead."""
        await self.sent()
        await acknowledged(self._transport, self._context.config.close_timeout)
        self._aborted = True
        try:
            vanish(self._transport)
        except OSError:
            self._aborted = False
            self.pause_reading()
        await self.ended()
