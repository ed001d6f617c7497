"""The client `websockets`, with its defaults."""

import websockets

from tests.compatibility.runners.running import is_done, main, trusting, written
from tests.compatibility.tasks import Outcome, Task


async def perform(task: Task, outcome: Outcome) -> None:
    """Perform a task."""
    try:
        connection = await websockets.connect(task.url, proxy=None, ssl=trusting(task.url))
    except websockets.InvalidStatus as error:
        outcome.status = error.response.status_code
        return
    outcome.opened = True
    outcome.status = 101
    try:
        for text in task.messages:
            await connection.send(text)
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
