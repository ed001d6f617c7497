"""A handshake that a scenario answers. It is what the steps see as `wsecho.scenarios.steps.peer.Opening`."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from structlog.typing import FilteringBoundLogger

from wsecho.connections.http_connection import Handover
from wsecho.connections.transports import abort_if_reset, half_close, unread
from wsecho.connections.websocket_connection import WebSocketContext
from wsecho.http.date import http_date
from wsecho.http.http1 import encode_response
from wsecho.logs import structured_log
from wsecho.routes.refusals import stopping
from wsecho.scenarios.language.arguments import FOREVER
from wsecho.scenarios.language.plan import Phase
from wsecho.scenarios.run import headers
from wsecho.scenarios.run.connection import ScenarioConnection
from wsecho.scenarios.run.endings import reset
from wsecho.scenarios.run.reading import Reading
from wsecho.scenarios.run.scenario import Scenario
from wsecho.scenarios.seen.transport import observed, report_end
from wsecho.scenarios.steps.peer import Answer, Closing, Opening, Peer
from wsecho.telemetry.spans import NO_SPAN, Span
from wsecho.websocket.upgrade import Upgrade

# Bytes that a client may send before it has the answer. With more, the server stops reading.
_MOST_EARLY = 16 << 10


class OpeningConnection(asyncio.BufferedProtocol):
    """The connection of a scenario from its handshake to the 101 response, or to the end of a refusal."""

    def __init__(
        self, handover: Handover, upgrade: Upgrade, websockets: WebSocketContext, scenario: Scenario, memory: memoryview
    ) -> None:
        """`upgrade` is the correct answer. `memory` is what is read into; all scenarios of a worker share it."""
        self._handover = handover
        self._context = handover.context
        self._transport = observed(handover.transport, scenario.observation)
        self._upgrade = upgrade
        self._websockets = websockets
        self._scenario = scenario
        self._memory = memory
        self.request = scenario.request
        self.options = scenario.plan.options
        self.random = scenario.random
        self.attempt = scenario.attempt
        self.answer = Answer(list(upgrade.headers))
        self._early = handover.unread
        self._reading = Reading(self._transport, lambda: True)
        self._written = 0
        self._opened: ScenarioConnection | None = None
        # Whether the handshake was counted as refused; whether the server has ended its side; what waits for the client
        # to read.
        self._is_counted = False
        self._has_ended = False
        self._can_write = asyncio.Event()
        self._can_write.set()

    def start(self) -> None:
        """Take over the transport, and perform the steps."""
        self._transport.set_protocol(self)
        self._context.connections.add(self)
        # A reset may have come with the handshake.
        abort_if_reset(self._transport)
        self._scenario.perform(self._perform, self._fail)

    async def _perform(self) -> None:
        phase = self._scenario.phase
        try:
            # A handshake that is not answered holds as much as a WebSocket, so the same limit holds for it.
            async with asyncio.timeout(self._context.config.max_lifetime or None):
                await self._perform_opening(phase)
        except TimeoutError:
            self._scenario.observation.timed_out()
            self._context.counters.timeout("lifetime")
            self.abort()
            await self.ended()
        connection = await self._accept()
        if any(step.word.keeps_close for step in phase.steps):
            connection.closing = Closing.KEEP
        peer: Peer = connection
        for step in phase.at("open"):
            self._scenario.count_step(step.word.label)
            try:
                async with asyncio.timeout(self._scenario.longest(step)):
                    await step.word.run(peer, *step.values)
            except TimeoutError:
                connection.abort()
                await connection.ended()
            connection.hold()
        connection.finish()

    async def _perform_opening(self, phase: Phase) -> None:
        opening: Opening = self
        for step in phase.at("opening"):
            self._scenario.count_step(step.word.label)
            self.answer.bare = self.answer.bare or step.word.is_exact
            await step.word.run(opening, *step.values)

    def _fail(self) -> None:
        (self._opened or self).abort()

    async def _accept(self) -> ScenarioConnection:
        """Answer with 101 and return the WebSocket that takes over."""
        answer = self.answer
        *first, last = answer.cut(self.encoded())
        for piece in first:
            await self.write(piece)
            await self.sleep(answer.pause)
        handover, context = self._handover, self._context
        span = context.traces.opened(self.request, handover.route, self._upgrade.subprotocol, handover.began)
        log = self._log(span)
        log.debug("websocket opened", peer=self.request.peer, path=self.request.path, scenario=self._scenario.text)
        self._reading.stop_watching()
        websockets = self._websockets
        if longest := self.options["max-message"]:
            websockets = replace(websockets, echoes=websockets.echoes.with_limit(longest))
        connection = ScenarioConnection(
            websockets,
            handover.transport,
            self._upgrade.deflate,
            log,
            span,
            handover.client.client_key,
            self._scenario,
            self._memory,
        )
        if answer.is_bundled:
            connection.collect()
        context.connections.remove(self)
        self._opened = connection
        self._scenario.observation.opened(headers.status(answer.status_line), len(last))
        connection.open(last)
        # Only now: until the WebSocket has taken over the transport, its end is reported to this object.
        handover.client.hand_over()
        self._count_request(101)
        # Later, so that the first steps come before the answer to what the client has sent early.
        asyncio.get_running_loop().call_soon(self._pass_on_early, connection)
        return connection

    def _pass_on_early(self, connection: ScenarioConnection) -> None:
        if not self._transport.is_closing():
            connection.begin_reading(self._early)

    def _count_request(self, status: int) -> None:
        # Without the waits of the steps, which say nothing about the server.
        seconds = self._handover.answered - self._handover.began
        self._context.counters.request(self.request.method, self._handover.route, status, seconds)

    def _log(self, span: Span) -> FilteringBoundLogger:
        log = structured_log.for_request(self._context.log, self.request)
        return log.bind(**span.log_fields) if span.log_fields else log

    # What the steps can do.

    async def sleep(self, seconds: float) -> None:
        """Wait. `inf` waits until the client leaves, at most for the longest time that a plan may take."""
        if seconds == FOREVER:
            await self.ended()
        await asyncio.sleep(seconds)

    def wall_clock(self) -> float:
        """Return the seconds since 1970."""
        return time.time()

    def encoded(self) -> bytes:
        """Return the 101 response as it stands."""
        return headers.head(self.answer.status_line, [*self.answer.fields, *self._added()])

    def _added(self) -> list[tuple[str, str]]:
        return self.answer.added if self.answer.bare else [*self.answer.added, *self._scenario.headers]

    async def respond(
        self,
        status: int,
        fields: list[tuple[str, str]],
        body: Sequence[bytes] = (),
        *,
        pause: float = 0.0,
        keep: bool = False,
    ) -> None:
        """Answer with a response. Then wait for the end of the connection or, to `keep` it, for the next request on it.

        A server that stops, or is full, ends the connection in any case.
        """
        keep = keep and self._context.routes.keeps_connections()
        self.refused(status)
        line = headers.status_line(status)
        date = ("Date", http_date(self.wall_clock()))
        connection = ("Connection", "keep-alive" if keep else "close")
        head = headers.head(line, [date, *fields, *self._added(), connection])
        await self.write(head + b"".join(body[:1]))
        for piece in body[1:]:
            await self.sleep(pause)
            await self.write(piece)
        await (self._next_request() if keep else self.end())

    async def _next_request(self) -> None:
        """Give the connection back, so that it serves another request."""
        self._reading.stop_watching()
        self._context.connections.remove(self)
        self._handover.take_back(self._early)
        self._scenario.observation.over()
        self._scenario.ended()
        await asyncio.Event().wait()

    async def write(self, data: bytes) -> None:
        """Send raw bytes, and wait until the client has taken them."""
        self._written += len(data)
        self._transport.write(data)
        await self._can_write.wait()

    def refused(self, status: int) -> None:
        """Count the handshake as refused with `status`, 0 for bytes that are no response."""
        if self._is_counted:
            return
        self._is_counted = True
        self._scenario.observation.answered(status)
        self._context.counters.scenario_refused(status)
        self._count_request(status)
        handover = self._handover
        span = (
            self._context.traces.answered(self.request, handover.route, status, handover.began) if status else NO_SPAN
        )
        self._log(span).info(
            "handshake refused",
            peer=self.request.peer,
            path=self.request.path,
            status=status,
            reason="a scenario asks for it",
            scenario=self._scenario.text,
        )

    async def end(self) -> None:
        """End TCP with FIN, after what was sent, and wait for the end of the connection."""
        self.refused(0)
        self._has_ended = True
        half_close(self._transport)
        self._watch(self._context.config.close_timeout)
        await self.ended()

    async def reset(self) -> None:
        """End TCP with RST, and wait for the end of the connection."""
        self.refused(0)
        reset(self._transport)
        await self.ended()

    async def ended(self) -> None:
        """Wait for the end of the connection, at most for the longest time that a plan may take."""
        await asyncio.sleep(self._scenario.limits.seconds)
        self.abort()
        await asyncio.Event().wait()

    # The protocol.

    def is_buffered_protocol(self) -> bool:
        """Return True. Without this method, aiofastnet raises and catches an exception for each connection."""
        return True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the memory that the transport reads into."""
        return self._memory

    def buffer_updated(self, received: int) -> None:
        """Keep what the client sends before it has the answer."""
        abort_if_reset(self._transport)
        if self._has_ended:
            return
        self._early += bytes(self._memory[:received])
        if len(self._early) > _MOST_EARLY:
            self._reading.pause("early")

    def eof_received(self) -> None:
        """The client has left. The transport closes."""
        self._scenario.observation.client_ended("fin")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended: give back everything, and perform no further step."""
        self._handover.client.release()
        self._context.connections.remove(self)
        self._reading.stop_watching()
        report_end(self._transport, exc)
        if not self._is_counted:
            self._context.counters.scenario_abandoned()
        self._scenario.ended()

    def pause_writing(self) -> None:
        """The client does not read: it must, within the stall timeout."""
        self._can_write.clear()
        self._watch(self._context.config.stall_timeout)

    def resume_writing(self) -> None:
        """The client has read enough."""
        self._can_write.set()
        if self._has_ended:
            half_close(self._transport)
        else:
            self._context.connections.unwatch(self)

    # What the registry needs.

    def unsent(self) -> int:
        """Return the bytes that wait for the client to read."""
        return self._transport.get_write_buffer_size()

    def taken(self) -> int:
        """Return the bytes that the client has taken so far."""
        return self._written - unread(self._transport)

    def expire(self) -> None:
        """End the connection: the client did not read, or did not end its side, in time."""
        self._scenario.observation.timed_out()
        self._context.counters.timeout("close" if self._has_ended else "stall")
        self.abort()

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def drain(self) -> None:
        """End the connection, because the server stops."""
        self._scenario.stop()
        if self._has_ended:
            return
        response = stopping(refusal="draining")
        self._is_counted = True
        self._scenario.observation.answered(response.status)
        self._context.counters.handshake(response.refusal)
        self._count_request(response.status)
        self._transport.write(encode_response(response, head_only=False, keep_alive=False, now=time.time()))
        self._has_ended = True
        half_close(self._transport)
        self._watch(self._context.config.close_timeout)

    def _watch(self, limit: float) -> None:
        self._context.connections.watch(self, limit, monotonic())
