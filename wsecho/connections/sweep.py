"""The sweep: once a second or so, who is late, silent or too old is looked after, whatever happens to others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from wsecho.connections.internal_errors import survive, tell
from wsecho.connections.registry import Connection
from wsecho.connections.timers import Scheduled
from wsecho.logs import structured_log
from wsecho.options.config import Config

if TYPE_CHECKING:
    from wsecho.processes.worker import Services

# Connections that a sweep looks at in one turn of the loop: half a millisecond's work if all are pinged.
_LOOKS_AT_ONCE = 25
# A sweep that comes later than that, in seconds, judges nobody.
_LATE = 1.0


async def sweep(services: Services, interval: float) -> None:
    """Look, once an interval, after every connection whose time has come. Whatever fails, the next sweep comes."""
    was_late = False
    while True:
        try:
            was_late = await _sweep_once(services, interval, was_late)
        except Exception as error:
            tell(services.loop, "sweep", error)
            # Not at once: it may have been the sleep that failed.
            await asyncio.sleep(0)


async def _sweep_once(services: Services, interval: float, was_late: bool) -> bool:
    """Sleep, then look; tell whether that was so late that nobody was judged."""
    asked = monotonic()
    await asyncio.sleep(interval)
    now = monotonic()
    lag = max(0.0, now - asked - interval)
    services.ledger.loop_lag(lag)
    if lag > _LATE and not was_late:
        # The process was stopped, or starved. What its peers have sent meanwhile is still to be read. By the next sweep
        # it has been: who keeps us late must not be spared for it.
        return True
    for connection in services.connections.expired(now):
        _guarded(connection.expire, connection, services)
    for number, scheduled in enumerate(services.schedule.due(now), start=1):
        _guarded(partial(scheduled.look, now), scheduled, services)
        if number % _LOOKS_AT_ONCE == 0:
            # Hundreds of pings take milliseconds, in which the echoes of others have their turn.
            await asyncio.sleep(0)
    structured_log.tell_suppressed()
    return False


def _guarded(look: Callable[[], None], connection: Connection | Scheduled, services: Services) -> None:
    """Whatever happens to this connection, all others depend on the sweep."""
    if not survive(services.loop, "sweep", look):
        survive(services.loop, "sweep", connection.abort)


def sweep_interval(config: Config) -> float:
    """Return the seconds between two sweeps: one, and less only where a limit is shorter than that."""
    times = (
        *(config.handshake_timeout, config.keep_alive_timeout, config.close_timeout, config.stall_timeout),
        *(config.ping_interval, config.ping_timeout, config.idle_timeout, config.max_lifetime),
    )
    return min(1.0, *(time / 2 for time in times if time))
