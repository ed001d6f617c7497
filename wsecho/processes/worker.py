"""A worker: one event loop, from its start to the end of its drain."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from functools import partial
from time import monotonic

from wsecho.connections.sweep import sweep, sweep_interval
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.logs import structured_log
from wsecho.options.config import Config
from wsecho.processes import binding, prefork
from wsecho.processes.binding import Sockets
from wsecho.processes.composition import Parts, compose
from wsecho.processes.control import Control, SignalControl, Stop
from wsecho.processes.loop_errors import LoopErrors
from wsecho.processes.prefork import Prefork
from wsecho.telemetry.exports import Exports

# Objects made and not freed before the collector looks at the youngest ones: those of some hundred connections.
_GARBAGE_THRESHOLD = 10_000


def run(config: Config) -> None:
    """Serve, as the only worker, until SIGTERM or SIGINT.

    Raises OSError, RuntimeError or OptionError with a line for the user when it cannot start.
    """
    inherited = prefork.prepare(config)
    bound = binding.listen(config)
    inherited.shared_page.worker_table.started(0, os.getpid())
    try:
        serve(inherited, 0, bound[0], SignalControl(inherited))
    finally:
        binding.close(bound)
        structured_log.flush()


def serve(inherited: Prefork, number: int, sockets: Sockets, control: Control) -> None:
    """Be worker `number` until `orders` say otherwise and the drain has ended."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(inherited, number, sockets, control))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(inherited: Prefork, number: int, sockets: Sockets, control: Control) -> None:
    exports = _start_exports(inherited, control)
    counters = _start_counting(inherited, number)
    parts = compose(inherited, number, sockets, counters, exports)
    stop = Stop(parts.connections)
    control.obey(asyncio.get_running_loop(), stop)
    inherited.access.start(asyncio.get_running_loop())
    sweeping = asyncio.create_task(sweep(parts.connections, parts.timers, counters, sweep_interval(inherited.config)))
    _calm_garbage_collector()
    for accepting in parts.listeners:
        accepting.start()
    control.accepts(sockets)
    await stop.asked.wait()
    left = await _drain(inherited, parts)
    sweeping.cancel()
    exports.shutdown(0.0 if stop.hurried else left)
    # The loop takes its handlers with it, and by default a late signal would kill what is ending well.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def _start_exports(inherited: Prefork, control: Control) -> Exports:
    exports = Exports(inherited.instance_id, inherited.log)
    exports.log_lines()
    if control.is_alone:
        exports.push(inherited.shared_page)
    return exports


def _start_counting(inherited: Prefork, number: int) -> ConnectionCounters:
    """Return what counts in the worker's row, and let the event loop and the log count their errors there."""
    counters = ConnectionCounters(inherited.shared_page.rows[number])
    asyncio.get_running_loop().set_exception_handler(LoopErrors(counters, inherited.log).handle)
    structured_log.count_dropped(counters.log_lines_dropped)
    structured_log.count_failures(partial(counters.internal_error, "log"))
    return counters


async def _drain(inherited: Prefork, parts: Parts) -> float:
    """End all connections, and return what is left of the time for that, in seconds."""
    config, log = inherited.config, inherited.log
    deadline = monotonic() + config.drain_timeout
    log.info("draining", connections=len(parts.connections))
    parts.health.draining = True
    await parts.connections.delay_drain(config.drain_delay)
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
