"""Loans (memory for clients that write a long message before they read its echo): who gets one and who loses it.

The first tests use a fake event loop whose time the test sets. The last ones use a server.
"""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.conftest import Serve
from tests.shared.clients import send_until_cut_off
from tests.shared.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    client_frame,
    long_client_frame,
    server_frame,
)
from tests.shared.memory import peak_memory, resident_memory
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE
from wsecho.connections.loans import Loans

MIB = 1 << 20


class Loop:
    """A fake event loop. It runs callbacks when the test advances the time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.errors: list[str] = []
        self._due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context["place"])

    def call_later(self, delay: float, call: Callable[[], None]) -> None:
        self._due.append((self.now + delay, call))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and min(self._due, key=lambda due: due[0])[0] <= end:
            due = min(self._due, key=lambda due: due[0])
            self._due.remove(due)
            self.now = due[0]
            due[1]()
        self.now = end


class Client:
    """A connection in the middle of its first message that has sent more than the server keeps without a loan."""

    def __init__(self, loans: Loans, unsent: int = 1000) -> None:
        self._loans = loans
        self.waiting = unsent
        self.pieces_cost = 0
        self.arrived = unsent
        self.read = 0
        self.message: int | None = 0
        self.room = 0
        self.given_time = 0
        self.is_cut = False
        loans.block(self)

    def send(self, size: int) -> None:
        if self.held() >= self.room:
            return  # the server does not read from it
        self.arrived += size
        self.waiting += size
        if self.held() >= self.room:
            self._loans.block(self)

    def fill(self) -> None:
        """Send as much as there is room for."""
        if self.room > self.waiting:
            self.send(self.room - self.waiting)

    def take(self, size: int) -> None:
        self.waiting -= size
        self.read += size

    def unsent(self) -> int:
        return self.waiting

    def held(self) -> int:
        return self.waiting + self.pieces_cost

    def moved(self) -> int:
        return self.arrived + self.read

    def message_in_progress(self) -> int | None:
        return self.message

    def lend(self, room: int) -> None:
        self.room = room
        if room == 0 and self.waiting:
            self._loans.block(self)

    def restart_stall_timeout(self) -> None:
        self.given_time += 1

    def call_in(self) -> None:
        self.is_cut = True
        self._loans.forget(self)


@pytest.fixture
def loop() -> Loop:
    return Loop()


def lender(loop: Loop, limit: int) -> Loans:
    stand_in: Any = loop
    return Loans(limit, stand_in)


def test_a_client_that_is_stuck_gets_further_loans(loop: Loop) -> None:
    client = Client(lender(loop, 64 * MIB))
    loop.run(1.9)
    assert client.room == 0
    loop.run(0.2)
    assert client.room == 1000 + 4 * MIB
    rooms = []
    for _ in range(4):
        client.fill()
        loop.run(0.6)
        rooms.append(client.room)
    assert rooms == sorted(set(rooms))
    assert rooms[-1] == 64 * MIB


def test_a_loan_in_use_gives_time_and_one_that_drips_does_not(loop: Loop) -> None:
    loans = lender(loop, 64 * MIB)
    busy, dripping = Client(loans), Client(loans)
    loop.run(3)
    assert (busy.given_time, dripping.given_time) == (1, 1)
    for _ in range(60):
        busy.send(20 << 10)
        # Enough in the end, but not in so much time.
        dripping.send(4 << 10)
        loop.run(1)
    assert busy.given_time >= 10
    assert dripping.given_time == 1
    # No other client needs the room.
    assert dripping.room > 0


def test_room_that_is_not_used_is_taken_back_where_somebody_needs_it(loop: Loop) -> None:
    loans = lender(loop, 64 * MIB)
    dripping = [Client(loans) for _ in range(16)]
    for _ in range(30):
        loop.run(0.25)
        for client in dripping:
            client.send(1)
    assert sum(client.room for client in dripping) >= 63 * MIB
    honest = Client(loans)
    for _ in range(60):
        honest.fill()
        loop.run(0.25)
        for client in dripping:
            client.send(1)
    assert honest.waiting >= 20 * MIB
    assert not any(client.is_cut for client in dripping)


def test_room_goes_from_the_slowest_client_to_one_that_needs_it(loop: Loop) -> None:
    loans = lender(loop, 64 * MIB)
    # Each client sends fast enough for its loan to count as used.
    slow = [Client(loans) for _ in range(16)]
    for _ in range(60):
        loop.run(0.25)
        for client in slow:
            client.send(6 << 10)
    assert sum(client.room for client in slow) >= 63 * MIB
    honest = Client(loans)
    for _ in range(60):
        if honest.waiting < 20 * MIB:
            honest.fill()
        loop.run(0.25)
        for client in slow:
            client.send(6 << 10)
    assert honest.waiting >= 20 * MIB
    # They keep the room for what they have sent.
    assert not any(client.is_cut for client in slow)


def test_a_loan_in_use_has_an_end_where_somebody_needs_it(loop: Loop) -> None:
    loans = lender(loop, 16 * MIB)
    slow, slower = Client(loans), Client(loans)

    def go_on() -> None:
        for client, size in ((slow, 40 << 10), (slower, 20 << 10)):
            client.take(size)
            # The client never fills the room that it has, so it asks for no more.
            client.send(size - 1000)
        loop.run(1)

    for _ in range(10):
        loop.run(0.5)
        slow.fill()
        slower.fill()
    for client in (slow, slower):
        client.take(1000)
    for _ in range(15):
        go_on()
    assert slow.waiting + slower.waiting >= 15 * MIB
    honest = Client(loans)
    for _ in range(20):
        honest.fill()
        if honest.waiting >= 4 * MIB:
            honest.message = None
        go_on()
    assert slower.is_cut
    assert not slow.is_cut
    assert honest.waiting >= 4 * MIB


def test_who_fills_a_loan_and_does_not_read_loses_it_to_who_needs_it(loop: Loop) -> None:
    loans = lender(loop, 16 * MIB)
    greedy = [Client(loans), Client(loans)]
    for _ in range(20):
        loop.run(0.25)
        for client in greedy:
            client.fill()
    assert sum(client.room for client in greedy) == 16 * MIB
    # Reading a little now and then does not count as paying the loan back.
    honest = Client(loans)
    for _ in range(40):
        for client in greedy:
            client.take(1000)
        honest.fill()
        loop.run(0.25)
    assert any(client.is_cut for client in greedy)
    assert honest.waiting >= 4 * MIB
    assert not honest.is_cut


def test_a_client_that_pays_back_its_loan_keeps_it_until_then(loop: Loop) -> None:
    loans = lender(loop, 8 * MIB)
    reading = Client(loans)
    for _ in range(10):
        loop.run(0.25)
        reading.fill()
    loop.run(1)
    reading.fill()
    assert reading.waiting == 8 * MIB
    # The client's message is complete.
    reading.message = None
    waiting = Client(loans)
    while reading.waiting > 4 * MIB:
        reading.take(100 << 10)
        loop.run(1)
    assert not reading.is_cut
    # The room for what the client has read is free again, while the rest still counts.
    assert 0 < waiting.room <= 8 * MIB - reading.waiting


def test_what_pieces_cost_is_charged(loop: Loop) -> None:
    loans = lender(loop, 16 * MIB)
    client = Client(loans)
    client.pieces_cost = 15 * MIB
    loop.run(3)
    assert client.room == 16 * MIB
    other = Client(loans)
    loop.run(3)
    assert other.room == 0


def test_a_mistake_with_one_does_not_end_the_looks(loop: Loop) -> None:
    class Broken(Client):
        def message_in_progress(self) -> int | None:
            raise MemoryError

    loans = lender(loop, 16 * MIB)
    broken = Broken(loans)
    loop.run(3)
    assert set(loop.errors) == {"loans"}
    loans.forget(broken)
    client = Client(loans)
    loop.run(3)
    assert client.room > 0


@pytest.mark.parametrize("fragments", [1, 4])
def test_a_client_that_writes_a_long_message_before_it_reads_gets_it_back(
    serve: Serve, codec_name: str, fragments: int
) -> None:
    server = serve("--codec", codec_name)
    payload = random.Random(3).randbytes((32 << 20) // fragments)
    kinds = [BINARY] + [CONTINUATION] * (fragments - 1)
    ends = [False] * (fragments - 1) + [True]
    frames = [long_client_frame(kind, payload, fin=fin) for kind, fin in zip(kinds, ends, strict=True)]
    replies = [server_frame(kind, payload, fin=fin) for kind, fin in zip(kinds, ends, strict=True)]
    with RawConnection(server.port).open() as blocking:
        for frame in frames:
            blocking.send(frame)
        for reply in replies:
            assert blocking.receive(len(reply)) == reply
        blocking.send(client_frame(CLOSE))
        assert blocking.receive_all() == server_frame(CLOSE)


def test_greedy_clients_share_one_limit_of_memory(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--loan-limit", "16MiB", "--stall-timeout", "10s")
    message = long_client_frame(BINARY, bytes(48 << 20))
    server.metrics()  # The first scrape imports OpenTelemetry's SDK.
    before = resident_memory(server.pid)
    greedy = [RawConnection(server.port).open() for _ in range(4)]
    threads = [threading.Thread(target=send_until_cut_off, args=(client, message)) for client in greedy]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    server.wait_for_metrics(websocket_active_connections=0)
    assert peak_memory(server.pid) - before < 20 << 20
    # The server has got the lent memory back, so the next client that needs a loan gets it.
    needy = long_client_frame(BINARY, bytes(20 << 20))
    with RawConnection(server.port).open() as client:
        client.send(needy)
        assert client.receive(10) == server_frame(BINARY, bytes(20 << 20))[:10]
        assert client.receive(20 << 20) == bytes(20 << 20)


def test_who_drips_into_a_loan_keeps_none_from_who_needs_it(serve: Serve) -> None:
    server = serve("--loan-limit", "16MiB", "--stall-timeout", "15s")
    message = long_client_frame(BINARY, bytes(60 << 20))
    needy = long_client_frame(BINARY, bytes(20 << 20))
    stopped = threading.Event()

    def attack() -> None:
        with RawConnection(server.port, receive_buffer=4096).open() as client, suppress(OSError):
            client.socket.settimeout(0.5)
            sent = 0
            # Send enough to get a loan, then one byte now and then.
            while not stopped.is_set():
                with suppress(TimeoutError):
                    sent += client.socket.send(message[sent : sent + (1 << 16 if sent < 6 << 20 else 1)])
                    stopped.wait(0 if sent < 6 << 20 else 0.1)

    attackers = [threading.Thread(target=attack) for _ in range(4)]
    for attacker in attackers:
        attacker.start()
    try:
        with RawConnection(server.port).open() as client:
            # Wait until all loans are taken.
            wait_until(lambda: server.metrics()["websocket_backpressure_seconds_total"] >= 8)
            client.send(needy)
            assert client.receive(10) == server_frame(BINARY, bytes(20 << 20))[:10]
            assert client.receive(20 << 20) == bytes(20 << 20)
        # The attackers have read nothing and are cut off as well.
        server.wait_for_metrics(websocket_active_connections=0)
    finally:
        stopped.set()
        for attacker in attackers:
            attacker.join()
