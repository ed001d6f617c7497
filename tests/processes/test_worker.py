"""Graceful shutdown of workers: the drain delay, the drain timeout, and a Close frame for every client.

Modules: `worker`, `composition`.
"""

import asyncio
import signal

import pytest

from tests.conftest import Serve
from tests.shared.commands import run
from tests.shared.frames import CLOSE, TEXT, client_frame, server_frame
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import PATIENCE
from tests.shared.workers import SHUTDOWN_CLOSE, clients, echoes, leave


def test_peers_that_never_answer_do_not_delay_a_drain(serve: Serve) -> None:
    server = serve("--workers", "2", "--close-timeout", "60s", "--drain-timeout", "500ms")
    with clients(server, 10) as connections:
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        for connection in connections:
            assert connection.receive(len(SHUTDOWN_CLOSE)) == SHUTDOWN_CLOSE


def test_a_drain_delay_serves_connected_clients_and_refuses_new_ones(serve: Serve) -> None:
    server = serve("--workers", "2", "--drain-delay", "4s", "--drain-timeout", "24s")
    with clients(server, 10) as connections:
        server.process.send_signal(signal.SIGTERM)
        for _ in range(2):
            server.wait_for_log("draining")
        assert (server.get("/ready")[0], server.get("/health")[0]) == (503, 200)
        with RawConnection(server.port) as late:
            late.send(HANDSHAKE)
            answer = late.receive_all().decode().split("\r\n")
            assert answer[0] == "HTTP/1.1 503 Service Unavailable"
            assert {"Retry-After: 1", "Connection: close"} <= set(answer)
        assert all(echoes(connection) for connection in connections)
        for connection in connections:
            leave(connection)
    assert server.wait() == 0


def test_a_drain_delay_must_leave_time_to_drain() -> None:
    result = run("-m", "wsecho", "--drain-delay", "7s")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "--drain-delay" in result.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_each_of_5000_clients_gets_a_close_after_its_last_echo(serve: Serve, workers: int) -> None:
    # One process runs all clients, so it may take its time.
    server = serve("--workers", str(workers), "--close-timeout", "5m", "--drain-timeout", "5m")
    count, last = 5000, server_frame(TEXT, b"last message")

    async def client(policy: asyncio.Semaphore, opened: asyncio.Semaphore) -> bytes:
        async with policy:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HANDSHAKE + client_frame(TEXT, b"last message"))
            assert await reader.readexactly(len(SWITCHED)) == SWITCHED
        opened.release()
        heard = await reader.readexactly(len(last) + len(SHUTDOWN_CLOSE))
        writer.write(client_frame(CLOSE, b"\x03\xe9"))
        heard += await reader.read()
        writer.close()
        return heard

    async def all_clients() -> list[bytes]:
        policy, opened = asyncio.Semaphore(200), asyncio.Semaphore(0)
        running = [asyncio.create_task(client(policy, opened)) for _ in range(count)]
        for _ in range(count):
            await opened.acquire()
        server.process.send_signal(signal.SIGTERM)
        return await asyncio.gather(*running)

    heard = asyncio.run(asyncio.wait_for(all_clients(), 5 * PATIENCE))
    assert heard == [last + SHUTDOWN_CLOSE] * count
    assert server.wait() == 0
    assert sum(server.wait_for_log("stopped")["cut_off"] for _ in range(workers)) == 0
