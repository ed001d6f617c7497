"""Compressed messages: forwarded as they came, validated by inflating them (RFC 7692 sections 6 and 7.2)."""

import random
import zlib
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared.compression import (
    EMPTY_TABLES,
    MESSAGES,
    RSV1,
    UNFINISHED,
    Compressor,
    compressed_frame,
    compressed_reply,
    final,
)
from tests.shared.deflate_model import judge
from tests.shared.echoing import CODECS, EchoBench, bytewise, cut
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, server_close, server_frame
from wsecho.codec.selection import Codec
from wsecho.websocket.deflate import Agreement
from wsecho.websocket.echo import CLOSED, OPEN
from wsecho.websocket.inflater import InflaterMemory

NOT_DEFLATE = "compressed message is not valid deflate"
CUT_SHORT = "compressed message does not end in an empty stored block less its last four octets"
NOT_TEXT = "text is not valid UTF-8"
TOO_BIG = "message is longer than the limit"
RESERVED_BIT = "reserved bit set without an extension that defines it"


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


class Ticks:
    """A clock in nanoseconds that advances by `tick` each time it is read, whatever the real time is."""

    def __init__(self, tick: int = 0) -> None:
        self._tick = tick
        self._now = 0

    def __call__(self) -> int:
        self._now += self._tick
        return self._now


class CompressedBench(EchoBench):
    """An echo for which permessage-deflate was negotiated."""

    def __init__(self, chosen: Codec, *, bits: int = 15, context_takeover: bool = True, **limits: int) -> None:
        super().__init__(chosen, **limits)
        self.memory = InflaterMemory(1 << 20)
        agreement = Agreement(bits, context_takeover, "")
        budget = chosen.InflateBudget(lambda: None, Ticks())
        make_inflater = partial(chosen.Inflater, agreement, self.memory, budget, lambda: None)
        max_message_size = limits.get("max_message_size", 1 << 26)
        self.echo = chosen.Echo(
            self.buffer, chosen.MessageCounters(self.row), max_message_size, 1 << 20, make_inflater, budget
        )


def bench_after(pieces: list[bytes], chosen: Codec, **settings: int) -> CompressedBench:
    bench = CompressedBench(chosen, **settings)
    for piece in pieces:
        bench.feed(piece)
    return bench


def every_way(data: bytes, chosen: Codec, **settings: int) -> CompressedBench:
    """Feed `data` whole, byte by byte and at random cuts; require the same outcome."""
    bench = bench_after([data], chosen, **settings)
    cuts = random.Random(len(data))
    ways = [cut(data, [cuts.randrange(len(data)) for _ in range(5)]) for _ in range(4)]
    for pieces in [*ways, *([bytewise(data)] if len(data) < 5000 else [])]:
        assert bench_after(pieces, chosen, **settings).outcome() == bench.outcome()
    return bench


@pytest.mark.parametrize("context_takeover", [True, False])
@pytest.mark.parametrize("bits", [9, 12, 15])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_compressed_messages_come_back_byte_for_byte(
    bits: int, context_takeover: bool, level: int, chosen: Codec
) -> None:
    compress = Compressor(bits=bits, context_takeover=context_takeover, level=level)
    payloads = [compress(message) for message in MESSAGES]
    bench = CompressedBench(chosen, bits=bits, context_takeover=context_takeover)
    for payload in payloads:
        assert bench.feed(compressed_frame(TEXT, payload)) == compressed_reply(TEXT, payload)
    assert (bench.echo.state, sum(bench.row.message_sizes)) == (OPEN, len(MESSAGES))
    assert bench.row.message_bytes == sum(map(len, MESSAGES))


def test_segmentation_changes_nothing(chosen: Codec) -> None:
    compress = Compressor()
    frames = [compressed_frame(TEXT, compress(message)) for message in MESSAGES]
    assert every_way(b"".join(frames), chosen).sent == len(MESSAGES)


def test_a_compressed_message_may_be_fragmented_anywhere(chosen: Codec) -> None:
    payload = Compressor()(b"fragmented " * 100)
    for position in range(len(payload) + 1):
        head, tail = payload[:position], payload[position:]
        data = (
            compressed_frame(TEXT, head, fin=False)
            + client_frame(PING, b"!")
            + client_frame(CONTINUATION, fin=False)
            + client_frame(CONTINUATION, tail)
        )
        bench = every_way(data, chosen)
        assert bench.reply == (
            compressed_reply(TEXT, head, fin=False)
            + server_frame(PONG, b"!")
            + server_frame(CONTINUATION, fin=False)
            + server_frame(CONTINUATION, tail)
        )
        assert (bench.sent, bench.row.message_bytes) == (1, 1100)


def test_compressed_and_plain_messages_may_alternate(chosen: Codec) -> None:
    compress = Compressor()
    first, second = compress(b"context " * 50), compress(b"context " * 50)
    data = compressed_frame(TEXT, first) + client_frame(TEXT, b"plain") + compressed_frame(TEXT, second)
    expected = compressed_reply(TEXT, first) + server_frame(TEXT, b"plain") + compressed_reply(TEXT, second)
    assert every_way(data, chosen).reply == expected


def test_an_inflater_is_made_for_the_first_compressed_message_only(chosen: Codec) -> None:
    bench = CompressedBench(chosen)
    bench.feed(client_frame(TEXT, b"plain") + client_frame(PING))
    assert (bench.echo.inflater, bench.memory.used) == (None, 0)
    bench.feed(compressed_frame(TEXT, Compressor()(b"x")))
    assert bench.memory.used > 1 << 15
    assert bench.echo.inflater is not None
    bench.echo.inflater.close()
    assert bench.memory.used == 0


def test_little_is_read_at_once_of_what_may_become_much(chosen: Codec) -> None:
    assert EchoBench(chosen, size=60_000).echo.room() == 60_000
    assert CompressedBench(chosen, size=60_000).echo.room() == 16 << 10
    assert CompressedBench(chosen, size=100).echo.room() == 100


def test_memory_for_inflaters_has_a_limit(chosen: Codec) -> None:
    memory = InflaterMemory(30_000)
    budget = chosen.InflateBudget(lambda: None, Ticks())
    inflater = chosen.Inflater(Agreement(12, True, ""), memory, budget, lambda: None)
    assert memory.has_room()
    another = chosen.Inflater(Agreement(15, True, ""), memory, budget, lambda: None)
    assert not memory.has_room()
    another.close()
    inflater.close()
    assert (memory.used, memory.has_room()) == (0, True)


class Spending:
    """An inflater in an iteration of the event loop of its own. `told` lists what the server is asked to do."""

    def __init__(self, chosen: Codec, tick: int) -> None:
        self.told: list[str] = []
        self.budget = chosen.InflateBudget(partial(self.told.append, "await the end"), Ticks(tick))
        memory = InflaterMemory(1 << 20)
        self.inflater = chosen.Inflater(Agreement(15, True, ""), memory, self.budget, partial(self.told.append, "wait"))

    def inflate(self, payload: bytes, times: int = 1) -> None:
        for _ in range(times):
            self.inflater.feed(payload)
            while self.inflater.next_piece():
                pass
            assert self.inflater.end_message()


def test_a_client_that_used_much_of_an_iteration_waits_for_the_next(chosen: Codec) -> None:
    # A message takes two ticks: one to inflate it, one to find out that it is whole.
    spending = Spending(chosen, tick=500_000)
    compress = Compressor()
    for _ in range(2):
        spending.inflate(compress(b"short"), 2)
        assert spending.told == ["await the end"]
        assert (spending.budget.spent, spending.budget.is_full()) == (2_000_000, False)
        spending.budget.end()
        spending.told.clear()
    spending.inflate(compress(b"short"), 2)
    assert "wait" not in spending.told
    spending.inflate(compress(b"short"))
    assert spending.told == ["await the end", "wait"]


def test_a_client_waits_sooner_in_an_iteration_that_is_nearly_used_up(chosen: Codec) -> None:
    spending = Spending(chosen, tick=100_000)
    spending.budget.spend(25_000_000)
    assert spending.told == ["await the end"]
    compress = Compressor()
    spending.inflate(compress(b"short"))
    assert "wait" not in spending.told
    spending.inflate(compress(b"short"))
    assert spending.told[-1] == "wait"


@pytest.mark.parametrize("payload", [b"\x00", EMPTY_TABLES * 100 + b"\x00", b"\x03\x00" * 100 + b"\x00"])
def test_inflating_to_nothing_has_a_cost(payload: bytes, chosen: Codec) -> None:
    spending = Spending(chosen, tick=10_000)
    spending.inflate(payload, 200)
    assert "wait" in spending.told


def test_the_cost_is_the_time_where_that_is_more_than_the_output(chosen: Codec) -> None:
    payload = EMPTY_TABLES * 100 + b"\x00"
    costs = []
    for tick in (0, 80_000, 1_000_000_000):
        spending = Spending(chosen, tick)
        spending.inflate(payload)
        costs.append(spending.inflater.cost)
    # Ticks of 0: no cost. Of 80 µs: a byte for each 8 ns, then the most that the last four octets can cost. Of 1 s: the
    # most that this number of octets can cost.
    assert costs == [0, 10_000 + 4 * 16 + 512, 16 * (len(payload) + 4) + 2 * 512]
    # Where many bytes come out, their number is the cost.
    spending = Spending(chosen, tick=80_000)
    spending.inflate(Compressor()(bytes(30_000)))
    assert spending.inflater.cost == 30_000 + 4 * 16 + 512


def test_after_our_close_nothing_is_inflated(chosen: Codec) -> None:
    bench = CompressedBench(chosen)
    bench.close(1008, b"too much")
    bench.feed(compressed_frame(BINARY, Compressor()(bytes(1 << 20))) + compressed_frame(TEXT, b"\xff\xff"))
    assert (bench.row.inflated_bytes, bench.error) == (0, None)
    bench.feed(client_frame(CLOSE, b"\x03\xf0"))
    assert (bench.echo.state, bench.echo.close_code) == (CLOSED, 1008)


@pytest.mark.parametrize("opcode", [CONTINUATION, PING, PONG, CLOSE])
def test_the_bit_is_wrong_on_all_but_the_first_frame_of_a_message(opcode: int, chosen: Codec) -> None:
    data = compressed_frame(BINARY, b"", fin=False) + compressed_frame(opcode, b"")
    assert every_way(data, chosen).reply.endswith(server_close(1002, RESERVED_BIT))


@pytest.mark.parametrize("bits", [1, 2, 5, 6, 7])
def test_the_other_reserved_bits_stay_wrong(bits: int, chosen: Codec) -> None:
    assert every_way(client_frame(TEXT, b"", reserved=bits), chosen).reply == server_close(1002, RESERVED_BIT)


@pytest.mark.parametrize(
    "payload", [b"\xff\xff\xff", b"\x07", b"\x06\x00", b"\x01\x05\x00\x00\x00", b"\x00\x00\x01\x00\x00"]
)
def test_what_is_no_deflate_is_refused(payload: bytes, chosen: Codec) -> None:
    bench = every_way(compressed_frame(BINARY, payload), chosen)
    assert bench.reply == server_close(1007, NOT_DEFLATE)
    assert bench.sent == sum(bench.row.message_sizes) == 0


@pytest.mark.parametrize("context_takeover", [True, False])
@pytest.mark.parametrize("name", UNFINISHED)
def test_a_message_that_ends_within_a_block_is_refused_at_its_own_end(
    name: str, context_takeover: bool, chosen: Codec
) -> None:
    """RFC 7692 section 7.2.1: a message ends in an empty stored block whose last four octets are left out."""
    first = compressed_frame(BINARY, Compressor()(b"context"))
    unfinished = compressed_frame(BINARY, UNFINISHED[name])
    good = compressed_frame(BINARY, b"\x00")
    bench = every_way(first + unfinished + good, chosen, context_takeover=context_takeover)
    assert bench.reply == compressed_reply(BINARY, Compressor()(b"context")) + server_close(1007, CUT_SHORT)
    assert (bench.sent, sum(bench.row.message_sizes)) == (1, 1)
    assert bench_after([unfinished + good], chosen).reply == server_close(1007, CUT_SHORT)
    fragments = compressed_frame(BINARY, UNFINISHED[name], fin=False) + client_frame(CONTINUATION)
    assert every_way(fragments + good, chosen).error == CUT_SHORT


@pytest.mark.parametrize(
    "payload",
    [
        b"\x00",
        b"\x01",
        b"\x00\x00\x00\xff\xff\x00",
        b"\x02\x00",
        EMPTY_TABLES + b"\x00",
        final(b"Hello"),
        final(b"Hello") + b"\x00",
        final(b"Hello") + final(bytes(range(256)) * 20),
        b"\x00\x04\x00\xfb\xff\x00\x00\xff\xff\x00",
    ],
)
def test_a_message_may_end_behind_any_block(payload: bytes, chosen: Codec) -> None:
    good = compressed_frame(BINARY, Compressor()(b"good"))
    for data in (
        compressed_frame(BINARY, payload) + good,
        compressed_frame(BINARY, payload, fin=False) + client_frame(CONTINUATION) + good,
    ):
        bench = every_way(data, chosen)
        assert (bench.error, bench.sent) == (None, 2)


def test_a_distance_beyond_the_context_is_refused(chosen: Codec) -> None:
    compress = Compressor()
    compress(b"never sent " * 20)
    payload = compress(b"never sent " * 20)
    assert every_way(compressed_frame(TEXT, payload), chosen).reply == server_close(1007, NOT_DEFLATE)


def test_text_is_checked_as_it_was_before_compression(chosen: Codec) -> None:
    for text, reason in ((b"ok \xff", NOT_TEXT), (b"a" * 70_000 + b"\xed\xa0\x80", NOT_TEXT)):
        bench = every_way(compressed_frame(TEXT, Compressor()(text)), chosen)
        assert bench.reply == server_close(1007, reason)
        assert every_way(compressed_frame(BINARY, Compressor()(text)), chosen).echo.state == OPEN
    early = every_way(compressed_frame(TEXT, Compressor()(b"half \xe2\x82")), chosen)
    assert early.reply == server_close(1007, "text ends inside a UTF-8 character")


def test_the_limit_is_that_of_the_message_before_compression(chosen: Codec) -> None:
    for message, reply in ((bytes(1000), None), (bytes(1001), server_close(1009, TOO_BIG))):
        payload = Compressor()(message)
        bench = every_way(compressed_frame(BINARY, payload), chosen, max_message_size=1000)
        assert bench.reply == (reply or compressed_reply(BINARY, payload))


def test_what_cannot_be_compressed_may_be_a_little_longer_on_the_wire(chosen: Codec) -> None:
    payload = Compressor(level=0)(random.Random(3).randbytes(1000))
    assert len(payload) > 1000
    bench = every_way(compressed_frame(BINARY, payload), chosen, max_message_size=1000)
    assert bench.reply == compressed_reply(BINARY, payload)
    header = client_frame(BINARY, reserved=RSV1, length=b"\x7e" + (1000 + 1000 // 8 + 65).to_bytes(2, "big"))
    assert bench_after([header], chosen, max_message_size=1000).reply == server_close(1009, TOO_BIG)


def test_a_compression_bomb_is_refused_as_soon_as_it_passes_the_limit(chosen: Codec) -> None:
    payload = Compressor(level=9)(bytes(64 << 20))
    assert len(payload) < 70_000
    bench = CompressedBench(chosen, max_message_size=1 << 20, hold_limit=1 << 17)
    assert bench.feed(compressed_frame(BINARY, payload)[:5000]) == server_close(1009, TOO_BIG)


def test_a_compression_bomb_in_a_long_frame_ends_without_a_close_frame(chosen: Codec) -> None:
    payload = Compressor(level=9)(bytes(64 << 20))
    bench = CompressedBench(chosen, max_message_size=8 << 20, hold_limit=1000)
    frame = compressed_frame(BINARY, payload)
    assert bench.feed(frame[:4000]) == compressed_reply(BINARY, payload)[: 4000 - 4]
    assert bench.feed(frame[4000:]) == b""
    assert (bench.echo.state, bench.echo.close_code, bench.error) == (CLOSED, 0, TOO_BIG)


def test_a_last_block_may_be_followed_by_another_stream_or_by_nothing(chosen: Codec) -> None:
    """RFC 7692 section 7.2.3.4, and its example in 7.2.3.5: a block with BFINAL set, and a zero byte after it."""
    example = bytes.fromhex("f348cdc9c9070000")
    compress = zlib.compressobj(9, zlib.DEFLATED, -15)
    final = compress.compress(b"Hello") + compress.flush(zlib.Z_FINISH)
    for payload in (example, final, final + example):
        bench = every_way(compressed_frame(TEXT, payload) + compressed_frame(TEXT, Compressor()(b"next")), chosen)
        assert (bench.echo.state, bench.sent) == (OPEN, 2), payload
    junk = every_way(compressed_frame(TEXT, final + b"\xff\xff\xff"), chosen)
    assert junk.reply == server_close(1007, NOT_DEFLATE)


def test_without_an_agreement_the_bit_is_a_violation(chosen: Codec) -> None:
    bench = EchoBench(chosen)
    assert bench.feed(compressed_frame(TEXT, b"")) == server_close(1002, RESERVED_BIT)


@st.composite
def compressed_traffic(draw: st.DrawFn) -> bytes:
    """Draw a client's messages: mostly compressed, in fragments, some with a changed, missing or additional byte."""
    compress = Compressor(level=draw(st.sampled_from([0, 1, 9])))
    data = b""
    for _ in range(draw(st.integers(1, 5))):
        message = draw(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
        message *= draw(st.sampled_from([1, 1, 50, 2000]))
        opcode = draw(st.sampled_from([TEXT, BINARY]))
        if not draw(st.integers(0, 3)):
            data += client_frame(opcode, message)
            continue
        payload = bytearray(compress(message))
        match draw(st.integers(0, 11)):
            case 0 | 1:
                payload[draw(st.integers(0, len(payload) - 1))] ^= 1 << draw(st.integers(0, 7))
            case 2:
                del payload[draw(st.integers(0, len(payload) - 1)) :]
            case 3:
                payload += b"\x00\x00\xff\xff"
        pieces = cut(bytes(payload), draw(st.lists(st.integers(0, 1 << 16), max_size=2))) or [b""]
        for number, piece in enumerate(pieces):
            frame = client_frame if number else compressed_frame
            data += frame(CONTINUATION if number else opcode, piece, fin=number == len(pieces) - 1)
    return data


@given(compressed_traffic(), st.lists(st.integers(0, 1 << 20), max_size=8))
@settings(derandomize=True, max_examples=600)
def test_compressed_traffic_has_one_outcome_however_it_is_cut_and_on_either_build(data: bytes, cuts: list[int]) -> None:
    limits = {"max_message_size": 1 << 17, "hold_limit": 1 << 19}
    plain = bench_after([data], CODECS["python"], **limits).outcome()
    assert bench_after([data], CODECS["compiled"], **limits).outcome() == plain
    for chosen in CODECS.values():
        outcome = bench_after(cut(data, cuts), chosen, **limits).outcome()
        if plain.error in (NOT_DEFLATE, NOT_TEXT, TOO_BIG):
            # Where a piece breaks several rules, the cut decides which of them is reported.
            assert outcome.error in (NOT_DEFLATE, NOT_TEXT, TOO_BIG, "text ends inside a UTF-8 character")
        else:
            assert outcome == plain


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Draw one compressed message: whole, or with up to two changes."""
    message = draw(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode))) * draw(st.integers(1, 4))
    strategy = draw(st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY]))
    compress = zlib.compressobj(draw(st.sampled_from([0, 1, 9])), zlib.DEFLATED, -15, 8, strategy)
    flush = draw(st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH]))
    payload = bytearray((compress.compress(message) + compress.flush(flush)).removesuffix(b"\x00\x00\xff\xff"))
    for change in draw(st.lists(st.sampled_from(["flip", "cut", "add", "insert"]), max_size=2)):
        at = draw(st.integers(0, len(payload)))
        if change == "cut":
            del payload[at:]
        elif change == "add":
            payload += draw(st.sampled_from([b"\x00\x00\xff\xff", b"\x00", b"\x01", EMPTY_TABLES, final(b"x")]))
        elif change == "insert":
            payload[at:at] = draw(st.binary(max_size=5))
        elif at < len(payload):
            payload[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(payload)


def check_message(payload: bytes) -> None:
    """Require that both codecs judge a first message as the model does."""
    verdict, inflated = judge(payload)
    expected = {"whole": None, "unfinished": CUT_SHORT, "invalid": NOT_DEFLATE}[verdict]
    for chosen in CODECS.values():
        bench = bench_after([compressed_frame(BINARY, payload)], chosen, size=1 << 15)
        assert (bench.error, bench.sent) == (expected, int(verdict == "whole"))
        if verdict == "whole":
            assert bench.row.message_bytes == inflated


@given(payloads())
@settings(derandomize=True, max_examples=250)
def test_a_message_is_what_the_model_says(payload: bytes) -> None:
    check_message(payload)
