"""A worker: one event loop, from its start to the end of its drain."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

import structlog

from wsecho.access.access_control import Access
from wsecho.codec import selection
from wsecho.codec.selection import Codec
from wsecho.connections.capacity import Capacity
from wsecho.connections.fair_queues import Heads, Turns
from wsecho.connections.http_connection import HttpConnection
from wsecho.connections.keepalive import Limits
from wsecho.connections.listener import Listener
from wsecho.connections.loans import Loans
from wsecho.connections.registry import Connections
from wsecho.connections.sweep import sweep, sweep_interval
from wsecho.connections.timers import Schedule
from wsecho.counting.connection_counters import Ledger
from wsecho.counting.shared_page import Stats
from wsecho.http.addresses import is_loopback
from wsecho.logs import structured_log
from wsecho.options import environment
from wsecho.options.config import Config
from wsecho.options.option import OptionError
from wsecho.processes import binding
from wsecho.processes.binding import Sockets
from wsecho.processes.control import Alone, Orders, Stop
from wsecho.proxies.client import Caller
from wsecho.proxies.connections_per_address import Shares
from wsecho.proxies.trusted_proxies import Proxies
from wsecho.routes import assets
from wsecho.routes.assets import Assets
from wsecho.routes.routes import Routes
from wsecho.telemetry.exports import Exports
from wsecho.telemetry.prometheus_page import Telemetry
from wsecho.telemetry.spans import Traces
from wsecho.tls import server
from wsecho.tls.server import Tls
from wsecho.tls.transport import is_peers_doing
from wsecho.websocket.inflater import InflaterMemory
from wsecho.websocket.message_counters import Tally
from wsecho.websocket.receive_buffer import ReceiveBuffer

# A request's head is read in pieces of this size, which also bounds what may follow a handshake unasked.
_REQUEST_BUFFER_SIZE = 16 * 1024
# Descriptors kept for everything that is not a connection, and for those that are to be told that there is no room.
_SPARE_DESCRIPTORS = 256
_MOST_TOLD_AT_ONCE = 64
# With fewer there is hardly a connection, or not even an event loop, whose library then says so in many ways.
_LEAST_DESCRIPTORS = 32
# Connections that the admin port takes beyond the most that are held otherwise.
_ADMIN_CONNECTIONS = 32
# Objects made and not freed before the collector looks at the youngest ones: those of some hundred connections.
_GARBAGE_THRESHOLD = 10_000


@dataclass(slots=True)
class Services:
    """What all connections of a worker share."""

    config: Config
    codec: Codec
    routes: Routes
    connections: Connections
    capacity: Capacity
    shares: Shares
    schedule: Schedule
    limits: Limits
    loans: Loans
    turns: Turns
    heads: Heads
    inflater_memory: InflaterMemory
    receive_buffer: ReceiveBuffer
    request_buffer: memoryview
    tally: Tally
    ledger: Ledger
    traces: Traces
    log: structlog.typing.FilteringBoundLogger
    loop: asyncio.AbstractEventLoop

    def now(self) -> float:
        """Return the monotonic clock's time in seconds."""
        return monotonic()


@dataclass(frozen=True, slots=True)
class Foundation:
    """What is made before any worker, and is the same for all of them.

    `reloads` are called on SIGHUP, by every worker and by their supervisor, from which later workers inherit. One that
    fails raises OSError or ValueError with a line for the user, and leaves everything as it was.
    """

    config: Config
    codec: Codec
    pages: Assets
    stats: Stats
    instance_id: str
    encryption: Tls | None
    access: Access
    reloads: list[Callable[[], None]]
    log: structlog.typing.FilteringBoundLogger


def prepare(config: Config, workers: int = 1) -> Foundation:
    """Make what workers share. Raises OSError, RuntimeError or OptionError with a line for the user if that cannot be.

    It starts no thread and no event loop, nor anything of OpenTelemetry's SDK: the process may fork afterwards.
    """
    _raise_descriptor_limit()
    _check_capacity(config.max_connections)
    log = structured_log.configure(config.log_level, config.log_format)
    for facts in environment.ignored(os.environ):
        log.warning("a variable is ignored", **facts)
    chosen = selection.load(config.codec)
    if chosen.name == "python" and config.codec == "auto":
        hidden = selection.hidden_installation()
        remedy = (
            f"run 'wsecho': {hidden} is hidden by this folder"
            if hidden
            else "with a C compiler: make build, or pip install ."
        )
        log.warning("the codec is not compiled: echoes cost more", remedy=remedy)
    encryption = server.configured(config, log)
    access = Access(config, log)
    return Foundation(
        config=config,
        codec=chosen,
        pages=Assets(assets.directory()),
        stats=Stats(workers, chosen.name),
        instance_id=str(uuid.uuid4()),
        encryption=encryption,
        access=access,
        reloads=[*([encryption.reload] if encryption else []), access.reload],
        log=log,
    )


def run(config: Config) -> None:
    """Serve, as the only worker, until SIGTERM or SIGINT.

    Raises OSError, RuntimeError or OptionError with a line for the user when it cannot start.
    """
    foundation = prepare(config)
    bound = binding.listen(config)
    foundation.stats.roster.started(0, os.getpid())
    try:
        serve(foundation, 0, bound[0], Alone(foundation))
    finally:
        binding.close(bound)
        structured_log.flush()


def serve(foundation: Foundation, number: int, sockets: Sockets, orders: Orders) -> None:
    """Be worker `number` until `orders` say otherwise and the drain has ended."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(foundation, number, sockets, orders))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(foundation: Foundation, number: int, sockets: Sockets, orders: Orders) -> None:
    config, log = foundation.config, foundation.log
    exports = Exports(foundation.instance_id, log)
    exports.log_lines()
    if orders.is_alone:
        exports.push(foundation.stats)
    loop = asyncio.get_running_loop()
    services = _services(foundation, number, sockets, exports, loop)
    connections, ledger = services.connections, services.ledger
    loop.set_exception_handler(partial(_on_loop_error, ledger, log))
    structured_log.count_dropped(ledger.log_lines_dropped)
    structured_log.count_failures(partial(ledger.internal_error, "log"))
    listeners = _listeners(foundation, services, sockets)
    stop = Stop(connections)
    orders.obey(loop, stop)
    foundation.access.start(loop)
    sweeping = loop.create_task(sweep(services, sweep_interval(config)))
    _calm_garbage_collector()
    for accepting in listeners:
        accepting.start()
    orders.accepts(sockets)

    await stop.asked.wait()
    deadline = monotonic() + config.drain_timeout
    log.info("draining", connections=len(connections))
    services.routes.draining = True
    await connections.linger(config.drain_delay)
    for accepting in listeners:
        accepting.close()
    cut = await connections.drain(deadline - monotonic())
    sweeping.cancel()
    log.info("stopped", cut_off=cut)
    exports.shutdown(0.0 if stop.hurried else deadline - monotonic())
    # The loop takes its handlers with it, and by default a late signal would kill what is ending well.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def _services(
    foundation: Foundation, number: int, sockets: Sockets, exports: Exports, loop: asyncio.AbstractEventLoop
) -> Services:
    config, stats = foundation.config, foundation.stats
    connections = Connections()
    inflater_memory = InflaterMemory(config.inflater_memory)
    capacity = _capacity(connections, config.max_connections)
    shares = Shares(config.max_connections_per_address)
    return Services(
        config=config,
        codec=foundation.codec,
        routes=Routes(
            foundation.pages,
            Telemetry(stats, exports.resource).page,
            foundation.access.gate,
            instance_id=foundation.instance_id,
            codec=foundation.codec.name,
            subprotocol_policy=config.subprotocol,
            may_deflate=lambda: not config.no_deflate and inflater_memory.has_room(),
            is_full=capacity.is_full,
            is_crowded=shares.is_exceeded,
            has_admin_port=bool(sockets.admin),
            admin_name=config.admin_host if _are_local(sockets.admin) else None,
        ),
        connections=connections,
        capacity=capacity,
        shares=shares,
        schedule=Schedule(monotonic(), sweep_interval(config)),
        limits=Limits(
            ping_interval=config.ping_interval,
            ping_timeout=config.ping_timeout,
            idle_timeout=config.idle_timeout,
            max_lifetime=config.max_lifetime,
            max_frame_rate=config.max_frame_rate,
            max_byte_rate=config.max_byte_rate,
        ),
        loans=Loans(config.loan_limit, loop),
        turns=Turns(loop, foundation.codec),
        heads=Heads(loop),
        inflater_memory=inflater_memory,
        receive_buffer=foundation.codec.ReceiveBuffer(config.receive_buffer_size, config.hold_limit),
        request_buffer=memoryview(bytearray(_REQUEST_BUFFER_SIZE)),
        tally=foundation.codec.Tally(stats.rows[number].echo),
        ledger=Ledger(stats.rows[number]),
        traces=exports.traces(),
        log=foundation.log,
        loop=loop,
    )


def _listeners(foundation: Foundation, services: Services, sockets: Sockets) -> list[Listener]:
    """Return one for the public port and, if there is one, one for the admin port."""
    config, log, capacity = foundation.config, foundation.log, services.capacity
    proxies = Proxies(config.trusted_proxy, config.forwarded_header)
    listeners = [
        Listener(
            sockets.public,
            partial(Caller, proxies, services.shares),
            partial(HttpConnection, services, services.routes.answer),
            capacity.has_room,
            services.ledger,
            log,
            foundation.encryption,
            proxies if config.proxy_protocol else None,
            config.handshake_timeout,
        )
    ]
    if sockets.admin:
        admin = Listener(
            sockets.admin,
            partial(Caller, Proxies(), Shares()),
            partial(HttpConnection, services, services.routes.answer_admin),
            # Whoever operates the server gets in also when it is full.
            lambda starting: capacity.has_room(starting - _ADMIN_CONNECTIONS),
            services.ledger,
            log,
            None,
            None,
            config.handshake_timeout,
        )
        listeners.append(admin)
    return listeners


def _are_local(listening: list[socket.socket]) -> bool:
    """Tell whether only this machine can connect."""
    return all(is_loopback(str(one.getsockname()[0])) for one in listening)


def _calm_garbage_collector() -> None:
    """Let it never look again at what lives as long as the process, and seldom at connections: they free themselves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)


def _on_loop_error(
    ledger: Ledger, log: structlog.typing.FilteringBoundLogger, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    error = context.get("exception")
    place = context.get("place")
    if not place and (isinstance(error, OSError) or is_peers_doing(error)):
        # A peer that went at the wrong moment: its doing, not our error.
        log.debug("connection lost", cause=str(error))
        return
    # First: to say it may take memory that is not there.
    ledger.internal_error(place or ("connection" if "transport" in context else "callback"))
    if place and isinstance(error, MemoryError):
        log.error("out of memory", place=place)
    elif isinstance(error, MemoryError):
        log.error("out of memory for a connection", cause=context["message"])
    else:
        log.error("unexpected error", cause=context["message"], exc_info=error)


def _raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard one, if that can be. Raises OSError if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems have a hard limit of infinity, and do not mean it.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft < _LEAST_DESCRIPTORS:
        raise OSError(f"only {soft} files may be open (ulimit -n): at least {_LEAST_DESCRIPTORS} are needed")


def _check_capacity(max_connections: int) -> None:
    """Raise OptionError if there are too few descriptors for what was asked for."""
    most, spare = _descriptors()
    if max_connections > most:
        raise OptionError(
            f"--max-connections: {max_connections} need as many descriptors and {spare} more, "
            f"and the limit (ulimit -n) is {most + spare}: at most {most} can be held"
        )


def _capacity(connections: Connections, max_connections: int) -> Capacity:
    """Let in as many as were asked for, or as the descriptors suffice for."""
    most, spare = _descriptors()
    return Capacity(connections, max_connections or most, min(_MOST_TOLD_AT_ONCE, spare // 2))


def _descriptors() -> tuple[int, int]:
    """Return how many there are for connections, and how many for everything else."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = min(_SPARE_DESCRIPTORS, limit // 4)
    return limit - spare, spare
