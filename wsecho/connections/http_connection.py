"""One transport while it speaks HTTP/1.1: one request at a time, until it closes or becomes a WebSocket."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, cast

from structlog.typing import FilteringBoundLogger

from wsecho.connections.fair_queues import RequestQueue
from wsecho.connections.registry import Connections
from wsecho.connections.transports import abort_if_reset, half_close, unread
from wsecho.connections.websocket_connection import WebSocketConnection
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.counting.row import REFUSALS
from wsecho.http.http1 import RequestError, RequestReader, encode_response, encode_upgrade
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response, plain
from wsecho.logs import structured_log
from wsecho.options.config import Config
from wsecho.proxies.client import Client
from wsecho.routes.refusals import stopping
from wsecho.telemetry.spans import Span, Traces
from wsecho.tls.transport import AnswerPendingError, tls_facts
from wsecho.websocket.deflate import Agreement
from wsecho.websocket.upgrade import Upgrade

# A proxy that adds nothing passes on what clients have written.
_SILENCE_REMEDY = "a proxy that adds none must not be in --trusted-proxy: docs/proxies.md, Who the client is"


class Routes(Protocol):
    """The routes of one port."""

    def answer(self, request: Request) -> Response | Deferred | Upgrade:
        """Answer one request."""

    def route_of(self, request: Request, answer: Response | Upgrade) -> str:
        """Return the route that a request is counted under."""

    def keeps_connections(self) -> bool:
        """Tell whether a connection may stay for another request."""


@dataclass(frozen=True, slots=True)
class HttpContext:
    """What the HTTP connections of one port share.

    `request_buffer` is what they read into; `open_websocket` makes what becomes of one that is upgraded.
    """

    config: Config
    routes: Routes
    connections: Connections
    request_queue: RequestQueue
    counters: ConnectionCounters
    traces: Traces
    log: FilteringBoundLogger
    request_buffer: memoryview
    open_websocket: Callable[
        [asyncio.Transport, Agreement | None, FilteringBoundLogger, Span, str], WebSocketConnection
    ]


class HttpConnection(asyncio.BufferedProtocol):
    """Reads into a small buffer that all HTTP connections share: nothing survives a read but a request's head."""

    _transport: asyncio.Transport

    def __init__(
        self,
        context: HttpContext,
        accepted_at: float,
        client: Client,
        server_name: str | None,
    ) -> None:
        """`accepted_at` is when the clock of the handshake started, `caller` is counted as long as the connection
        lasts, `server_name` is what the client sent with TLS.
        """
        self._context = context
        self._accepted_at = accepted_at
        self._client = client
        self._server_name = server_name
        # Of the request that has begun to arrive.
        self._reader: RequestReader | None = None
        self._unread = b""
        # The peer has said all that it will say.
        self._heard_all = False
        self._written = 0
        self._answered = False
        self._deferred: asyncio.Task[None] | None = None
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first request may begin, and must be there in the time that is left since accept."""
        self._transport = cast(asyncio.Transport, transport)
        try:
            self._transport.set_write_buffer_limits(high=self._context.config.write_buffer_limit)
            self._context.connections.add(self)
            self._watch(self._accepted_at + self._context.config.handshake_timeout - monotonic())
        except Exception:
            # The transport would go on, and nothing would ever end it. Not now: it is about to begin to read.
            self._ended = True
            asyncio.get_running_loop().call_soon(self._transport.abort)
            raise

    def is_buffered_protocol(self) -> bool:
        """Answer what aiofastnet asks first; without an answer it has an exception to catch for each connection."""
        return True

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the transport may read to."""
        return self._context.request_buffer

    def buffer_updated(self, received: int) -> None:
        """Take what was just read; after the last answer it is read only to be dropped."""
        if self._ended:
            abort_if_reset(self._transport)
            return
        data = bytes(self._context.request_buffer[:received])
        if self._context.request_queue.must_wait():
            self._wait(data)
        else:
            self._take(data)

    def eof_received(self) -> bool:
        """The peer closed its side; the transport sends what is left and closes ours, or waits for us to do so."""
        self._watch(self._context.config.close_timeout)
        self._heard_all = True
        has_more_to_say = self._deferred is not None or bool(self._unread)
        if has_more_to_say and not self._transport.can_write_eof():
            raise AnswerPendingError
        return has_more_to_say

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport has ended."""
        # What others need back comes first, in case the rest fails.
        self._client.release()
        self._context.connections.remove(self)
        self._ended = True
        if self._deferred:
            self._deferred.cancel()  # nobody waits for that answer any more

    def pause_writing(self) -> None:
        """The peer does not read its answers: take no more requests."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        if self._ended:
            self._transport.resume_reading()
            half_close(self._transport)
        else:
            self._continue()

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""
        return self._transport.get_write_buffer_size()

    def taken(self) -> int:
        """Return the bytes of answers that the peer has taken."""
        return self._written - unread(self._transport)

    def expire(self) -> None:
        """No complete request in time, or no end after the last answer."""
        if not self._answered:
            self._context.counters.handshake("timeout")
        self._context.counters.timeout(self._lacking)
        if self._has_begun and not self._ended:
            self._refuse(plain(408, "the request took too long", close=True))
        else:
            self._transport.abort()

    @property
    def _lacking(self) -> str:
        """What the peer has not done in time, as the limit for it is counted."""
        if self._ended:
            return "close"
        if self.unsent():
            return "stall"
        return "keep_alive" if self._is_idle else "handshake"

    @property
    def _is_idle(self) -> bool:
        """Whether the last request was answered, and nothing of another one has come."""
        return self._answered and not (self._reader or self._unread or self._deferred)

    @property
    def _has_begun(self) -> bool:
        """Whether a part of a request has arrived, and the rest has not."""
        return self._reader is not None and self._reader.started

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def drain(self) -> None:
        """Refuse a request that has begun; close an idle connection."""
        if (self._has_begun or self._unread) and not self._ended:
            self._refuse(stopping())
        elif not self._ended and not self._deferred:
            self._transport.close()

    def _wait(self, unread: bytes) -> None:
        """Go on with what has come in a later turn of the loop, when others have had theirs."""
        self._unread = unread
        self._transport.pause_reading()
        self._context.request_queue.wait(self._continue)

    def _take(self, data: bytes) -> None:
        began = time.perf_counter()
        try:
            self._read(data)
        finally:
            self._context.request_queue.spend(time.perf_counter() - began)

    def _read(self, data: bytes) -> None:
        if self._is_idle:
            self._watch(self._context.config.handshake_timeout)
        reader = self._reader or RequestReader()
        try:
            request = reader.feed(data)
        except RequestError as error:
            self._refuse(plain(error.status, str(error), close=True))
            return
        if request is None and self._heard_all:
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
            structured_log.about(self._context.log, request).exception(
                "request failed", peer=request.peer, path=request.path
            )
            answer = plain(500, "the server failed to answer", close=True)
        if isinstance(answer, Deferred):
            self._transport.pause_reading()
            self._deferred = asyncio.get_running_loop().create_task(self._finish(answer, request, began, unread))
        else:
            self._give(answer, request, began, unread)

    async def _finish(self, answer: Deferred, request: Request, began: float, unread: bytes) -> None:
        """Give an answer that takes a while, to a peer that is not read from meanwhile."""
        try:
            response = await answer.make()
        except Exception:
            structured_log.about(self._context.log, request).exception(
                "request failed", peer=request.peer, path=request.path
            )
            response = plain(500, "the server failed to answer", close=True)
        self._deferred = None
        if not self._ended and not self._transport.is_closing():
            self._transport.resume_reading()
            self._give(response, request, began, unread)

    def _give(self, answer: Response | Upgrade, request: Request, began: float, unread: bytes) -> None:
        """Send an answer, and count it."""
        route = self._context.routes.route_of(request, answer)
        if isinstance(answer, Upgrade):
            span = self._context.traces.opened(request, route, answer.subprotocol, began)
            connection = self._upgrade(request, answer, span)
            self._context.counters.request(request.method, route, 101, time.perf_counter() - began)
            connection.take(unread)
            return
        span = self._context.traces.answered(request, route, answer.status, began)
        if answer.refusal:
            self._context.counters.handshake(answer.refusal)
            if answer.refusal in REFUSALS:
                self._context.counters.connection_refused(answer.refusal)
            self._log(request, span).info(
                "handshake refused", peer=request.peer, path=request.path, status=answer.status, reason=answer.line
            )
        must_go = not self._context.routes.keeps_connections()
        self._client.answered()
        must_go = must_go or self._client.has_too_many or (self._heard_all and not unread)
        stays = request.keep_alive and not (answer.close or request.has_body or must_go)
        self._respond(answer, keep_alive=stays, head_only=request.method == "HEAD")
        self._context.counters.request(request.method, route, answer.status, time.perf_counter() - began)
        if stays and unread:
            # One request at a time, and other connections in between.
            self._wait(unread)

    def _continue(self) -> None:
        """Go on with what came in behind the last request, unless the peer must read first or has gone."""
        if self._ended or self._deferred or self._transport.is_closing():
            return
        if self.unsent() > self._context.config.write_buffer_limit:
            return
        unread, self._unread = self._unread, b""
        self._transport.resume_reading()
        if unread:
            self._take(unread)
        elif self._is_idle:
            # A request of which a part has come keeps the deadline that it has.
            self._rest()

    def _rest(self) -> None:
        """Wait for the next request, for as long as a connection may be idle; or first for the answer to be read."""
        config = self._context.config
        self._watch(config.stall_timeout if self.unsent() else config.keep_alive_timeout)

    def _refuse(self, response: Response) -> None:
        """Answer what never became a request, and end the connection."""
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
            self._rest()
        else:
            # Half-close and wait for the peer: closing at once could reset the connection and take the answer with it.
            self._ended = True
            half_close(self._transport)
            self._watch(self._context.config.close_timeout)

    def _upgrade(self, request: Request, upgrade: Upgrade, span: Span) -> WebSocketConnection:
        self._ended = True
        self._context.connections.remove(self)
        log = self._log(request, span)
        if self._client.should_warn_about_proxy():
            log.warning("a trusted proxy adds no address of its client", peer=request.peer, remedy=_SILENCE_REMEDY)
        log.debug("websocket opened", peer=request.peer, path=request.path)
        client_key = self._client.client_key
        connection = self._context.open_websocket(self._transport, upgrade.deflate, log, span, client_key)
        connection.open(encode_upgrade(upgrade.headers))
        # Not before: as long as we are the transport's protocol, we are told of its end.
        self._client.hand_over()
        return connection

    def _log(self, request: Request, span: Span) -> FilteringBoundLogger:
        """Return a logger whose lines can be found from the request's trace."""
        log = structured_log.about(self._context.log, request)
        return log.bind(**span.log_fields) if span.log_fields else log

    def _watch(self, limit: float) -> None:
        self._context.connections.watch(self, limit, monotonic())
