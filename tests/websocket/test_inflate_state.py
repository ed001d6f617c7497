"""Whether zlib is between two blocks: read from its `z_stream`, or found out with a copy of the stream."""

import contextlib
import zlib

import pytest

from tests.shared.compression import (
    EMPTY_TABLES,
    MESSAGES,
    UNFINISHED,
    Compressor,
)
from wsecho.websocket import inflate_state


def inflated(start: bytes) -> "zlib._Decompress":
    stream = zlib.decompressobj(-15)
    stream.decompress(start)
    return stream


def test_a_copy_of_the_stream_gives_the_same_state(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = [payload + b"\x00\x00\xff\xff" for payload in UNFINISHED.values()]
    starts += [EMPTY_TABLES, EMPTY_TABLES[:8], *(Compressor()(message) + b"\x00\x00\xff\xff" for message in MESSAGES)]
    starts.append(b"\x00\x00\x00\xff\xff")
    told = set()
    for start in starts:
        with contextlib.suppress(zlib.error):
            stream = inflated(start)
            states = {
                state_of(stream).value == inflate_state.BETWEEN_BLOCKS
                for state_of in (inflate_state.state_of, inflate_state.CopiedState)
            }
            assert len(states) == 1, start
            told |= states
    assert told == {True, False}
    assert inflate_state.is_readable()
    # The object is not CPython's; it is smaller than the structure; something else is in the structure's place.
    with monkeypatch.context() as patch:
        patch.setattr("sys.implementation.name", "pypy")
        assert not inflate_state.is_readable()
    for offset in (1 << 20, -8):
        with monkeypatch.context() as patch:
            patch.setattr(inflate_state, "_OFFSET", inflate_state._OFFSET + offset)
            assert not inflate_state.is_readable()
