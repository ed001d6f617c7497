"""What all runners in Python do: read tasks as JSON from standard input, and print each outcome as a line of JSON."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from time import monotonic
from typing import Any

from tests.compatibility.tasks import Outcome, Task

_AT_ONCE = 8
# Seconds between repetitions of messages.
_BETWEEN = 1.0

Perform = Callable[[Task, Outcome], Awaitable[None]]


def main(perform: Perform, grace: float = 0.0) -> None:
    """Perform all tasks, some of them at the same time. `grace` is added to the time limit of each."""
    tasks = [Task(**each) for each in json.load(sys.stdin)]
    asyncio.new_event_loop().run_until_complete(_perform_all(perform, tasks, grace))
    # Without waiting for clients that hang in a thread, as asyncio.run would.
    sys.stdout.flush()
    os._exit(0)


async def _perform_all(perform: Perform, tasks: list[Task], grace: float) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(task: Task) -> None:
        async with room:
            outcome = Outcome(task.number, messages=[])
            began = monotonic()
            try:
                async with asyncio.timeout(task.limit + grace) as limit:
                    await perform(task, outcome)
            except Exception as error:
                # A client that raises has failed, at the latest now. What it told before stays.
                print(f"{task.number}: {error!r}", file=sys.stderr)
                outcome.unfinished = limit.expired()
            outcome.seconds = outcome.seconds or round(monotonic() - began, 3)
            print(json.dumps(asdict(outcome)), flush=True)

    await asyncio.gather(*map(one, tasks))


def written(data: str | bytes | bytearray | memoryview) -> str:
    """Return a message as outcomes have it."""
    return data if isinstance(data, str) else f"hex:{bytes(data).hex()}"


@asynccontextmanager
async def sending(task: Task, send: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """Send the messages meanwhile. Where that fails, the client notices the end of the connection by reading."""

    async def send_all() -> None:
        with suppress(Exception):
            for text in task.messages:
                await send(text)
            while task.repeats:
                await asyncio.sleep(_BETWEEN)
                for text in task.messages:
                    await send(text)

    running = asyncio.create_task(send_all())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def is_done(task: Task, outcome: Outcome) -> bool:
    """Return whether all messages are in that the client reads before it goes on."""
    assert outcome.messages is not None
    return len(outcome.messages) == task.reads


def trusting(url: str) -> Any:
    """Return a TLS context that verifies nothing, None for an address without TLS."""
    return ssl._create_unverified_context() if url.startswith("wss:") else None
