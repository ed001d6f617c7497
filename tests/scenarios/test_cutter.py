"""Frames cut from what a client sends. Modules: `cutter`, `triggers`."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, client_frame
from wsecho.scenarios.run.cutter import Cutter, Piece
from wsecho.scenarios.run.triggers import TextMessage

FRAMES = [
    client_frame(TEXT, b"hello"),
    client_frame(BINARY, b"x" * 126),
    client_frame(PING, b"p" * 125),
    client_frame(TEXT, b"a", fin=False),
    client_frame(PING),
    client_frame(CONTINUATION, b"b"),
    client_frame(BINARY, b"y" * 70_000),
    client_frame(TEXT),
    client_frame(TEXT, b"no mask", mask=None),
    client_frame(CLOSE, b"\x03\xe8bye"),
]


def pieces_of(data: bytes, chance: random.Random | None = None) -> list[Piece]:
    cutter, pieces = Cutter(), []
    while data:
        size = chance.randint(1, 40) if chance else len(data)
        cutter.feed(data[:size])
        data = data[size:]
        while piece := cutter.take():
            pieces.append(piece)
    return pieces


@pytest.mark.parametrize("seed", range(5))
def test_pieces_are_of_one_frame_each_and_lose_nothing(seed: int) -> None:
    pieces = pieces_of(b"".join(FRAMES), random.Random(seed) if seed else None)
    frames: list[bytes] = []
    for piece in pieces:
        if piece.begins_frame:
            frames.append(b"")
        frames[-1] += piece.data
        assert piece.ends_frame == (frames[-1] == FRAMES[len(frames) - 1])
        if piece.is_control:
            assert piece.begins_frame
            assert piece.ends_frame
    assert frames == FRAMES
    messages = [piece for piece in pieces if piece.ends_message]
    assert len(messages) == 6
    assert pieces[-1].payload() == b"\x03\xe8bye"


def test_a_control_frame_that_is_too_long_is_left_to_the_codec() -> None:
    frame = client_frame(PING, b"x" * 126) + client_frame(TEXT, b"a")
    assert [piece.data for piece in pieces_of(frame)] == [frame]
    assert not pieces_of(frame)[0].ends_message


@pytest.mark.parametrize("frame", FRAMES)
def test_the_beginning_of_a_close_frame_is_seen_before_its_end(frame: bytes) -> None:
    cutter, is_close = Cutter(), frame == FRAMES[-1]
    cutter.feed(client_frame(TEXT, b"before"))
    assert cutter.take()
    assert not cutter.take()
    assert not cutter.begins(CLOSE)
    for at in range(min(len(frame), 14)):
        cutter.feed(frame[at : at + 1])
        # Of a data frame, what has arrived is taken.
        while cutter.take():
            pass
        assert cutter.begins(CLOSE) == (is_close and at < len(frame) - 1), at


@given(st.binary(max_size=300), st.integers(0, 1 << 16))
def test_any_bytes_are_cut_without_loss(data: bytes, seed: int) -> None:
    cutter, chance, taken, rest = Cutter(), random.Random(seed), b"", data
    while rest:
        size = chance.randint(1, 20)
        cutter.feed(rest[:size])
        rest = rest[size:]
        while piece := cutter.take():
            assert piece.data
            taken += piece.data
    # Only the beginning of a header, or of a control frame, may be missing.
    assert data.startswith(taken)
    assert len(data) - len(taken) < 14 + 125


@pytest.mark.parametrize("seed", range(4))
def test_a_text_is_found_in_one_frame_and_in_several(seed: int) -> None:
    trigger = TextMessage("été".encode())
    sent = [
        (client_frame(BINARY, "été".encode()), False),
        (client_frame(TEXT, b"ete"), False),
        (client_frame(TEXT, "été!".encode()), False),
        (client_frame(TEXT, "été".encode()), True),
        (client_frame(TEXT, b"\xc3", fin=False) + client_frame(CONTINUATION, b"\xa9t\xc3\xa9"), True),
        (client_frame(TEXT, b"", fin=False) + client_frame(CONTINUATION, b"x" * 100), False),
    ]
    for frames, expected in sent:
        pieces = pieces_of(frames, random.Random(seed) if seed else None)
        fired = [trigger.fires(piece) for piece in pieces]
        assert fired == [False] * (len(pieces) - 1) + [expected]
