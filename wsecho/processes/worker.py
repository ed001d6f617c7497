"""A worker: one event loop, from its start to the end of its drain."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from functools import partial
from time import monotonic

from wsecho.connections.sweep import sweep, sweep_interval
from wsecho.counting.connection_counters import Ledger
from wsecho.logs import structured_log
from wsecho.options.config import Config
from wsecho.processes import binding, prefork
from wsecho.processes.binding import Sockets
from wsecho.processes.composition import Parts, compose
from wsecho.processes.control import Alone, Orders, Stop
from wsecho.processes.loop_errors import LoopErrors
from wsecho.processes.prefork import Foundation
from wsecho.telemetry.exports import Exports

# Objects made and not freed before the collector looks at the youngest ones: those of some hundred connections.
_GARBAGE_THRESHOLD = 10_000


def run(config: Config) -> None:
    """Serve, as the only worker, until SIGTERM or SIGINT.

    Raises OSError, RuntimeError or OptionError with a line for the user when it cannot start.
    """
    foundation = prefork.prepare(config)
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
    exports = _start_exports(foundation, orders)
    ledger = _start_counting(foundation, number)
    parts = compose(foundation, number, sockets, ledger, exports)
    stop = Stop(parts.connections)
    orders.obey(asyncio.get_running_loop(), stop)
    foundation.access.start(asyncio.get_running_loop())
    sweeping = asyncio.create_task(sweep(parts.connections, parts.schedule, ledger, sweep_interval(foundation.config)))
    _calm_garbage_collector()
    for accepting in parts.listeners:
        accepting.start()
    orders.accepts(sockets)
    await stop.asked.wait()
    left = await _drain(foundation, parts)
    sweeping.cancel()
    exports.shutdown(0.0 if stop.hurried else left)
    # The loop takes its handlers with it, and by default a late signal would kill what is ending well.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def _start_exports(foundation: Foundation, orders: Orders) -> Exports:
    exports = Exports(foundation.instance_id, foundation.log)
    exports.log_lines()
    if orders.is_alone:
        exports.push(foundation.stats)
    return exports


def _start_counting(foundation: Foundation, number: int) -> Ledger:
    """Return what counts in the worker's row, and let the event loop and the log count their errors there."""
    ledger = Ledger(foundation.stats.rows[number])
    asyncio.get_running_loop().set_exception_handler(LoopErrors(ledger, foundation.log).handle)
    structured_log.count_dropped(ledger.log_lines_dropped)
    structured_log.count_failures(partial(ledger.internal_error, "log"))
    return ledger


async def _drain(foundation: Foundation, parts: Parts) -> float:
    """End all connections, and return what is left of the time for that, in seconds."""
    config, log = foundation.config, foundation.log
    deadline = monotonic() + config.drain_timeout
    log.info("draining", connections=len(parts.connections))
    parts.health.draining = True
    await parts.connections.linger(config.drain_delay)
    for accepting in parts.listeners:
        accepting.close()
    cut = await parts.connections.drain(deadline - monotonic())
    log.info("stopped", cut_off=cut)
    return deadline - monotonic()


def _calm_garbage_collector() -> None:
    """Let it never look again at what lives as long as the process, and seldom at connections: they free themselves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
