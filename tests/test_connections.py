"""The peers' time, without a clock: deadlines, and what moves them."""

import asyncio

import pytest

from wsecho.connections import Connections


class Peer:
    """A connection whose peer reads as the test says."""

    def __init__(self, unsent: int = 0) -> None:
        self.waiting = unsent

    def unsent(self) -> int:
        return self.waiting

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
    peer = Peer(unsent=1000)
    connections.watch(peer, 10, now=100)
    peer.waiting = 999
    assert connections.expired(109) == []
    assert connections.expired(118.9) == []
    assert connections.expired(119) == [peer]


def test_who_did_what_it_was_watched_for_has_all_the_time(connections: Connections) -> None:
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


def test_a_drain_cuts_off_who_does_not_go(connections: Connections) -> None:
    class Stubborn(Peer):
        def abort(self) -> None:
            connections.remove(self)

    async def drain() -> int:
        connections.add(Stubborn())
        connections.add(Stubborn())
        return await connections.drain(0.01)

    assert asyncio.run(drain()) == 2
    assert len(connections) == 0
