"""A client that has nothing to do with the fault, and a look at what the fault has left behind."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Self

from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.processes import children, wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer


class Bystander:
    """Has message after message echoed, in a thread of its own, and compares every one."""

    def __init__(self, port: int) -> None:
        self._connection = RawConnection(port).open()
        self._echoes = 0
        self._ended = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.socket.close()
        if error is None:
            self.must_be_served(0)

    def _run(self) -> None:
        try:
            for number in count():
                message = b"message %d " % number + b"x" * (number % 90)
                self._connection.send(client_frame(TEXT, message))
                echo = server_frame(TEXT, message)
                assert self._connection.receive_past_pings(len(echo)) == echo
                self._echoes += 1
                if self._ended.wait(0.005):
                    return
        except Exception as error:
            self._fault = error

    def must_be_served(self, messages: int = 20) -> None:
        """Wait until so many more messages have come back as they were sent."""
        wanted = self._echoes + messages
        wait_until(lambda: self._fault or self._echoes >= wanted)
        if self._fault:
            raise AssertionError("a connection that had no part in the fault was disturbed") from self._fault


@contextmanager
def undisturbed(server: RunningServer) -> Iterator[Bystander]:
    """Let a bystander run beside a fault. At the end nothing may be left: no connection, no descriptor.

    What the server's processes had open before is what they have open afterwards.
    """
    server.get("/metrics")
    before = descriptors(server)
    with Bystander(server.port) as bystander:
        bystander.must_be_served(1)
        yield bystander
    server.wait_for_metrics(websocket_active_connections=0)
    # One more than before may be the connection of the last look at the metrics.
    wait_until(lambda: descriptors(server) <= before + 1)


def descriptors(server: RunningServer) -> int:
    """Return how many files and sockets the server's processes have open."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (server.pid, *children(server.pid)))


def take_out(server: RunningServer, event: str) -> int:
    """Remove the lines of what a test has provoked from those that nobody should see; return how many there were."""
    server.complaints()
    told = [line for line in server.logs if line["event"] == event]
    server.logs = [line for line in server.logs if line not in told]
    return len(told)
