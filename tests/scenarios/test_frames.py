"""Outgoing frames, cut into fragments and dropped: random streams in random pieces, against a plain model."""

import random

import pytest

from tests.shared.frames import BINARY, CONTINUATION, PING, TEXT, server_frame
from wsecho.scenarios.run.shaping.frames import Frames, framed

SIZES = (0, 1, 2, 5, 125, 126, 400, 70_001)


def parsed(data: bytes) -> list[tuple[int, bytes]]:
    """Return the frames in `data`: first byte and payload."""
    frames = []
    while data:
        header = {126: 4, 127: 10}.get(data[1], 2)
        size = int.from_bytes(data[2:header], "big") if header > 2 else data[1]
        frames.append((data[0], data[header : header + size]))
        assert framed(*frames[-1]) == data[: header + size]
        data = data[header + size :]
    return frames


def joined(frames: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the data messages: the opcode with the reserved bits, and the payload."""
    found: list[tuple[int, bytes]] = []
    is_between = True
    for first, payload in frames:
        if first & 0x08:
            continue
        assert is_between == bool(first & 0x0F)
        opcode, before = (first & 0x7F, b"") if is_between else found.pop()
        found.append((opcode, before + payload))
        is_between = bool(first & 0x80)
    assert is_between
    return found


@pytest.mark.parametrize("seed", range(300))
def test_messages_are_the_same_whatever_the_pieces(seed: int) -> None:
    chance = random.Random(seed)
    fragment = chance.choice([None, 1, 2, 3, 125, 126, 127, 300, 70_000])
    messages, pings, stream = [], 0, b""
    for _ in range(chance.randint(1, 5)):
        opcode = chance.choice((TEXT, BINARY, 0x40 | TEXT))
        parts = [chance.randbytes(chance.choice(SIZES)) for _ in range(chance.randint(1, 3))]
        for index, part in enumerate(parts):
            stream += framed((0x80 if index == len(parts) - 1 else 0) | (CONTINUATION if index else opcode), part)
            if chance.random() < 0.3:
                pings += 1
                stream += server_frame(PING, b"?" * chance.randint(0, 125))
        messages.append((opcode, b"".join(parts)))
    dropped = {number for number in range(1, 6) if chance.random() < 0.2}
    frames = Frames(fragment, lambda number: number in dropped)
    sent, payload, completed = b"", 0, 0
    while stream:
        size = chance.choice((1, 2, 3, 7, 100) if len(stream) < 2000 else (999, 100_000))
        sent += frames.feed(stream[:size])
        stream = stream[size:]
        payload, completed = payload + frames.payload, completed + frames.completed
    expected = [message for number, message in enumerate(messages, start=1) if number not in dropped]
    found = parsed(sent)
    assert joined(found) == expected
    assert (completed, payload) == (len(expected), sum(len(message) for _, message in expected))
    assert sum(first == 0x80 | PING for first, _ in found) == pings
    assert frames.number == len(messages)
    if fragment:
        assert all(len(data) <= fragment for first, data in found if not first & 0x08)


def test_fragments_to_the_byte() -> None:
    frames = Frames(2, lambda number: False)
    assert frames.feed(server_frame(TEXT, b"abcde")) == b"\x01\x02ab\x00\x02cd\x80\x01e"
    assert frames.feed(server_frame(TEXT, b"abcd")) == b"\x01\x02ab\x80\x02cd"
    assert frames.feed(server_frame(TEXT)) == b"\x81\x00"
    assert frames.feed(server_frame(BINARY, b"a", fin=False)) == b"\x02\x01a"
    assert frames.feed(server_frame(PING, b"long")) == b"\x89\x04long"
    assert frames.feed(server_frame(CONTINUATION, b"bcd")) == b"\x00\x02bc\x80\x01d"


def test_a_long_fragment_does_not_wait_for_its_end() -> None:
    frames = Frames(1 << 30, lambda number: False)
    stream = framed(0x80 | BINARY, bytes(100_000))
    assert b"".join(frames.feed(stream[at : at + 15]) for at in range(0, 60, 15)) == stream[:60]
    frames = Frames(60_000, lambda number: False)
    begin = server_frame(BINARY, bytes(60_000), fin=False)
    assert frames.feed(stream[:70_010]) == begin + framed(0x80, bytes(40_000))[:10_004]
    assert frames.feed(stream[70_010:]) == bytes(30_000)
