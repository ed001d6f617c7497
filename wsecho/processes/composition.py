"""The parts of a worker, each given what it uses."""

import asyncio
import socket
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from wsecho.connections.capacity import Capacity
from wsecho.connections.connection_starter import ConnectionStarter
from wsecho.connections.echo_factory import EchoFactory
from wsecho.connections.fair_queues import Heads, Turns
from wsecho.connections.http_connection import HttpConnection, HttpContext
from wsecho.connections.keepalive import Limits
from wsecho.connections.listener import Listener
from wsecho.connections.loans import Loans
from wsecho.connections.registry import Connections
from wsecho.connections.sweep import sweep_interval
from wsecho.connections.timers import Schedule
from wsecho.connections.websocket_connection import WebSocketConnection, WebSocketContext
from wsecho.counting.connection_counters import Ledger
from wsecho.http.addresses import is_loopback
from wsecho.processes import descriptors
from wsecho.processes.binding import Sockets
from wsecho.processes.prefork import Foundation
from wsecho.proxies.client import Caller
from wsecho.proxies.connections_per_address import Shares
from wsecho.proxies.trusted_proxies import Proxies
from wsecho.routes.admin_routes import AdminRoutes
from wsecho.routes.admission import Admission
from wsecho.routes.health import Health
from wsecho.routes.metrics_page import MetricsPage
from wsecho.routes.public_routes import PublicRoutes
from wsecho.routes.request_info import RequestInfo
from wsecho.telemetry.exports import Exports
from wsecho.telemetry.prometheus_page import Telemetry

# A request's head is read in pieces of this size, which also bounds what may follow a handshake unasked.
_REQUEST_BUFFER_SIZE = 16 * 1024
# Connections that the admin port takes beyond the most that are held otherwise.
_ADMIN_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Parts:
    """What the start and the drain of a worker are about."""

    connections: Connections
    schedule: Schedule
    health: Health
    listeners: list[Listener]


def compose(foundation: Foundation, number: int, sockets: Sockets, ledger: Ledger, exports: Exports) -> Parts:
    """Make the parts of worker `number`. To be called in its event loop."""
    config = foundation.config
    loop = asyncio.get_running_loop()
    connections = Connections()
    schedule = Schedule(monotonic(), sweep_interval(config))
    capacity = descriptors.capacity(connections, config.max_connections)
    health = Health(capacity.is_full)
    shares = Shares(config.max_connections_per_address)
    turns = Turns(loop, foundation.codec)
    echoes = EchoFactory(foundation.codec, config, foundation.stats.rows[number].echo, turns)
    loans = Loans(config.loan_limit, loop)
    limits = Limits.of(config)
    websockets = WebSocketContext(config, limits, echoes, connections, schedule, loans, turns, shares, ledger)
    admission = Admission(health, shares.is_exceeded, foundation.access.gate, config.subprotocol, echoes.may_deflate)
    public, admin = _routes(foundation, sockets, health, admission, exports)
    http = HttpContext(
        config,
        public,
        connections,
        Heads(loop),
        ledger,
        exports.traces(),
        foundation.log,
        memoryview(bytearray(_REQUEST_BUFFER_SIZE)),
        partial(WebSocketConnection, websockets),
    )
    listeners = [_public_listener(foundation, sockets, http, shares, capacity)]
    if sockets.admin:
        listeners.append(_admin_listener(foundation, sockets, replace(http, routes=admin), capacity))
    return Parts(connections, schedule, health, listeners)


def _routes(
    foundation: Foundation, sockets: Sockets, health: Health, admission: Admission, exports: Exports
) -> tuple[PublicRoutes, AdminRoutes]:
    config, pages, gate = foundation.config, foundation.pages, foundation.access.gate
    info = RequestInfo(foundation.instance_id, foundation.codec.name).page
    metrics = MetricsPage(Telemetry(foundation.stats, exports.resource).page).page
    own_name = config.admin_host if _are_local(sockets.admin) else None
    public = PublicRoutes(admission, health, gate, pages, info, None if sockets.admin else metrics)
    return public, AdminRoutes(health, gate.admin, pages, info, metrics, own_name)


def _public_listener(
    foundation: Foundation, sockets: Sockets, http: HttpContext, shares: Shares, capacity: Capacity
) -> Listener:
    config = foundation.config
    proxies = Proxies(config.trusted_proxy, config.forwarded_header)
    starter = ConnectionStarter(
        partial(Caller, proxies, shares),
        partial(HttpConnection, http),
        http.ledger,
        http.log,
        config.handshake_timeout,
        foundation.encryption,
        proxies if config.proxy_protocol else None,
    )
    return Listener(sockets.public, starter, capacity.has_room, http.ledger, http.log)


def _admin_listener(foundation: Foundation, sockets: Sockets, http: HttpContext, capacity: Capacity) -> Listener:
    starter = ConnectionStarter(
        partial(Caller, Proxies(), Shares()),
        partial(HttpConnection, http),
        http.ledger,
        http.log,
        foundation.config.handshake_timeout,
    )
    # Whoever operates the server gets in also when it is full.
    has_room = partial(capacity.has_room, extra=_ADMIN_CONNECTIONS)
    return Listener(sockets.admin, starter, has_room, http.ledger, http.log)


def _are_local(listening: list[socket.socket]) -> bool:
    """Tell whether only this machine can connect."""
    return all(is_loopback(str(one.getsockname()[0])) for one in listening)
