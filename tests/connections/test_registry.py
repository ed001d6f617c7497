"""Deadlines of connections and what moves them, and how the connections of a worker are drained; without a real clock.

Modules: `registry`, `internal_errors`.
"""

import asyncio
from collections import Counter

import pytest

from tests.shared.server import PATIENCE
from wsecho.connections.registry import MIN_RATE, Connections


class Peer:
    """A connection whose peer reads when the test says so."""

    def __init__(self, unsent: int = 0) -> None:
        self.waiting = self.written = unsent

    def write(self, size: int) -> None:
        self.waiting += size
        self.written += size

    def read(self, size: int) -> None:
        self.waiting -= size

    def unsent(self) -> int:
        return self.waiting

    def taken(self) -> int:
        return self.written - self.waiting

    def expire(self) -> None: ...

    def drain(self) -> None: ...

    def abort(self) -> None: ...


@pytest.fixture
def connections() -> Connections:
    return Connections()


def test_time_is_over_at_the_deadline_and_not_before(connections: Connections) -> None:
    peer = Peer()
    connections.watch(peer, 10, now=100)
    assert connections.expired(109.9) == []
    assert connections.expired(110) == [peer]
    assert connections.expired(200) == []


def test_reading_gives_new_time(connections: Connections) -> None:
    peer = Peer(unsent=100_000)
    connections.watch(peer, 10, now=100)
    peer.read(10 * MIN_RATE)
    assert connections.expired(109) == []
    assert connections.expired(118.9) == []
    assert connections.expired(119) == [peer]


def test_reading_too_little_gives_none(connections: Connections) -> None:
    peer = Peer(unsent=100_000)
    connections.watch(peer, 10, now=100)
    for second in range(101, 110):
        peer.read(MIN_RATE - 1)
        assert connections.expired(second) == []
    assert connections.expired(110) == [peer]


def test_what_is_written_is_not_read(connections: Connections) -> None:
    peer = Peer(unsent=1000)
    connections.watch(peer, 10, now=100)
    for second in range(101, 110):
        peer.write(1 << 20)
        assert connections.expired(second) == []
    assert connections.expired(110) == [peer]


def test_a_client_that_has_read_the_few_waiting_bytes_gets_new_time_once(connections: Connections) -> None:
    peer = Peer(unsent=40)
    connections.watch(peer, 10, now=100)
    peer.read(40)
    assert connections.expired(109) == []
    peer.write(40)
    assert connections.expired(112) == []
    peer.read(40)
    assert connections.expired(118) == []
    assert connections.expired(119) == [peer]


def test_nothing_moves_a_deadline_that_stands(connections: Connections) -> None:
    peer = Peer(unsent=1 << 20)
    connections.watch(peer, 10, now=100, is_fixed=True)
    for second in range(101, 110):
        peer.read(100_000)
        assert connections.expired(second) == []
    assert connections.expired(110) == [peer]


def test_one_that_cannot_be_asked_keeps_no_other_from_its_end(connections: Connections) -> None:
    class Broken(Peer):
        def taken(self) -> int:
            if self.waiting:
                raise MemoryError
            return 0

    broken, peer = Broken(), Peer()
    connections.watch(broken, 10, now=100)
    connections.watch(peer, 10, now=100)
    broken.waiting = 1
    assert connections.expired(101) == [broken]
    assert connections.expired(110) == [peer]


def test_a_connection_that_is_no_longer_watched_never_expires(connections: Connections) -> None:
    peer = Peer()
    connections.watch(peer, 10, now=100)
    assert connections.is_watched(peer)
    connections.unwatch(peer)
    assert not connections.is_watched(peer)
    assert connections.expired(1000) == []


def test_a_drain_ends_with_the_last_connection(connections: Connections) -> None:
    class Polite(Peer):
        def drain(self) -> None:
            connections.remove(self)

    async def drain() -> int:
        connections.add(Polite())
        return await connections.drain(10)

    assert asyncio.run(drain()) == 0


def test_a_drain_cuts_off_connections_that_do_not_end(connections: Connections) -> None:
    class Stubborn(Peer):
        def abort(self) -> None:
            connections.remove(self)

    async def drain() -> int:
        connections.add(Stubborn())
        connections.add(Stubborn())
        return await connections.drain(0.01)

    assert asyncio.run(drain()) == 2
    assert len(connections) == 0


def test_a_drain_closes_connections_in_batches_and_skips_those_that_have_ended(connections: Connections) -> None:
    told: list[Peer] = []
    turn = 0
    told_in: Counter[int] = Counter()

    class Polite(Peer):
        def drain(self) -> None:
            told.append(self)
            told_in[turn] += 1
            connections.remove(self)

    async def drain() -> int:
        loop = asyncio.get_running_loop()

        def count_turns() -> None:
            nonlocal turn
            turn += 1
            loop.call_soon(count_turns)

        count_turns()
        crowd = [Polite() for _ in range(1000)]
        for peer in crowd:
            connections.add(peer)
        draining = asyncio.create_task(connections.drain(10))
        while not told:
            await asyncio.sleep(0)
        gone = next(peer for peer in crowd if peer not in told)
        connections.remove(gone)
        cut_off = await draining
        assert gone not in told
        return cut_off

    assert asyncio.run(drain()) == 0
    assert len(told) == 999
    assert max(told_in.values()) <= 100


def test_one_goodbye_that_fails_does_not_keep_the_others_from_theirs(connections: Connections) -> None:
    class Broken(Peer):
        def drain(self) -> None:
            raise RuntimeError("broken")

        def abort(self) -> None:
            connections.remove(self)

    class Polite(Peer):
        def drain(self) -> None:
            connections.remove(self)

    async def drain() -> list[object]:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context["exception"]))
        for peer in (Broken(), Polite(), Broken(), Polite()):
            connections.add(peer)
        assert await connections.drain(10) == 0
        return errors

    assert [str(error) for error in asyncio.run(drain())] == ["broken", "broken"]


def test_connections_that_cannot_be_cut_off_do_not_delay_the_end_of_a_drain(connections: Connections) -> None:
    class Undead(Peer):
        def drain(self) -> None:
            raise MemoryError

        def abort(self) -> None:
            raise MemoryError

    class Deaf(Peer):
        """A connection that is cut off, but whose end is never reported."""

    async def drain() -> list[object]:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context["place"]))
        for peer in (Undead(), Deaf(), Undead()):
            connections.add(peer)
        async with asyncio.timeout(PATIENCE):
            assert await connections.drain(0.01) == 3
        return errors

    assert set(asyncio.run(drain())) == {"drain"}


def test_ending_a_drain_ends_every_wait(connections: Connections) -> None:
    class Stubborn(Peer):
        def abort(self) -> None:
            connections.remove(self)

    async def drain() -> int:
        for _ in range(1000):
            connections.add(Stubborn())
        asyncio.get_running_loop().call_soon(connections.end_drain)
        await connections.delay_drain(3600)
        return await connections.drain(3600)

    assert asyncio.run(drain()) == 1000
