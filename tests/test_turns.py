"""Turns of the loop: who inflates much waits, and a crowd of them gets little room."""

import asyncio

import pytest

from tests.echoing import CODECS
from wsecho.turns import Turns


@pytest.mark.parametrize("codec_name", CODECS)
@pytest.mark.parametrize(("size", "room", "little"), [(60_000, 16 << 10, 512), (100, 100, 100)])
def test_room_is_little_for_the_rest_of_a_turn_in_which_much_was_inflated(
    size: int, room: int, little: int, codec_name: str
) -> None:
    async def turns() -> None:
        buffer = CODECS[codec_name].ReceiveBuffer(size, 100)
        turns = Turns(asyncio.get_running_loop(), buffer)
        for _ in range(7):
            number = turns.much_inflated()
        assert buffer.compressed_room == room
        assert turns.much_inflated() == number
        assert buffer.compressed_room == little
        await asyncio.sleep(0)
        assert buffer.compressed_room == room
        assert turns.much_inflated() == number + 1

    asyncio.run(turns())
