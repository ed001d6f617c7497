"""What the scenarios of a worker use."""

from collections.abc import Callable
from typing import NamedTuple

from wsecho.connections.websocket_connection import WebSocketContext
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.http.response import Response
from wsecho.scenarios.seen.keys import Keys
from wsecho.scenarios.seen.open_scenarios import WorkerScenarios
from wsecho.websocket.upgrade import Upgrade


class Setting(NamedTuple):
    """`keys` are shared by all workers. `open_scenarios` are those of this one, and `most_connections` is the limit of
    all its connections.

    `agree` returns the upgrade that a request asks for, or a refusal if it is invalid. It also takes `may_deflate`:
    whether permessage-deflate may be negotiated.
    """

    websockets: WebSocketContext
    counters: ConnectionCounters
    keys: Keys
    open_scenarios: WorkerScenarios
    most_connections: int
    agree: Callable[..., Response | Upgrade]
