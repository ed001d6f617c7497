"""Turns of the loop: who takes much of one by inflating waits, and a crowd of them gets little room."""

import asyncio

import pytest

from tests.echoing import CODECS
from wsecho.turns import Turns

MILLISECOND = 1_000_000


@pytest.mark.parametrize("codec_name", CODECS)
def test_room_is_little_for_the_rest_of_a_turn_that_inflating_took_much_of(codec_name: str) -> None:
    async def go_round() -> None:
        turn = Turns(asyncio.get_running_loop(), CODECS[codec_name]).turn
        turn.spend(24 * MILLISECOND)
        assert (turn.is_full(), turn.room()) == (False, 16 << 10)
        turn.spend(MILLISECOND)
        assert (turn.is_full(), turn.room()) == (True, 512)
        assert (turn.number, turn.spent) == (0, 25 * MILLISECOND)
        await asyncio.sleep(0)
        assert (turn.is_full(), turn.room()) == (False, 16 << 10)
        assert (turn.number, turn.spent) == (1, 0)

    asyncio.run(go_round())


def test_those_that_wait_go_on_one_a_turn_in_the_order_of_their_coming() -> None:
    async def go_round() -> None:
        turns = Turns(asyncio.get_running_loop(), CODECS["python"])
        seen: list[str] = []
        for name in "abc":
            turns.wait(lambda name=name: seen.append(name))  # type: ignore[misc]
        for count in (1, 2, 3, 3):
            await asyncio.sleep(0)
            assert len(seen) == count
        assert seen == ["a", "b", "c"]

    asyncio.run(go_round())
