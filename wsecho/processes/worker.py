"""A worker: a process with one event loop, from its start to the end of its graceful shutdown."""

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
from wsecho.processes.composition import MakeRoutes, Parts, compose
from wsecho.processes.control import Control, Shutdown, SignalControl
from wsecho.processes.listening_socket import Sockets
from wsecho.processes.loop_errors import LoopErrors
from wsecho.processes.prefork import Prefork
from wsecho.telemetry.exports import Exports


def run(config: Config) -> None:
    """Serve as the only worker, in this process, until SIGTERM or SIGINT.

    Raises OSError, RuntimeError or OptionError if the server cannot start; the text is one line for the user.
    """
    inherited = prefork.prepare(config)
    bound = binding.listen(config)
    inherited.shared_page.worker_table.started(0, os.getpid())
    try:
        serve(inherited, 0, bound[0], SignalControl(inherited))
    finally:
        binding.close(bound)
        structured_log.flush()


def serve(
    inherited: Prefork, number: int, sockets: Sockets, control: Control, make_routes: MakeRoutes | None = None
) -> None:
    """Run worker `number` on `sockets` until `control` demands a shutdown and the drain has ended.

    `make_routes` makes the routes of the public port; None leaves those of an echo server.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(inherited, number, sockets, control, make_routes))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(
    inherited: Prefork, number: int, sockets: Sockets, control: Control, make_routes: MakeRoutes | None
) -> None:
    exports = _start_exports(inherited, control)
    counters = _start_counting(inherited, number)
    parts = compose(inherited, number, sockets, counters, exports, make_routes)
    shutdown = Shutdown(parts.connections)
    control.install_handlers(asyncio.get_running_loop(), shutdown)
    inherited.access.start(asyncio.get_running_loop())
    sweeping = asyncio.create_task(sweep(parts.connections, parts.timers, counters, sweep_interval(inherited.config)))
    # What exists now lives as long as the process, but for some hundred objects that are not worth a collection.
    gc.freeze()
    for listener in parts.listeners:
        listener.start()
    control.report_accepting(sockets)
    await shutdown.requested.wait()
    left = await _drain(inherited, parts)
    sweeping.cancel()
    parts.transports.close()
    exports.shutdown(0.0 if shutdown.is_immediate else left)
    # The signal handlers end with the event loop. A later signal would then have its default effect: it would kill this
    # process, which is about to exit with code 0.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def _start_exports(inherited: Prefork, control: Control) -> Exports:
    exports = Exports(inherited.instance_id, inherited.log)
    exports.export_log()
    if control.is_only_worker:
        exports.push(inherited.shared_page)
    return exports


def _start_counting(inherited: Prefork, number: int) -> ConnectionCounters:
    """Return the counters of worker `number`, and make the event loop and the log count their errors in them."""
    counters = ConnectionCounters(inherited.shared_page.rows[number], inherited.codec.Cells)
    asyncio.get_running_loop().set_exception_handler(LoopErrors(counters, inherited.log).handle)
    structured_log.count_dropped(counters.log_lines_dropped)
    structured_log.count_failures(partial(counters.internal_error, "log"))
    return counters


async def _drain(inherited: Prefork, parts: Parts) -> float:
    """Shut down gracefully: wait for the drain delay, stop listening, and close all connections.

    Returns the seconds that are left of the drain timeout.
    """
    config, log = inherited.config, inherited.log
    deadline = monotonic() + config.drain_timeout
    log.info("draining", connections=len(parts.connections))
    parts.health.draining = True
    await parts.connections.delay_drain(config.drain_delay)
    for listener in parts.listeners:
        listener.close()
    aborted = await parts.connections.drain(deadline - monotonic())
    log.info("stopped", cut_off=aborted)
    return deadline - monotonic()
