"""An echo server with `websockets` on uvloop, written like the servers in its documentation.

Keepalive pings are off, and the message size is not limited. With --deflate, compression has the library's defaults.
"""

import uvloop
from switches import parse
from websockets.asyncio.server import ServerConnection, serve

SWITCHES = parse(__doc__)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    async with serve(
        echo,
        "127.0.0.1",
        SWITCHES.port,
        ssl=SWITCHES.tls,
        compression="deflate" if SWITCHES.deflate else None,
        max_size=None,
        ping_interval=None,
    ) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
