"""The client `websockets`, with its defaults unless the task says otherwise."""

from typing import Any

import websockets

from tests.compatibility.runners.running import is_done, main, sending, trusting, written
from tests.compatibility.tasks import Outcome, Task


def _settings(task: Task) -> dict[str, Any]:
    """Return what is not a default. permessage-deflate is offered by default."""
    limits = {"open_timeout": task.opening_timeout, "close_timeout": task.closing_timeout}
    return {
        **{"subprotocols": task.subprotocols or None, "additional_headers": task.headers},
        **{name: seconds for name, seconds in limits.items() if seconds is not None},
    }


async def perform(task: Task, outcome: Outcome) -> None:
    """Perform a task."""
    try:
        connection = await websockets.connect(task.url, proxy=None, ssl=trusting(task.url), **_settings(task))
    except websockets.InvalidStatus as error:
        outcome.status = error.response.status_code
        outcome.headers = {name.lower(): value for name, value in error.response.headers.raw_items()}
        outcome.body = bytes(error.response.body or b"").decode()
        return
    outcome.opened = True
    outcome.status = 101
    try:
        if task.pings:
            await connection.ping()
        async with sending(task, connection.send):
            while not is_done(task, outcome):
                data = await connection.recv()
                assert outcome.messages is not None
                outcome.messages.append(written(data))
                if task.echoes:
                    await connection.send(data)
        if not task.closes:
            connection.transport.abort()
            return
        await connection.close()
    except websockets.ConnectionClosed:
        await connection.wait_closed()
    outcome.close_code, outcome.reason = connection.close_code, connection.close_reason
    outcome.clean = connection.protocol.close_rcvd is not None


if __name__ == "__main__":
    main(perform)
