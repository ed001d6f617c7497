"""The WebSocket of a scenario below its steps: what it reads and writes, its limits, and its end."""

import asyncio
from time import monotonic

import structlog

from wsecho.connections.transports import abort_if_reset, half_close
from wsecho.connections.websocket_connection import WebSocketConnection, WebSocketContext
from wsecho.scenarios.run.changes import Changes
from wsecho.scenarios.run.incoming import Incoming
from wsecho.scenarios.run.outgoing import Outgoing
from wsecho.scenarios.run.pongs import Pongs
from wsecho.scenarios.run.reading import Reading
from wsecho.scenarios.run.scenario import Scenario
from wsecho.scenarios.run.wire import ScenarioWire
from wsecho.scenarios.seen.transport import observed, report_end
from wsecho.scenarios.steps.peer import Closing, Receiving
from wsecho.telemetry.spans import Span
from wsecho.websocket.deflate import Agreement
from wsecho.websocket.echo import CLOSED, NO_STATUS


class ScenarioWebSocket(WebSocketConnection):
    """A WebSocket whose echo and steps share one wire. All limits of other WebSockets hold for it."""

    __slots__ = (
        *(
            "_changes",
            "_closes_first",
            "_drops",
            "_incoming",
            "_late_close",
            "_outgoing",
            "_pongs",
            "_reading",
            "_received_at",
            "_scenario",
        ),
        *("_scenario_wire", "_sent_code", "_shaper"),
        *("attempt", "options", "random", "request", "ticks"),
    )

    def __init__(
        self,
        context: WebSocketContext,
        transport: asyncio.Transport,
        agreement: Agreement | None,
        log: structlog.typing.FilteringBoundLogger,
        span: Span,
        client_key: str,
        scenario: Scenario,
        memory: memoryview,
    ) -> None:
        """`memory` is what is read into; all scenarios of a worker share it."""
        super().__init__(context, transport, agreement, log, span, client_key)
        # The wire of the codec, which takes only transports, is not used.
        self._transport = transport = observed(transport, scenario.observation)
        buffer, counters = context.echoes.receive_buffer, context.echoes.counters
        self._wire = self._scenario_wire = ScenarioWire(
            *(self._echo, buffer, counters, transport, self, memory, scenario.plan.options, scenario.draws)
        )
        self._shaper = self._scenario_wire.shaper
        self._scenario = scenario
        self.request = scenario.request
        self.options = scenario.plan.options
        self.random = scenario.random
        self.attempt = scenario.attempt
        self.ticks = scenario.ticks
        self._changes = Changes()
        self._reading = Reading(transport, lambda: not super(ScenarioWebSocket, self)._is_blocked())
        self._pongs = Pongs(
            *(self.options["pong"], self._echo, self._scenario_wire), must_wait=lambda: self._outgoing.is_in_frame
        )
        self._incoming = Incoming(
            self._scenario_wire, self._reading, self._changes, self._pongs, self._must_wait, self.wait
        )
        self._outgoing = Outgoing(
            *(scenario, self._echo, self._scenario_wire, self._incoming, self._reading, self._changes),
            is_paused=lambda: self._paused_at is not None,
            queue=context.echo_queue,
        )
        self._received_at = self._opened_at
        # Whether the server has ended its side, so that everything that arrives is dropped; the code of the Close frame
        # that a step has sent, 0 if there was none; and whether it was sent before the client's.
        self._drops = False
        self._sent_code = 0
        self._closes_first = False
        # The code and reason of a Close frame that waits for the end of a frame of a step.
        self._late_close: tuple[int, bytes] | None = None
        # The answer to a ping that leaves late comes too late.
        if self.options["pings"] == "off" or self._shaper.is_active:
            self._stop_pings()

    def open(self, answer: bytes) -> None:
        """Take over the transport. Write `answer`, the 101 response or the rest of it."""
        self._transport.set_protocol(self._wire)
        self._reading.pause("opening")
        # Before the answer, so that a client that has read the 101 response is already counted.
        self._context.counters.connection_opened()
        self._context.connections.add(self)
        self._scenario_wire.open(answer)
        self._schedule_check(self._opened_at)

    def begin_reading(self, early: bytes) -> None:
        """Handle what the client has sent before it had the answer, and read on."""
        self.received(early)
        self._reading.resume("opening")

    # What the client sends.

    def received(self, data: bytes) -> None:
        """Handle bytes of the client, one frame after the other."""
        self._received_at = monotonic()
        self._scenario.observation.received(data)
        abort_if_reset(self._transport)
        if not self._drops:
            self._incoming.feed(data)

    @property
    def closing(self) -> Closing:
        """What happens to a Close frame of the client."""
        return self._incoming.closing

    @closing.setter
    def closing(self, closing: Closing) -> None:
        self._incoming.closing = closing

    def receive(self, receiving: Receiving) -> None:
        """Set what happens to messages from the next one on. A message that is being echoed is first completed."""
        self._incoming.receive(receiving)
        self._incoming.deliver()

    def pause_reading(self) -> None:
        """Stop reading from the socket, so that no ping is answered either, and send no ping."""
        self._reading.pause("step")
        self._pongs.clear()

    def resume_reading(self) -> None:
        """Read again."""
        self._reading.resume("step")

    @property
    def client_close(self) -> bytes | None:
        """The payload of the client's Close frame, if it was kept."""
        kept = self._incoming.kept_close
        return kept.payload() if kept else None

    # The connection itself.

    def finish(self) -> None:
        """The last step is done: echo, and answer a Close frame that was kept."""
        self._scenario_wire.release()
        self.closing = Closing.ANSWER
        self.resume_reading()
        self.receive(Receiving.ECHO)
        self._incoming.answer_close()

    def hold(self) -> None:
        """A step is done: hold messages until the next one says otherwise."""
        self._incoming.receive(Receiving.HOLD)

    def echo_closes(self) -> None:
        """The echo has left its open state. When the closing handshake is complete, no further step is performed."""
        self._scenario_wire.release()
        super().echo_closes()
        if self._echo.state == CLOSED:
            self._scenario.stop()

    def _close(self, code: int, reason: bytes) -> None:
        """Close the connection for a reason of the server's own, which ends the scenario."""
        if self._outgoing.is_in_frame:
            # No Close frame can be sent inside another frame: it follows this one.
            self._late_close = (code, reason)
            self._closing = True
            self._watch(self._context.config.close_timeout, is_fixed=True)
            return
        self._scenario.stop()
        self.finish()
        if self._is_open():
            super()._close(code, reason)

    def _must_wait(self) -> bool:
        """Return whether nothing that the client has sent may be handled for now."""
        return self._is_queued or self._outgoing.is_in_frame

    def _stop_pings(self) -> None:
        self._keepalive.stop_pings()

    def _is_blocked(self) -> bool:
        # A client that has sent a Close frame must not answer pings, so it does not count as silent.
        return self._reading.is_paused or self.client_close is not None or super()._is_blocked()

    def _close_code(self) -> int:
        return self._client_code() or self._sent_code or super()._close_code()

    def _client_code(self) -> int:
        """Return the code of the client's Close frame if it was kept and came first; otherwise 0."""
        payload = self.client_close
        return 0 if payload is None or self._closes_first else int.from_bytes(payload[:2], "big") or NO_STATUS

    def _initiator(self) -> str:
        return "client" if self._client_code() else "server" if self._sent_code else super()._initiator()

    def drain(self) -> None:
        """End the connection, because the server stops. One whose TCP is held open after a Close frame is aborted."""
        if self._is_open():
            super().drain()
        elif not self._context.connections.is_watched(self):
            self.abort()

    def resume_writing(self) -> None:
        """The client has read enough: read from it again, unless a step or held messages are in the way."""
        super().resume_writing()
        self._reading.enforce()
        if self._drops and not self._transport.is_closing():
            half_close(self._transport)
        self._shaper.proceed()

    def may_hand_over(self) -> bool:
        """Return whether the transport takes more bytes."""
        return self._paused_at is None and not self._transport.is_closing()

    def shaped(self) -> None:
        """Bytes that waited for their time have been handed to the transport, or must wait."""
        if self._shaper.has_room:
            self._reading.resume("shaping")
        else:
            self._reading.pause("shaping")
        if self._shaper.is_active and self._echo.state == CLOSED and not self._transport.is_closing():
            self._half_close()
        self._changes.notify()

    def _half_close(self) -> None:
        # Otherwise `shaped` calls this again when the last byte has been handed over.
        if not self._shaper.unsent:
            super()._half_close()

    def _watch(self, limit: float, *, is_fixed: bool = False) -> None:
        super()._watch(limit + self._shaper.delay(), is_fixed=is_fixed)

    def _resume(self) -> None:
        super()._resume()
        self._reading.enforce()
        self._incoming.proceed()

    def eof_received(self) -> None:
        """The client has ended its side."""
        self._scenario.observation.client_ended("fin")
        super().eof_received()

    def _count_timeout(self, limit: str) -> None:
        self._scenario.observation.timed_out()
        super()._count_timeout(limit)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, for whatever reason."""
        self._reading.stop_watching()
        self._incoming.clear()
        self._shaper.clear()
        report_end(self._transport, exc)
        self._scenario.ended()
        super().connection_lost(exc)
