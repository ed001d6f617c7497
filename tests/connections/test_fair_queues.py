"""Fair queueing: inflating and request heads get a limited part of each iteration of the event loop."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from tests.shared.echoing import CODECS
from wsecho.connections.fair_queues import EchoQueue, RequestQueue

MILLISECOND = 1_000_000


@pytest.mark.parametrize("codec_name", CODECS)
def test_room_is_little_for_the_rest_of_a_turn_that_inflating_took_much_of(codec_name: str) -> None:
    async def go_round() -> None:
        budget = EchoQueue(asyncio.get_running_loop(), CODECS[codec_name]).budget
        budget.spend(24 * MILLISECOND)
        assert (budget.is_full(), budget.room()) == (False, 16 << 10)
        budget.spend(MILLISECOND)
        assert (budget.is_full(), budget.room()) == (True, 512)
        assert (budget.iteration, budget.spent) == (0, 25 * MILLISECOND)
        await asyncio.sleep(0)
        assert (budget.is_full(), budget.room()) == (False, 16 << 10)
        assert (budget.iteration, budget.spent) == (1, 0)

    asyncio.run(go_round())


def test_waiting_connections_continue_one_per_iteration_in_order() -> None:
    async def go_round() -> None:
        echo_queue = EchoQueue(asyncio.get_running_loop(), CODECS["python"])
        seen: list[str] = []
        for name in "abc":
            echo_queue.wait(lambda name=name: seen.append(name))  # type: ignore[misc]
        for count in (1, 2, 3, 3):
            await asyncio.sleep(0)
            assert len(seen) == count
        assert seen == ["a", "b", "c"]

    asyncio.run(go_round())


def test_heads_share_a_turn_for_a_while_and_then_go_on_in_the_order_of_their_coming() -> None:
    async def go_round() -> None:
        heads = RequestQueue(asyncio.get_running_loop())
        seen: list[str] = []

        def take(name: str, seconds: float) -> None:
            seen.append(name)
            heads.spend(seconds)

        assert not heads.must_wait()
        take("first", 0.9e-3)
        assert not heads.must_wait()
        take("second", 0.9e-3)
        assert heads.must_wait()
        for name, seconds in (("dear", 2e-3), ("cheap", 0.4e-3), ("as cheap", 0.4e-3), ("late", 0.4e-3), ("last", 0)):
            heads.wait(partial(take, name, seconds))
        await asyncio.sleep(0)
        assert seen == ["first", "second", "dear"]
        await asyncio.sleep(0)
        assert seen[3:] == ["cheap", "as cheap", "late"]
        await asyncio.sleep(0)
        assert seen[6:] == ["last"]
        await asyncio.sleep(0)
        assert not heads.must_wait()
        # A request that comes later waits behind those that wait already, even if there is time left.
        heads.wait(partial(take, "behind all", 0))
        assert heads.must_wait()

    asyncio.run(go_round())


def test_a_head_that_fails_keeps_no_other_waiting() -> None:
    async def go_round() -> None:
        loop = asyncio.get_running_loop()
        failures: list[object] = []
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
        heads = RequestQueue(loop)
        seen: list[int] = []
        error = ValueError()

        def fail() -> None:
            raise error

        for go_on in (fail, fail, partial(seen.append, 1)):
            heads.wait(go_on)
        for _ in range(3):
            await asyncio.sleep(0)
        assert (failures, seen) == ([error, error], [1])

    asyncio.run(go_round())


@pytest.mark.parametrize("make", [lambda loop: EchoQueue(loop, CODECS["python"]), RequestQueue], ids=["turns", "heads"])
def test_an_iteration_that_failed_for_lack_of_memory_is_made_up_for_by_the_next_wait(
    make: Callable[[asyncio.AbstractEventLoop], EchoQueue | RequestQueue],
) -> None:
    async def go_round() -> None:
        echo_queue = make(asyncio.get_running_loop())
        seen: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(echo_queue, "_loop", None)
            with pytest.raises(AttributeError):
                echo_queue.wait(lambda: seen.append("a"))
        echo_queue.wait(lambda: seen.append("b"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert seen == ["a", "b"]

    asyncio.run(go_round())
