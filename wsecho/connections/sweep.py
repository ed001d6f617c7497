"""The sweep: once a second or so, who is late, silent or too old is looked after, whatever happens to others."""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic

from wsecho.connections.internal_errors import report, survive
from wsecho.connections.registry import Connection, Connections
from wsecho.connections.timers import Timed, Timers
from wsecho.counting.connection_counters import ConnectionCounters
from wsecho.logs import structured_log
from wsecho.options.config import Config

# Connections that a sweep looks at in one turn of the loop: half a millisecond's work if all are pinged.
_LOOKS_AT_ONCE = 25
# A sweep that comes later than that, in seconds, judges nobody.
_LATE = 1.0


async def sweep(connections: Connections, timers: Timers, counters: ConnectionCounters, interval: float) -> None:
    """Look, once an interval, after every connection whose time has come. Whatever fails, the next sweep comes."""
    loop = asyncio.get_running_loop()
    was_late = False
    while True:
        try:
            lag = await _sleep(interval)
            counters.loop_lag(lag)
            # The process was stopped, or starved. What its peers have sent meanwhile is still to be read. By the next
            # sweep it has been: who keeps us late must not be spared for it.
            was_late = lag > _LATE and not was_late
            if not was_late:
                await _look_after(connections, timers, loop)
                structured_log.log_suppressed()
        except Exception as error:
            report(loop, "sweep", error)
            # Not at once: it may have been the sleep that failed.
            await asyncio.sleep(0)


async def _sleep(seconds: float) -> float:
    """Return by how many seconds it became longer than that."""
    asked = monotonic()
    await asyncio.sleep(seconds)
    return max(0.0, monotonic() - asked - seconds)


async def _look_after(connections: Connections, timers: Timers, loop: asyncio.AbstractEventLoop) -> None:
    now = monotonic()
    for connection in connections.expired(now):
        _guarded(connection.expire, connection, loop)
    for number, timed in enumerate(timers.due(now), start=1):
        _guarded(partial(timed.check, now), timed, loop)
        if number % _LOOKS_AT_ONCE == 0:
            # Hundreds of pings take milliseconds, in which the echoes of others have their turn.
            await asyncio.sleep(0)


def _guarded(check: Callable[[], None], connection: Connection | Timed, loop: asyncio.AbstractEventLoop) -> None:
    """Whatever happens to this connection, all others depend on the sweep."""
    if not survive(loop, "sweep", check):
        survive(loop, "sweep", connection.abort)


def sweep_interval(config: Config) -> float:
    """Return the seconds between two sweeps: one, and less only where a limit is shorter than that."""
    times = (
        *(config.handshake_timeout, config.keep_alive_timeout, config.close_timeout, config.stall_timeout),
        *(config.ping_interval, config.ping_timeout, config.idle_timeout, config.max_lifetime),
    )
    return min(1.0, *(time / 2 for time in times if time))
