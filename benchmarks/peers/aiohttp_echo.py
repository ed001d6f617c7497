"""An echo server with aiohttp on uvloop, written like the WebSocket handlers in its documentation; no access log."""

import asyncio

import uvloop
from aiohttp import WSMsgType, web
from switches import parse

LIMIT_BYTES = 64 * 1024 * 1024
SWITCHES = parse(__doc__)


async def echo(request: web.Request) -> web.WebSocketResponse:
    connection = web.WebSocketResponse(compress=SWITCHES.deflate, max_msg_size=LIMIT_BYTES)
    await connection.prepare(request)
    async for message in connection:
        if message.type is WSMsgType.TEXT:
            await connection.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await connection.send_bytes(message.data)
    return connection


async def main() -> None:
    application = web.Application()
    application.router.add_get("/{path:.*}", echo)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", SWITCHES.port, ssl_context=SWITCHES.tls).start()
    print("port", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
