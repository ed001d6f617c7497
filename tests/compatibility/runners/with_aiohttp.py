"""The client of `aiohttp`, with its defaults."""

import aiohttp

from tests.compatibility.runners.running import is_done, main, trusting, written
from tests.compatibility.tasks import Outcome, Task

_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


async def perform(task: Task, outcome: Outcome) -> None:
    """Perform a task."""
    async with aiohttp.ClientSession() as session:
        try:
            connection = await session.ws_connect(task.url, ssl=trusting(task.url) or True)
        except aiohttp.WSServerHandshakeError as error:
            outcome.status = error.status
            return
        outcome.opened = True
        outcome.status = 101
        for text in task.messages:
            await connection.send_str(text)
        while not is_done(task, outcome):
            message = await connection.receive()
            if message.type not in _DATA:
                outcome.clean = message.type is aiohttp.WSMsgType.CLOSE
                outcome.close_code = connection.close_code
                outcome.reason = (message.extra or "") if outcome.clean else ""
                return
            assert outcome.messages is not None
            outcome.messages.append(written(message.data))
            if task.echoes:
                send = connection.send_str if message.type is aiohttp.WSMsgType.TEXT else connection.send_bytes
                await send(message.data)
        if task.closes:
            await connection.close()
            outcome.close_code = connection.close_code
            outcome.clean = connection.close_code != aiohttp.WSCloseCode.ABNORMAL_CLOSURE


if __name__ == "__main__":
    main(perform)
