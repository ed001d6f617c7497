"""Makes the echo of each WebSocket, with what all echoes of a worker share."""

import asyncio
from functools import partial

from wsecho.codec.selection import Codec
from wsecho.codec.wire import Connection, Wire
from wsecho.connections.fair_queues import InflateQueue
from wsecho.options.config import Config
from wsecho.websocket.deflate import Agreement
from wsecho.websocket.echo import Echo
from wsecho.websocket.inflater import InflaterMemory
from wsecho.websocket.message_counters import EchoRow


class EchoFactory:
    """All echoes read into one receive buffer, count in one row, and take the memory to inflate from one limit."""

    def __init__(self, codec: Codec, config: Config, row: EchoRow, inflate_queue: InflateQueue) -> None:
        """`row` is the worker's part of the shared page, `turns` has how much is inflated at once."""
        self._codec = codec
        self._config = config
        self._receive_buffer = codec.ReceiveBuffer(config.receive_buffer_size, config.hold_limit)
        self._counters = codec.MessageCounters(row)
        self._memory = InflaterMemory(config.inflater_memory)
        self._budget = inflate_queue.budget

    def may_deflate(self) -> bool:
        """Tell whether another connection may have its messages compressed."""
        return not self._config.no_deflate and self._memory.has_room()

    def make(
        self, transport: asyncio.Transport, connection: Connection, agreement: Agreement | None
    ) -> tuple[Echo, Wire]:
        """Return a connection's echo and its wire; `agreement` is what was agreed on permessage-deflate, if it was."""
        codec, budget = self._codec, self._budget
        echo = codec.Echo(
            self._receive_buffer,
            self._counters,
            self._config.max_message_size,
            self._config.max_fragments,
            partial(codec.Inflater, agreement, self._memory, budget, connection.wait) if agreement else None,
            budget if agreement else None,
        )
        return echo, codec.Wire(echo, transport, connection)
