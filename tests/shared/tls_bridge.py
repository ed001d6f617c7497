"""A port that adds TLS for clients that do not speak it."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def tls_bridge(port: int) -> Iterator[int]:
    """Yield a port of 127.0.0.1 whose connections are forwarded to `port` over TLS. Each side's end ends the other
    side.
    """
    context = ssl._create_unverified_context()
    loop = asyncio.new_event_loop()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted_reader, encrypted_writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        # Python 3.11 reports a cancelled task as if it had failed.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_pump(reader, encrypted_writer), _pump(encrypted_reader, writer))

    listening = loop.run_until_complete(asyncio.start_server(connect, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_end(listening))
        loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # If one side ends by an error, the other side is closed as well.
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _end(listening: asyncio.Server) -> None:
    listening.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
