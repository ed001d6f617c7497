"""The loops over bytes (XOR of the mask, UTF-8), with both codecs, compared with naive implementations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared.echoing import CODECS
from tests.shared.frames import xor
from wsecho.codec.selection import Codec
from wsecho.websocket.receive_buffer import UTF8_COMPLETE, UTF8_INVALID


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def test_unmasking_equals_the_naive_loop_for_every_length_shift_and_alignment(chosen: Codec) -> None:
    buffer = chosen.ReceiveBuffer(1024, 128)
    payload = bytes((7 * index + 3) % 256 for index in range(301))
    mask = b"\x01\x80\xfe\x5a"
    for size in range(301):
        expected = xor(payload[:size], mask)
        for start in (16, 17, 31, 64 + size % 64):
            for shift in (0, 1, 4, 13):
                buffer.place(start, payload[:size] + b"~~")
                buffer.unmask(start - shift, start, size, int.from_bytes(mask, "little"))
                assert buffer.take(start - shift, start - shift + size) == expected
                assert buffer.take(start + size, start + size + 2) == b"~~"
                assert buffer.unmasked_ascii == expected.isascii()


def test_one_byte_that_is_not_ascii_is_seen_wherever_it_is(chosen: Codec) -> None:
    buffer = chosen.ReceiveBuffer(1024, 128)
    for size in range(1, 140):
        for position in {0, size // 2, size - 1, size * 7 // 8}:
            payload = bytearray(b"a" * size)
            payload[position] = 0x80
            for text in (bytes(size), bytes(payload)):
                buffer.place(16, xor(text, b"\x81\x02\xf3\x04"))
                buffer.unmask(12, 16, size, int.from_bytes(b"\x81\x02\xf3\x04", "little"))
                assert buffer.unmasked_ascii == text.isascii()


@pytest.mark.parametrize("offset", range(9))
def test_the_mask_goes_on_where_it_stopped(offset: int, chosen: Codec) -> None:
    buffer = chosen.ReceiveBuffer(1024, 128)
    mask, payload = b"\x01\x02\x04\xf8", bytes(range(40))
    buffer.place(0, mask + payload)
    key = buffer.load_mask(0)
    key = buffer.unmask(4, 4, offset, key)
    buffer.unmask(4 + offset, 4 + offset, 40 - offset, key)
    assert buffer.take(4, 44) == xor(payload, mask)


def naive_state(text: bytes) -> str:
    """Return `whole` for valid text, `begun` for text that ends inside a character, `invalid` for anything else."""
    for ending in (b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xa0\x80", b"\x90\x80\x80", b"\x90\x80", b"\xbf\x80"):
        try:
            (text + ending).decode()
        except UnicodeDecodeError:
            continue
        return "whole" if ending == b"" else "begun"
    return "invalid"


def state_of(chosen: Codec, pieces: list[bytes]) -> str:
    buffer = chosen.ReceiveBuffer(4096, 128)
    state = UTF8_COMPLETE
    for piece in pieces:
        buffer.place(5, piece)
        state = buffer.validate_utf8(5, len(piece), state)
    return {UTF8_COMPLETE: "whole", UTF8_INVALID: "invalid"}.get(state, "begun")


def test_every_sequence_of_two_bytes_is_judged_as_pythons_decoder_does(chosen: Codec) -> None:
    for first in range(256):
        for second in range(256):
            text = bytes((first, second))
            assert state_of(chosen, [text]) == naive_state(text), text


@pytest.mark.parametrize("lead", [0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4])
def test_the_edges_of_longer_sequences_are_judged_as_pythons_decoder_does(lead: int, chosen: Codec) -> None:
    edges = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    for second in edges:
        for third in edges:
            for fourth in edges:
                text = bytes((lead, second, third, fourth))
                assert state_of(chosen, [text]) == naive_state(text), text
                assert state_of(chosen, [text[:2], text[2:]]) == naive_state(text), text


@given(
    st.lists(st.one_of(st.text(max_size=90).map(str.encode), st.binary(max_size=2)), max_size=4).map(b"".join),
    st.integers(0, 400),
)
@settings(derandomize=True, max_examples=1500)
def test_any_text_in_any_two_pieces_is_judged_as_pythons_decoder_does(text: bytes, position: int) -> None:
    for chosen in CODECS.values():
        assert state_of(chosen, [text]) == naive_state(text)
        assert state_of(chosen, [text[:position], text[position:]]) == naive_state(text)


@pytest.mark.parametrize("position", range(0, 200, 7))
def test_one_bad_byte_in_long_ascii_is_found(position: int, chosen: Codec) -> None:
    text = bytearray(b"a" * 200)
    text[position] = 0xFF
    assert state_of(chosen, [bytes(text)]) == "invalid"


def test_nothing_is_placed_outside_the_buffer(chosen: Codec) -> None:
    buffer = chosen.ReceiveBuffer(256, 64)
    with pytest.raises(ValueError, match="do not fit"):
        buffer.place(300, bytes(1000))
    with pytest.raises(ValueError, match="do not fit"):
        buffer.place(-1, b"x")
