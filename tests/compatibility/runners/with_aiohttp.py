"""The client of `aiohttp`, with its defaults unless the task says otherwise."""

import asyncio
from typing import Any

import aiohttp

from tests.compatibility.runners.running import is_done, main, sending, trusting, written
from tests.compatibility.tasks import Outcome, Task

_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
_LARGEST_WINDOW = 15


def _settings(task: Task) -> dict[str, Any]:
    """Return what is not a default. permessage-deflate is not offered by default."""
    settings: dict[str, Any] = {"protocols": task.subprotocols, "headers": task.headers}
    if task.deflate:
        settings["compress"] = _LARGEST_WINDOW
    if task.closing_timeout is not None:
        settings["timeout"] = aiohttp.ClientWSTimeout(ws_close=task.closing_timeout)
    return settings


async def perform(task: Task, outcome: Outcome) -> None:
    """Perform a task."""
    async with aiohttp.ClientSession() as session:
        try:
            # It has no time limit of its own for a handshake.
            async with asyncio.timeout(task.opening_timeout):
                connection = await session.ws_connect(task.url, ssl=trusting(task.url) or True, **_settings(task))
        except aiohttp.WSServerHandshakeError as error:
            outcome.status = error.status
            outcome.headers = {name.lower(): value for name, value in (error.headers or {}).items()}
            return
        outcome.opened = True
        outcome.status = 101
        if task.pings:
            await connection.ping()
        async with sending(task, connection.send_str):
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
