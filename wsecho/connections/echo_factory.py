"""Makes the echo of each WebSocket from what all echoes of a worker share: buffer, counters and limits."""

import asyncio
from copy import copy
from functools import partial

from wsecho.codec.selection import Codec
from wsecho.codec.wire import Wire, WireEvents
from wsecho.connections.fair_queues import EchoQueue
from wsecho.options.config import Config
from wsecho.websocket.deflate import Agreement
from wsecho.websocket.echo import Echo
from wsecho.websocket.inflater import InflaterMemory
from wsecho.websocket.message_counters import EchoRow


class EchoFactory:
    """All echoes use one receive buffer and count in one row. One limit bounds the memory of all their inflaters."""

    def __init__(self, codec: Codec, config: Config, row: EchoRow, echo_queue: EchoQueue) -> None:
        """`row` is the worker's row of counters in the shared page. `echo_queue` has the budget for inflating."""
        self._codec = codec
        self._config = config
        self._max_message_size = config.max_message_size
        self.receive_buffer = codec.ReceiveBuffer(config.receive_buffer_size, config.hold_limit)
        self.counters = codec.MessageCounters(row)
        self._memory = InflaterMemory(config.inflater_memory)
        self._budget = echo_queue.budget

    def with_limit(self, max_message_size: int) -> "EchoFactory":
        """Return a factory of echoes with a limit of their own, if it is lower. They share all else with these."""
        limited = copy(self)
        limited._max_message_size = min(max_message_size, self._max_message_size)
        return limited

    def may_deflate(self) -> bool:
        """Return whether permessage-deflate may be negotiated for another connection."""
        return not self._config.no_deflate and self._memory.has_room()

    def make(
        self, transport: asyncio.Transport, connection: WireEvents, agreement: Agreement | None
    ) -> tuple[Echo, Wire]:
        """Return a connection's echo and its wire. `agreement` is the negotiated permessage-deflate, or None."""
        codec, budget = self._codec, self._budget
        echo = codec.Echo(
            self.receive_buffer,
            self.counters,
            self._max_message_size,
            self._config.max_fragments,
            partial(codec.Inflater, agreement, self._memory, budget, connection.wait) if agreement else None,
            budget if agreement else None,
        )
        return echo, codec.Wire(echo, transport, connection)
