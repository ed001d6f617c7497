"""Makes the parts of a worker, and gives each part what it uses."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from wsecho.connections.capacity import Capacity
from wsecho.connections.connection_starter import ConnectionStarter
from wsecho.connections.echo_factory import EchoFactory
from wsecho.connections.fair_queues import EchoQueue, RequestQueue
from wsecho.connections.http_connection import HttpConnection, HttpContext, Routes
from wsecho.connections.keepalive import Limits
from wsecho.connections.listener import Listener
from wsecho.connections.loans import Loans
from wsecho.connections.registry import Connections
from wsecho.connections.sweep import sweep_interval
from wsecho.connections.timers import Timers
from wsecho.connections.websocket_connection import WebSocketConnection, WebSocketContext
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.http.addresses import is_loopback
from wsecho.processes import descriptors
from wsecho.processes.listening_socket import Sockets
from wsecho.processes.prefork import Prefork
from wsecho.proxies.client import Client
from wsecho.proxies.connections_per_address import ConnectionsPerAddress
from wsecho.proxies.trusted_proxies import TrustedProxies
from wsecho.routes.admin_routes import AdminRoutes
from wsecho.routes.admission import Admission
from wsecho.routes.health import Health
from wsecho.routes.metrics_page import MetricsPage
from wsecho.routes.public_routes import PublicRoutes
from wsecho.routes.request_info import RequestInfo
from wsecho.routes.server_facts import server_facts
from wsecho.scenarios.entrance import Scenarios
from wsecho.scenarios.setting import Setting
from wsecho.telemetry.exports import Exports

if TYPE_CHECKING:
    from wsecho.tcp.transports import TcpTransports

# Bytes of the buffer into which request heads are read, in pieces. It also limits how many bytes a client can send
# behind its handshake before it has the answer.
_REQUEST_BUFFER_SIZE = 16 * 1024
# Connections that the admin port accepts beyond the limit of all connections.
_ADMIN_CONNECTIONS = 32


class Parts(NamedTuple):
    """The parts of a worker that its start and its graceful shutdown use."""

    transports: TcpTransports
    connections: Connections
    timers: Timers
    health: Health
    listeners: list[Listener]


# Makes the routes of the public port from what scenarios use, and from the routes that an echo server has.
MakeRoutes = Callable[[Setting, Routes], Routes]


def compose(
    inherited: Prefork,
    number: int,
    sockets: Sockets,
    counters: ConnectionCounters,
    exports: Exports,
    make_routes: MakeRoutes | None = None,
) -> Parts:
    """Make the parts of worker `number`. Must be called in its event loop.

    `make_routes` makes the routes of the public port; None leaves those of an echo server.
    """
    config = inherited.config
    loop = asyncio.get_running_loop()
    connections = Connections()
    timers = Timers(monotonic(), sweep_interval(config))
    capacity = descriptors.capacity(connections.open, config.max_connections)
    health = Health(capacity.is_full)
    connections_per_address = ConnectionsPerAddress(config.max_connections_per_address)
    echo_queue = EchoQueue(loop, inherited.codec)
    echoes = EchoFactory(inherited.codec, config, inherited.shared_page.rows[number].echo, echo_queue)
    logs_connections = inherited.log.is_enabled_for(logging.DEBUG)
    websockets = WebSocketContext(
        config=config,
        limits=Limits.of(config),
        echoes=echoes,
        connections=connections,
        timers=timers,
        loans=Loans(config.loan_limit, loop),
        echo_queue=echo_queue,
        connections_per_address=connections_per_address,
        counters=counters,
        logs_connections=logs_connections,
    )
    admission = Admission(
        health,
        connections_per_address.is_exceeded,
        inherited.access.policy,
        config.subprotocol,
        echoes.may_deflate,
        inherited.codec.accept_key,
    )
    setting = None
    if inherited.keys:
        setting = Setting(websockets, counters, inherited.keys, number, capacity.limit, admission.agree)
        admission.scenarios = Scenarios(setting)
    public, admin = _routes(inherited, sockets, health, admission, exports)
    http = HttpContext(
        config=config,
        routes=make_routes(setting, public) if make_routes and setting else public,
        connections=connections,
        request_queue=RequestQueue(loop),
        counters=counters,
        traces=exports.traces(),
        log=inherited.log,
        logs_connections=logs_connections,
        read_plain_request=inherited.codec.read_plain_request,
        request_buffer=memoryview(bytearray(_REQUEST_BUFFER_SIZE)),
        make_websocket=partial(WebSocketConnection, websockets),
    )
    transports = inherited.codec.TcpTransports(loop)
    listeners = [_public_listener(inherited, transports, sockets, http, connections_per_address, capacity)]
    if sockets.admin:
        listeners.append(_admin_listener(inherited, transports, sockets, replace(http, routes=admin), capacity))
    return Parts(transports, connections, timers, health, listeners)


def _routes(
    inherited: Prefork, sockets: Sockets, health: Health, admission: Admission, exports: Exports
) -> tuple[PublicRoutes, AdminRoutes]:
    config, pages, policy = inherited.config, inherited.pages, inherited.access.policy
    info = RequestInfo(inherited.instance_id, server_facts(config, inherited.codec.name)).page
    metrics = MetricsPage(exports.metrics_page(inherited.shared_page).page).page
    own_name = config.admin_host if _are_local(sockets.admin) else None
    public = PublicRoutes(
        admission, health, policy, pages, info, None if sockets.admin else metrics, admission.scenarios
    )
    return public, AdminRoutes(health, policy.admin, pages, info, metrics, own_name)


def _public_listener(
    inherited: Prefork,
    transports: TcpTransports,
    sockets: Sockets,
    http: HttpContext,
    connections_per_address: ConnectionsPerAddress,
    capacity: Capacity,
) -> Listener:
    config = inherited.config
    proxies = TrustedProxies(config.trusted_proxy, config.forwarded_header)
    starter = ConnectionStarter(
        partial(Client, proxies, connections_per_address),
        partial(HttpConnection, http),
        transports,
        http.counters,
        http.log,
        config.handshake_timeout,
        inherited.encryption,
        proxies if config.proxy_protocol else None,
    )
    return Listener(sockets.public, starter, capacity.room, http.counters, http.log)


def _admin_listener(
    inherited: Prefork, transports: TcpTransports, sockets: Sockets, http: HttpContext, capacity: Capacity
) -> Listener:
    starter = ConnectionStarter(
        partial(Client, TrustedProxies(), ConnectionsPerAddress()),
        partial(HttpConnection, http),
        transports,
        http.counters,
        http.log,
        inherited.config.handshake_timeout,
    )
    # Operators can connect to the admin port even if the server is full.
    room = partial(capacity.room, extra=_ADMIN_CONNECTIONS)
    return Listener(sockets.admin, starter, room, http.counters, http.log)


def _are_local(listening: list[socket.socket]) -> bool:
    """Return whether all sockets listen on loopback addresses, so that only this machine can connect."""
    return all(is_loopback(str(one.getsockname()[0])) for one in listening)
