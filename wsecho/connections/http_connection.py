"""An HTTP/1.1 connection: it serves one request at a time, until it closes or becomes a WebSocket."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import NamedTuple, Protocol

from structlog.typing import FilteringBoundLogger

from wsecho.connections.fair_queues import RequestQueue
from wsecho.connections.internal_errors import run_guarded
from wsecho.connections.registry import Connections
from wsecho.connections.transports import abort_if_reset, half_close, unread
from wsecho.connections.websocket_connection import WebSocketConnection
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.counting.row import REFUSALS
from wsecho.http.http1 import RequestError, RequestReader, encode_response
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response, plain
from wsecho.logs import structured_log
from wsecho.options.config import Config
from wsecho.proxies.client import Client
from wsecho.routes.refusals import stopping
from wsecho.telemetry.spans import Span, Traces
from wsecho.tls.errors import AnswerPendingError
from wsecho.tls.facts import tls_facts
from wsecho.websocket.deflate import Agreement
from wsecho.websocket.upgrade import Takeover, Upgrade

# A proxy that adds no address of its own passes on what clients claim in the header fields.
_NO_ADDRESS_REMEDY = "remove a proxy that adds no address from --trusted-proxy: docs/proxies.md, Who the client is"


class Routes(Protocol):
    """The routes of one port."""

    def answer(self, request: Request) -> Response | Deferred | Upgrade | Takeover:
        """Return the answer to one request: a response, a response that takes a while to make, an upgrade, or what
        answers instead.
        """

    def route_of(self, request: Request, answer: Response | Upgrade | Takeover) -> str:
        """Return the route that a request is counted under."""

    def keeps_connections(self) -> bool:
        """Return whether connections stay open for another request."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HttpContext:
    """What the HTTP connections of one port share.

    `logs_connections` says whether lines of the level debug are logged, such as that a WebSocket was opened.
    `read_plain_request` is the codec's shortcut for most requests. `request_buffer` is the buffer that they read into.
    `make_websocket` makes the WebSocket that takes over the transport of an upgraded connection.
    """

    config: Config
    routes: Routes
    connections: Connections
    request_queue: RequestQueue
    counters: ConnectionCounters
    traces: Traces
    log: FilteringBoundLogger
    logs_connections: bool
    read_plain_request: Callable[[bytes], Request | None]
    request_buffer: memoryview
    make_websocket: Callable[
        [asyncio.Transport, Agreement | None, FilteringBoundLogger, Span, str], WebSocketConnection
    ]


class Handover(NamedTuple):
    """A connection whose handshake a scenario answers. It must release `client`, and count the request.

    `route` is the route of the request. `began` and `answered` are when its head was complete and when its answer was
    decided, as time.perf_counter() gives them. `unread` are the bytes behind the head. `take_back` takes the connection
    back for another request; its argument are the bytes that the client has sent since.
    """

    context: HttpContext
    transport: asyncio.Transport
    client: Client
    request: Request
    route: str
    began: float
    answered: float
    unread: bytes
    take_back: Callable[[bytes], None]


class HttpConnection(asyncio.BufferedProtocol):
    """One connection during HTTP.

    It reads into a small buffer that all HTTP connections share, and copies each read out of it. Between two reads it
    keeps only the head of an incomplete request, and bytes that wait to be read as requests.
    """

    _transport: asyncio.Transport

    def __init__(
        self,
        context: HttpContext,
        accepted_at: float,
        client: Client,
        server_name: str | None,
    ) -> None:
        """`accepted_at` is the monotonic time from which the handshake timeout counts. `client` counts the connection
        until it ends. `server_name` is the host name from the TLS ClientHello, None without one.
        """
        self._context = context
        self._accepted_at = accepted_at
        self._client = client
        self._server_name = server_name
        # Reads a request of which only a part has arrived; None while there is none.
        self._reader: RequestReader | None = None
        # Bytes that arrived and have not been read as a request.
        self._unread = b""
        # Whether the peer has closed its side of the connection.
        self._eof_received = False
        self._written = 0
        self._answered = False
        self._deferred: asyncio.Task[None] | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request, which must be complete within the handshake timeout since accept."""
        # What can be read and written is always an asyncio.Transport.
        self._transport = transport  # type: ignore[assignment]
        context = self._context
        try:
            self._transport.set_write_buffer_limits(high=context.config.write_buffer_limit)
            context.connections.add(self)
            context.connections.watch(self, context.config.handshake_timeout, self._accepted_at)
        except Exception:
            # Without a deadline, nothing would ever end the transport. Abort it in a later callback, because the
            # transport is about to start reading.
            self._ended = True
            asyncio.get_running_loop().call_soon(self._transport.abort)
            raise

    def is_buffered_protocol(self) -> bool:
        """Return True. Without this method, aiofastnet raises and catches an exception for each connection."""
        return True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the memory that the transport reads into."""
        return self._context.request_buffer

    def buffer_updated(self, received: int) -> None:
        """Read a request from the bytes that have arrived. After the last answer, drop them."""
        if self._ended:
            abort_if_reset(self._transport)
            return
        data = bytes(self._context.request_buffer[:received])
        if self._context.request_queue.must_wait():
            self._wait_in_queue(data)
        else:
            self._read_and_count_time(data)

    def eof_received(self) -> bool:
        """Note that the peer has closed its side of the connection.

        Return True if an answer is still to come, so that the transport stays open for it. With False, the transport
        sends the remaining bytes and closes. Raises AnswerPendingError where the transport cannot stay open (TLS).
        """
        if not self._deferred:
            self._watch(self._context.config.close_timeout)
        self._eof_received = True
        answer_is_pending = self._deferred is not None or bool(self._unread)
        if answer_is_pending and not self._transport.can_write_eof():
            raise AnswerPendingError
        return answer_is_pending

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport has closed."""
        # First give back what other connections need, in case the rest fails.
        self._client.release()
        self._context.connections.remove(self)
        self._ended = True
        if self._deferred:
            self._deferred.cancel()

    def pause_writing(self) -> None:
        """The peer does not read its answers: stop reading requests."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer has read enough: continue with the next request, or with the end of the connection."""
        if self._ended:
            self._transport.resume_reading()
            half_close(self._transport)
        else:
            self._continue()

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""
        return self._transport.get_write_buffer_size()

    def taken(self) -> int:
        """Return the bytes of answers that the peer has taken so far."""
        return self._written and self._written - unread(self._transport)

    def expire(self) -> None:
        """End the connection, because the peer missed its deadline. An incomplete request is answered with 408."""
        if not self._answered:
            self._context.counters.handshake("timeout")
        self._context.counters.timeout(self._missed_limit)
        if self._has_partial_request and not self._ended:
            self._refuse(plain(408, "the request took too long", close=True))
        else:
            self._transport.abort()

    @property
    def _missed_limit(self) -> str:
        """The time limit that the peer missed, one of `wsecho.counting.row.TIMEOUTS`."""
        if self._ended:
            return "close"
        if self.unsent():
            return "stall"
        return "keep_alive" if self._is_idle else "handshake"

    @property
    def _is_idle(self) -> bool:
        """Whether the last request was answered and no byte of another one has arrived."""
        return self._answered and not (self._reader or self._unread or self._deferred)

    @property
    def _has_partial_request(self) -> bool:
        """Whether a part of a request has arrived, but not all of it."""
        return self._reader is not None and self._reader.started

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def drain(self) -> None:
        """End the connection, because the server stops: refuse an incomplete request, or close an idle connection."""
        if (self._has_partial_request or self._unread) and not self._ended:
            self._refuse(stopping())
        elif not self._ended and not self._deferred:
            self._transport.close()

    def _wait_in_queue(self, unread: bytes) -> None:
        """Keep `unread` for a later iteration of the event loop, after the requests that have waited longer."""
        self._unread = unread
        self._transport.pause_reading()
        self._context.request_queue.wait(self._continue)

    def _read_and_count_time(self, data: bytes) -> None:
        began = time.perf_counter()
        try:
            self._read(data)
        finally:
            self._context.request_queue.spend(time.perf_counter() - began)

    def _read(self, data: bytes) -> None:
        # `_answered` first: a property takes longer than all of this for the first request.
        if self._answered and self._is_idle:
            self._watch(self._context.config.handshake_timeout)
        if not self._reader and (request := self._context.read_plain_request(data)):
            self._answer(request, b"")
            return
        reader = self._reader or RequestReader()
        try:
            request = reader.feed(data)
        except RequestError as error:
            self._refuse(plain(error.status, str(error), close=True))
            return
        if request is None and self._eof_received:
            self._transport.close()
        elif request is None:
            self._reader = reader
            abort_if_reset(self._transport)
        else:
            self._reader = None
            self._answer(request, reader.unread)

    def _answer(self, request: Request, unread: bytes) -> None:
        began = time.perf_counter()
        self._answered = True
        request.tls = tls_facts(self._transport, self._server_name)
        self._client.identify(request)
        try:
            answer = self._context.routes.answer(request)
        except Exception:
            structured_log.for_request(self._context.log, request).exception(
                "request failed", peer=request.peer, path=request.path
            )
            answer = plain(500, "the server failed to answer", close=True)
        if isinstance(answer, Deferred):
            self._transport.pause_reading()
            # The peer has done its part. How long the answer takes is up to the server.
            self._context.connections.unwatch(self)
            self._deferred = asyncio.get_running_loop().create_task(
                self._send_deferred_answer(answer, request, began, unread)
            )
        else:
            self._send_answer(answer, request, began, unread)

    async def _send_deferred_answer(self, answer: Deferred, request: Request, began: float, unread: bytes) -> None:
        """Make an answer that takes a while, and send it. The connection reads nothing in the meantime."""
        try:
            made = await answer.make()
        except Exception:
            structured_log.for_request(self._context.log, request).exception(
                "request failed", peer=request.peer, path=request.path
            )
            made = plain(500, "the server failed to answer", close=True)
        self._deferred = None
        if not self._ended and not self._transport.is_closing():
            self._transport.resume_reading()
            send = partial(self._send_answer, made, request, began, unread)
            if not run_guarded(asyncio.get_running_loop(), "connection", send):
                self._transport.abort()

    def _send_answer(
        self, answer: Response | Upgrade | Takeover, request: Request, began: float, unread: bytes
    ) -> None:
        """Send an answer and count the request."""
        route = self._context.routes.route_of(request, answer)
        if isinstance(answer, Upgrade):
            span = self._context.traces.opened(request, route, answer.subprotocol, began)
            connection = self._upgrade(request, answer, span)
            self._context.counters.request(request.method, route, 101, time.perf_counter() - began)
            if unread:
                connection.take(unread)
            return
        if isinstance(answer, Takeover):
            self._hand_over(answer, request, route, began, unread)
            return
        span = self._context.traces.answered(request, route, answer.status, began)
        if answer.refusal:
            self._context.counters.handshake(answer.refusal)
            if answer.refusal in REFUSALS:
                self._context.counters.connection_refused(answer.refusal)
            self._log(request, span).info(
                "handshake refused", peer=request.peer, path=request.path, status=answer.status, reason=answer.line
            )
        must_close = not self._context.routes.keeps_connections()
        self._client.answered()
        must_close = must_close or self._client.has_too_many or (self._eof_received and not unread)
        keep_alive = request.keep_alive and not (answer.close or request.has_body or must_close)
        self._respond(answer, keep_alive=keep_alive, head_only=request.method == "HEAD")
        self._context.counters.request(request.method, route, answer.status, time.perf_counter() - began)
        if keep_alive and unread:
            # One request at a time. Other connections are served in between.
            self._wait_in_queue(unread)

    def _continue(self) -> None:
        """Read the bytes in `_unread`, unless an answer is still to come, the peer must first read, or the connection
        has ended.
        """
        if self._ended or self._deferred or self._transport.is_closing():
            return
        if self.unsent() > self._context.config.write_buffer_limit:
            return
        unread, self._unread = self._unread, b""
        self._transport.resume_reading()
        if unread:
            self._read_and_count_time(unread)
        elif self._is_idle:
            # A request of which a part has arrived keeps its deadline.
            self._await_next_request()

    def _await_next_request(self) -> None:
        """Set a deadline: the keep-alive timeout for the next request, or the stall timeout for reading the answer."""
        config = self._context.config
        self._watch(config.stall_timeout if self.unsent() else config.keep_alive_timeout)

    def _refuse(self, response: Response) -> None:
        """Send an error response for bytes that are not a complete and valid request, and end the connection."""
        self._answered = True
        fields = self._client.log_fields
        self._context.log.info("request refused", **fields, status=response.status, reason=response.line)
        self._respond(response, keep_alive=False)
        self._context.counters.request("", "", response.status, 0.0)

    def _respond(self, response: Response, *, keep_alive: bool, head_only: bool = False) -> None:
        answer = encode_response(response, head_only=head_only, keep_alive=keep_alive, now=time.time())
        self._written += len(answer)
        self._transport.write(answer)
        if keep_alive:
            self._await_next_request()
        else:
            # Half-close and wait for the peer: closing at once could reset the connection and destroy the answer.
            self._ended = True
            half_close(self._transport)
            self._watch(self._context.config.close_timeout)

    def _upgrade(self, request: Request, upgrade: Upgrade, span: Span) -> WebSocketConnection:
        self._ended = True
        self._context.connections.remove(self)
        log = self._log(request, span)
        if self._client.should_warn_about_proxy():
            log.warning("a trusted proxy adds no address of its client", peer=request.peer, remedy=_NO_ADDRESS_REMEDY)
        if self._context.logs_connections:
            log.debug("websocket opened", peer=request.peer, path=request.path)
        client_key = self._client.client_key
        connection = self._context.make_websocket(self._transport, upgrade.deflate, log, span, client_key)
        connection.open(upgrade.encode())
        # Only now: until the WebSocket has taken over the transport, its end is reported to this object, whose
        # `connection_lost` then has to release the client.
        self._client.hand_over()
        return connection

    def _hand_over(self, takeover: Takeover, request: Request, route: str, began: float, unread: bytes) -> None:
        self._ended = True
        self._context.connections.remove(self)
        takeover.start(
            Handover(
                context=self._context,
                transport=self._transport,
                client=self._client,
                request=request,
                route=route,
                began=began,
                answered=time.perf_counter(),
                unread=unread,
                take_back=self._take_back,
            )
        )

    def _take_back(self, unread: bytes) -> None:
        """Serve another request on a connection that was handed over."""
        self._ended = False
        self._transport.set_protocol(self)
        self._context.connections.add(self)
        self._client.answered()
        if unread:
            self._wait_in_queue(unread)
        else:
            self._transport.resume_reading()
            self._await_next_request()

    def _log(self, request: Request, span: Span) -> FilteringBoundLogger:
        """Return a logger that adds the fields of the request, and those of its trace, to each line."""
        log = structured_log.for_request(self._context.log, request)
        return log.bind(**span.log_fields) if span.log_fields else log

    def _watch(self, limit: float) -> None:
        self._context.connections.watch(self, limit, monotonic())
