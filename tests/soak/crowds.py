"""What crowds do. Each function runs in a process of its own, and gives back its books."""

import asyncio
import contextlib
import resource
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import uvloop

from tests.shared.server import PATIENCE
from tests.soak.client import Books, Client, connect

# Connections opened at a time, and a second.
_AT_ONCE = 100
_RAMP = 1500.0
# How often messages of a crowd are sent that have become due, in seconds: part of their latencies is this wait.
_TICK = 0.01


def in_this_process(crowd: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
    """Run a crowd to its end."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(crowd(*arguments))


async def opened(port: int, count: int, books: Books) -> list[Client]:
    """Open so many WebSockets, not faster than the ramp."""
    clients: list[Client] = []
    began = monotonic()
    while len(clients) + books.failed_to_connect < count:
        wanted = min(_AT_ONCE, count - len(clients) - books.failed_to_connect)
        results = await asyncio.gather(*(connect(port, books) for _ in range(wanted)))
        clients += [client for client in results if client]
        await asyncio.sleep(began + len(clients) / _RAMP - monotonic())
    return clients


async def send_steadily(clients: list[Client], rate: float, until: float, tick: float = _TICK) -> None:
    """Let each client send `rate` messages a second, spread evenly over all, up to the monotonic time `until`.

    Looks at the clock again after `tick` seconds, or when the next message is due if that is later.
    """
    interval = 1 / (rate * len(clients))
    due = monotonic()
    position = 0
    while due < until:
        now = monotonic()
        while due <= now:
            client = clients[position % len(clients)]
            if not client.ended.done():
                client.send(due)
            position += 1
            due += interval
        await asyncio.sleep(max(tick, due - monotonic()))


async def all_echoed(clients: list[Client]) -> None:
    """Wait for the last echoes; what does not come in time is lost."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(client.all_echoed.wait() for client in clients if not client.ended.done()))


async def part(clients: list[Client]) -> None:
    """Close all, in order."""
    for client in clients:
        if not client.ended.done():
            client.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(client.ended for client in clients))


async def canary(port: int, seconds: float) -> Books:
    """One connection, ten messages a second, over all that the others do."""
    books = Books()
    (client,) = await opened(port, 1, books)
    await send_steadily([client], 10.0, monotonic() + seconds, tick=0)
    await all_echoed([client])
    await part([client])
    return books


async def steady(port: int, count: int, idle_seconds: float, busy_seconds: float, rate: float = 1.0) -> Books:
    """Open connections, hold them idle, then let each send; close all."""
    books = Books()
    clients = await opened(port, count, books)
    await asyncio.sleep(idle_seconds)
    await send_steadily(clients, rate, monotonic() + busy_seconds)
    await all_echoed(clients)
    books.unexpected_ends = books.ends.total()
    await part(clients)
    return books


async def churn(port: int, rate: float, seconds: float) -> Books:
    """Connect, have one message echoed, close: `rate` times a second."""
    books = Books()

    async def visit() -> None:
        client = await connect(port, books)
        if client:
            client.send(monotonic())
            await all_echoed([client])
            await part([client])

    began = monotonic()
    running: set[asyncio.Task[None]] = set()
    count = 0
    while (now := monotonic()) < began + seconds:
        while count < (now - began) * rate:
            task = asyncio.create_task(visit())
            running.add(task)
            task.add_done_callback(running.discard)
            count += 1
        await asyncio.sleep(_TICK)
    await asyncio.gather(*running)
    return books


@dataclass
class Survivors:
    """After a death: books of the connections that were not broken, how many were, and when all were back."""

    books: Books = field(default_factory=Books)
    broken: int = 0
    seconds_until_all_were_back: float = 0.0


async def through_a_death(port: int, count: int, seconds: float) -> Survivors:
    """Send steadily. Who is cut off comes back at once, as often as it takes, and has a message echoed."""
    survivors = Survivors()
    clients = await opened(port, count, survivors.books)
    first_break = 0.0

    async def come_back(client: Client) -> None:
        nonlocal first_break
        await asyncio.shield(client.ended)
        survivors.broken += 1
        survivors.books.sent -= client.sent - client.echoed
        broken_at = monotonic()
        first_break = first_break or broken_at
        books = Books()
        while not (again := await connect(port, books)):
            await asyncio.sleep(0.01)
        again.send(monotonic())
        await all_echoed([again])
        if books.lost == 0:
            survivors.seconds_until_all_were_back = monotonic() - first_break
        again.transport.abort()

    watching = [asyncio.create_task(come_back(client)) for client in clients]
    await send_steadily(clients, 1.0, monotonic() + seconds)
    await all_echoed(clients)
    for task, client in zip(watching, clients, strict=True):
        if not client.ended.done():
            task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    await part(clients)
    return survivors


async def until_the_goodbye(port: int, count: int) -> Books:
    """Have one message echoed on each connection, then wait for the server to end them all."""
    books = Books()
    clients = await opened(port, count, books)
    for client in clients:
        client.send(monotonic())
    await asyncio.gather(*(client.ended for client in clients))
    return books
