"""The memory that all workers share: counters of keys, blocks of records, the lock.

Modules: `keys`, `key_table`, `blocks`, `process_lock`, `open_scenarios`.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import request, scene
from tests.shared.commands import run
from tests.shared.processes import children, wait_until
from tests.shared.raw import RawConnection, exchange
from tests.shared.workers import held_by, take_out
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.seen.blocks import ROOM, Block, Blocks
from wsecho.scenarios.seen.key_table import Entry, KeyTable
from wsecho.scenarios.seen.keys import Keys
from wsecho.scenarios.seen.open_scenarios import OpenScenarios


def test_a_key_is_forgotten_ten_minutes_after_its_last_use() -> None:
    keys = Keys(LOCAL, workers=1)
    assert [keys.next("a", 1.0), keys.next("a", 600.0), keys.counted("a", 1199.0)] == [1, 2, 2]
    assert [keys.counted("a", 1200.0), keys.next("a", 1200.0), keys.counted("b", 1200.0)] == [0, 1, 0]


def test_there_is_room_for_as_many_keys_as_the_limits_say() -> None:
    keys = Keys(LOCAL, workers=1)
    for number in range(LOCAL.keys):
        assert keys.next(f"key {number}", 1.0) == 1
    assert all(keys.counted(f"key {number}", 1.0) == 1 for number in range(LOCAL.keys))


def test_of_too_many_keys_the_least_recently_used_are_forgotten() -> None:
    table = KeyTable(1)
    digests = [table.digest(str(number)) for number in range(33)]
    for number, digest in enumerate(digests):
        table.write(digest, Entry(count=1), 1.0 + number)
        if number == 20:
            table.write(digests[0], Entry(count=2), 1.0 + number)
    found = [table.read(digest, 50.0) for digest in digests]
    assert found[:3] == [Entry(count=2), None, Entry(count=1)]
    assert None not in found[2:]


@pytest.mark.parametrize(
    "name",
    ["no_number_is_given_twice", "a_killed_process_leaves_no_lock", "a_stopped_process_does_not_stop_the_others"],
)
def test_processes_share_keys(name: str) -> None:
    done = run("-m", "tests.scenarios.forking", name)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_oldest_blocks_are_taken_anew() -> None:
    blocks = Blocks(4)
    last = 0
    for number in range(3):
        last = blocks.take(owner=7, kind=number, previous=last, data=bytes([number]))
    assert blocks.append(last, b"more")
    assert list(blocks.chain(last)) == [Block(7, 2, b"\2more"), Block(7, 1, b"\1"), Block(7, 0, b"\0")]
    for _ in range(3):
        other = blocks.take(owner=8, kind=0, previous=0)
    assert list(blocks.chain(last)) == [Block(7, 2, b"\2more")]
    assert list(blocks.chain(other)) == [Block(8, 0, b"")]
    blocks.take(owner=8, kind=0, previous=0)
    assert list(blocks.chain(last)) == []
    assert blocks.memory(last) is None
    assert not blocks.append(last, b"a")
    assert not blocks.append(other, b"a" * (ROOM + 1))


def test_memory_that_was_written_without_the_lock_is_read_to_an_end() -> None:
    blocks = Blocks(4)
    number = blocks.take(owner=1, kind=1, previous=1)
    assert len(list(blocks.chain(number))) == 1


def test_limits_of_a_public_server_are_smaller() -> None:
    keys = Keys(LOCAL._replace(events=256), workers=1)
    assert (keys.most_events, keys.most_connections) == (256, 32)


def test_open_scenarios_of_an_address_are_counted_over_all_workers() -> None:
    both = OpenScenarios(2)
    first, second = both.of(0), both.of(1)
    here, there = ("192.0.2.1", 1), ("2001:db8::1", 1)
    places = [first.add(here), first.add(None), first.add(there)]
    second.add(here)
    assert (first.of_address(("192.0.2.1", 2)), second.of_address(("2001:db8::2", 2)), first.count) == (2, 1, 3)
    first.remove(places[0])
    assert (second.of_address(here), first.count) == (1, 2)
    assert first.add(here) == places[0]
    # The second worker dies and is replaced.
    assert (first.of_address(here), both.of(1).of_address(here)) == (2, 1)
    for _ in range(40_000):
        second.add(here)
    assert first.of_address(here) <= 40_001
    second.remove(39_999)


def test_an_address_has_its_scenarios_over_two_public_workers(serve: Serve) -> None:
    server = serve("--public", "--workers", "2")
    with ExitStack() as stack:
        answers = []
        for _ in range(30):
            connection = stack.enter_context(RawConnection(server.port))
            connection.send(request("/ws/delay/60"))
            answers.append(connection.receive(12))
        assert answers == [b"HTTP/1.1 101"] * 5 + [b"HTTP/1.1 503"] * 25


def test_phases_over_two_workers(serve: Serve) -> None:
    server = serve("--workers", "2")
    url = "/ws/times/30/reject/503/next/reject/404?key=shared"
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: exchange(server, request(url)), range(40)))
    statuses = [answer.split()[1] for answer in answers]
    assert (statuses.count(b"503"), statuses.count(b"404")) == (30, 10)
    attempts = sorted(int(answer.split(b"Wsecho-Attempt: ")[1].split(b"\r\n")[0]) for answer in answers)
    assert attempts == list(range(1, 41))
    # Without a key, connections are counted by URL and address, over all workers too.
    url = "/ws/times/10/reject/503/next/reject/404"
    statuses = [exchange(server, request(url)).split()[1] for _ in range(20)]
    assert statuses == [b"503"] * 10 + [b"404"] * 10


def test_a_killed_worker_takes_no_count_with_it(serve: Serve) -> None:
    server = serve("--workers", "2")
    with scene(server, "/ws/times/2/echo/next/reject/503?key=killed") as connection:
        first, second = children(server.pid)
        os.kill(first if held_by(server, first, [connection]) else second, signal.SIGKILL)
    server.wait_for_log("worker died")
    wait_until(lambda: len(children(server.pid)) == 2)

    def attempt() -> bytes:
        with RawConnection(server.port) as again:
            again.send(request("/ws/times/2/echo/next/reject/503?key=killed"))
            return again.receive(12)

    assert [attempt(), attempt()] == [b"HTTP/1.1 101", b"HTTP/1.1 503"]
    server.stop()
    assert take_out(server, "worker died") == ["worker died"]
