"""The counters of messages, bytes and frames, with both codecs."""

import ctypes

import pytest

from tests.shared.echoing import CODECS, echo_of
from tests.shared.frames import (
    BINARY,
    client_frame,
)
from wsecho.codec.selection import Codec
from wsecho.websocket.message_counters import MESSAGE_SIZE_BOUNDS, EchoRow


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def test_both_codecs_count_in_the_fields_of_the_row(chosen: Codec) -> None:
    row = EchoRow()
    counters = chosen.MessageCounters(row)
    counters.short_message(0x2, 100)
    counters.frame_received(0x9)
    counters.message_received(5000)
    counters.compressed(11)
    counters.inflated(12)
    counters.received(13, 14)
    counters.sent(15, 16, 17)
    assert (row.frames_received[2], row.frames_received[9]) == (1, 1)
    assert (row.message_sizes[1], row.message_sizes[4], row.message_bytes) == (1, 1, 5100)
    assert (row.compressed_bytes, row.inflated_bytes) == (11, 12)
    assert (row.wire_bytes_received, row.payload_bytes_received) == (13, 14)
    assert (row.wire_bytes_sent, row.payload_bytes_sent, row.messages_sent) == (15, 16, 17)


def test_the_compiled_counters_refuse_a_row_of_another_size() -> None:
    with pytest.raises(ValueError, match=f"a row of counters is {ctypes.sizeof(EchoRow)} bytes"):
        CODECS["compiled"].MessageCounters((ctypes.c_int64 * 3)())  # type: ignore[arg-type]


def test_size_bounds_are_inclusive(chosen: Codec) -> None:
    for bucket, bound in enumerate(MESSAGE_SIZE_BOUNDS):
        row = EchoRow()
        counters = chosen.MessageCounters(row)
        counters.message_received(bound)
        counters.message_received(bound + 1)
        assert (row.message_sizes[bucket], row.message_sizes[bucket + 1]) == (1, 1)


def test_messages_are_counted_by_size_with_inclusive_bounds(chosen: Codec) -> None:
    sizes = [0, 64, 65, 256, 257, 16384, 16385, 65537]
    outcome = echo_of([client_frame(BINARY, bytes(size)) for size in sizes], chosen)
    assert outcome.received[:7] == (2, 2, 1, 0, 1, 1, 1)
    assert outcome.received_bytes == sum(sizes)
