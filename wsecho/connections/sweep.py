"""The sweep: about once a second, it ends connections that missed a deadline and checks those whose timer is due. An
error in one connection does not affect the others.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic

from wsecho.connections.internal_errors import report, run_guarded
from wsecho.connections.registry import Connection, Connections
from wsecho.connections.timers import Timed, Timers
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.logs import structured_log
from wsecho.options.config import Config

# Connections that a sweep checks in one iteration of the event loop: half a millisecond of work if all are pinged.
_CHECKS_AT_ONCE = 25
# A sweep that comes more than this late, in seconds, checks no connection, unless the previous one checked none.
_LATE = 1.0


async def sweep(connections: Connections, timers: Timers, counters: ConnectionCounters, interval: float) -> None:
    """Check the connections that are due, every `interval` seconds, for ever. An error does not stop later sweeps."""
    loop = asyncio.get_running_loop()
    is_skipped = False
    while True:
        try:
            lag = await _sleep(interval)
            counters.loop_lag(lag)
            # The process was stopped or got no CPU time. What the peers sent meanwhile has not been read yet; by the
            # next sweep it has been. The next sweep checks even if it is late too: a client that keeps the server busy
            # must not benefit from it.
            skips = lag > _LATE and not is_skipped
            if not skips:
                await _check_all(connections, timers, loop)
                structured_log.log_suppressed()
            # Last, so that a sweep that failed after a skipped one is not followed by another skipped one.
            is_skipped = skips
        except Exception as error:
            report(loop, "sweep", error)
            # The sleep may be what failed: without this, the loop could spin.
            await asyncio.sleep(0)


async def _sleep(seconds: float) -> float:
    """Sleep, and return by how many seconds it took longer."""
    asked = monotonic()
    await asyncio.sleep(seconds)
    return max(0.0, monotonic() - asked - seconds)


async def _check_all(connections: Connections, timers: Timers, loop: asyncio.AbstractEventLoop) -> None:
    now = monotonic()
    for connection in connections.expired(now):
        _check(connection.expire, connection, loop)
    for number, timed in enumerate(timers.due(now), start=1):
        _check(partial(timed.check, now), timed, loop)
        if number % _CHECKS_AT_ONCE == 0:
            # Hundreds of pings take milliseconds. Serve other connections in between.
            await asyncio.sleep(0)


def _check(check: Callable[[], None], connection: Connection | Timed, loop: asyncio.AbstractEventLoop) -> None:
    """Call `check`; if it fails, abort this connection, so that the sweep goes on for all others."""
    if not run_guarded(loop, "sweep", check):
        run_guarded(loop, "sweep", connection.abort)


def sweep_interval(config: Config) -> float:
    """Return the seconds between two sweeps: one second, or half of the shortest time limit where that is less."""
    times = (
        *(config.handshake_timeout, config.keep_alive_timeout, config.close_timeout, config.stall_timeout),
        *(config.ping_interval, config.ping_timeout, config.idle_timeout, config.max_lifetime),
    )
    return min(1.0, *(time / 2 for time in times if time))
