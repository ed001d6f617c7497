"""One WebSocket, from its 101 to its end: everything but the echo itself."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from wsecho import stats
from wsecho.deflate import Agreement
from wsecho.echo import CLOSED, CONTINUATION, GOING_AWAY, OPEN
from wsecho.inflater import Inflater
from wsecho.transports import abort_if_reset, half_close

if TYPE_CHECKING:
    from wsecho.worker import Services


class WebSocketConnection:
    """Decides what happens around the echo: back-pressure, the closing handshake, limits of time, the books."""

    __slots__ = ("_echo", "_has_loan", "_opened", "_services", "_transport", "_wire")

    def __init__(self, transport: asyncio.Transport, services: Services, agreement: Agreement | None) -> None:
        self._services = services
        self._transport = transport
        codec = services.codec
        make_inflater = partial(Inflater, agreement, services.inflater_memory) if agreement else None
        self._echo = codec.Echo(
            services.receive_buffer, services.tally, services.config.max_message_size, make_inflater
        )
        self._wire = codec.Wire(self._echo, transport, self)
        self._opened = services.now()
        self._has_loan = False

    def open(self, answer: bytes, unread: bytes) -> None:
        """Take over the transport and write `answer`, the 101. `unread` came in behind the handshake."""
        services = self._services
        services.connections.add(self)
        self._transport.set_protocol(self._wire)
        self._transport.write(answer)
        stats.connection_opened(services.tally.row)
        buffer = services.receive_buffer
        while unread and not self._transport.is_closing():
            piece, unread = unread[: buffer.size], unread[buffer.size :]
            buffer.place(buffer.landing, piece)
            self._wire.buffer_updated(len(piece))

    def echo_closes(self) -> None:
        """The echo has left its open state: a Close was sent, or can no longer be."""
        if self._echo.error:
            self._services.log.debug("protocol error", error=self._echo.error)
        if self._echo.state == CLOSED:
            # RFC 6455 section 7.1.1: half-close, then read until the peer has closed too. Closing at once could reset
            # the connection and take our last bytes with it.
            half_close(self._transport)
            self._watch(self._services.config.close_timeout)

    def nothing_to_send(self) -> None:
        """What was read needs no answer."""
        abort_if_reset(self._transport)

    def eof_received(self) -> None:
        """The peer closed its side; the transport sends what is left and closes ours."""
        self._watch(self._services.config.close_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, however it did."""
        services = self._services
        services.connections.remove(self)
        services.loans.forget(self)
        if self._echo.inflater:
            self._echo.inflater.close()
        seconds = services.now() - self._opened
        stats.connection_ended(services.tally.row, seconds)
        services.log.debug("websocket closed", code=self._echo.close_code or 1006, seconds=round(seconds, 3))
        del self._wire  # they refer to each other

    def pause_writing(self) -> None:
        """The peer does not read: stop reading from it, too."""
        self._transport.pause_reading()
        self._services.loans.block(self)
        if not self._services.connections.is_watched(self):
            self._watch(self._services.config.stall_timeout)

    def resume_writing(self) -> None:
        """The peer has caught up, or a loan lets it go on for a while."""
        self._transport.resume_reading()
        self._services.loans.unblock(self)
        if self._echo.state == OPEN and not self._has_loan and not self._transport.is_closing():
            self._services.connections.unwatch(self)

    def message_in_progress(self) -> int | None:
        """Return the number of the message of which a part has come and the rest is wanted, None between messages."""
        echo = self._echo
        return echo.messages if echo.state == OPEN and echo.message_opcode != CONTINUATION else None

    def lend(self, room: int) -> None:
        """Allow `room` unsent bytes before reading stops; 0: no more than without a loan. The stall limit goes on."""
        self._has_loan = room > 0
        if room:
            # The transport finds itself below the low mark and calls resume_writing.
            self._transport.set_write_buffer_limits(high=room, low=room)
        else:
            self._transport.set_write_buffer_limits(high=self._services.config.write_buffer_limit)
            if self._echo.state == OPEN and not self.unsent():
                self._services.connections.unwatch(self)

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""
        return self._transport.get_write_buffer_size()

    def expire(self) -> None:
        """The peer neither read nor closed in time."""
        self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def drain(self) -> None:
        """Tell the peer that the server goes away (RFC 6455 section 7.4.1, code 1001)."""
        self._echo.close(GOING_AWAY, b"server is shutting down")
        self._wire.send()
        self._watch(self._services.config.close_timeout)

    def _watch(self, limit: float) -> None:
        self._services.connections.watch(self, limit, self._services.now())
