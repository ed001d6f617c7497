"""An echo server with `picows` on uvloop, written like the servers in its documentation.

It uses picows' own transports (aiofastnet), which is the default. The message size limit is raised, so that all
messages of the benchmark fit. The core of picows has no compression: with --deflate, the server uses
`picows.websockets`, the package's equivalent of the `websockets` library, which has it.
"""

import logging

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server
from picows.websockets.asyncio.server import ServerConnection, serve
from switches import parse

LIMIT_BYTES = 64 * 1024 * 1024
SWITCHES = parse(__doc__)


class Echo(WSListener):
    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)


def accept(request: WSUpgradeRequest) -> Echo:
    return Echo()


async def main() -> None:
    server = await ws_create_server(accept, "127.0.0.1", SWITCHES.port, ssl=SWITCHES.tls, max_frame_size=LIMIT_BYTES)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main_with_deflate() -> None:
    async with serve(
        echo, "127.0.0.1", SWITCHES.port, ssl=SWITCHES.tls, max_size=LIMIT_BYTES, ping_interval=None
    ) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    uvloop.run(main_with_deflate() if SWITCHES.deflate else main())
