"""What the scenarios of a worker use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from wsecho.connections.websocket_connection import WebSocketContext
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.http.response import Response
from wsecho.websocket.upgrade import Upgrade

if TYPE_CHECKING:
    from wsecho.scenarios.seen.keys import Keys


class Setting(NamedTuple):
    """`keys` returns the keys, which all workers share. `worker` is the number of this one, and `most_connections` is
    the limit of all its connections.

    `agree` returns the upgrade that a request asks for, or a refusal if it is invalid. It also takes `may_deflate`:
    whether permessage-deflate may be negotiated.
    """

    websockets: WebSocketContext
    counters: ConnectionCounters
    keys: Callable[[], Keys]
    worker: int
    most_connections: int
    agree: Callable[..., Response | Upgrade]
