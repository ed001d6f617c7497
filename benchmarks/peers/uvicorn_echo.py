"""An echo server as a minimal ASGI application under uvicorn on uvloop; no access log, keepalive pings or lifespan.

Of uvicorn's WebSocket implementations it uses the one that needs the least CPU time; README.md has the comparison.
"""

import socket

import uvicorn
from switches import parse
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.supervisors import Multiprocess

LIMIT_BYTES = 64 * 1024 * 1024
READY_SECONDS = 10.0


async def echo(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})


def announce(listener: socket.socket) -> None:
    print("port", listener.getsockname()[1], flush=True)


class AnnouncedServer(uvicorn.Server):
    """Prints its port when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        announce(self.servers[0].sockets[0])


class AnnouncedProcesses(Multiprocess):
    """Prints its port once for each worker that listens."""

    def init_processes(self) -> None:
        super().init_processes()
        for process in self.processes:
            if process.wait_until_ready(READY_SECONDS):
                announce(self.sockets[0])


def main() -> None:
    switches = parse(__doc__)
    config = uvicorn.Config(
        echo,
        port=switches.port,
        workers=switches.workers,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=LIMIT_BYTES,
        ws_ping_interval=None,
        ws_per_message_deflate=switches.deflate,
        lifespan="off",
        log_level="warning",
        access_log=False,
        ssl_certfile=switches.tls_cert,
        ssl_keyfile=switches.tls_key,
    )
    if switches.workers == 1:
        AnnouncedServer(config).run()
    else:
        AnnouncedProcesses(config, [config.bind_socket()]).run()


if __name__ == "__main__":
    main()
