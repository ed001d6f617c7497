"""A client without a harness: echoes all messages of the address on the command line until the connection ends."""

import asyncio
import sys
from contextlib import suppress

import websockets


async def echo(url: str) -> None:
    """Echo until the end."""
    with suppress(websockets.ConnectionClosed, websockets.InvalidHandshake):
        async with websockets.connect(url, proxy=None) as connection:
            async for message in connection:
                await connection.send(message)


if __name__ == "__main__":
    asyncio.run(echo(sys.argv[1]))
