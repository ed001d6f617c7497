"""The echo: the rules of RFC 6455 sections 5 and 7, for data that arrives whole, byte by byte and in random pieces.

All tests run with both codecs. Modules: `echo`, `violations`.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared.echoing import CODECS, EchoBench, Outcome, bytewise, cut, echo_of
from tests.shared.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    client_frame,
    server_close,
    server_frame,
)
from wsecho.codec.selection import Codec
from wsecho.websocket.echo import CLOSED, CLOSING, OPEN, may_be_sent


@pytest.fixture(params=CODECS)
def chosen(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def long_length(size: int, width: int) -> bytes:
    """Return a length in 2 or 8 bytes, even if that is not its shortest form."""
    return bytes((126 if width == 2 else 127,)) + size.to_bytes(width, "big")


HELLO = client_frame(TEXT, b"hello")
HELLO_BACK = server_frame(TEXT, b"hello")
KOSME = "κόσμε".encode()

# Valid input, and the expected reply. The connection stays open.
VALID = {
    "text": (HELLO, HELLO_BACK),
    "empty text": (client_frame(TEXT), server_frame(TEXT)),
    "empty binary": (client_frame(BINARY), server_frame(BINARY)),
    "mask of zeros": (client_frame(TEXT, b"plain", mask=bytes(4)), server_frame(TEXT, b"plain")),
    "every byte value": (client_frame(BINARY, bytes(range(256))), server_frame(BINARY, bytes(range(256)))),
    "text of several bytes a character": (client_frame(TEXT, KOSME * 99), server_frame(TEXT, KOSME * 99)),
    **{
        f"binary of {size} bytes": (client_frame(BINARY, b"x" * size), server_frame(BINARY, b"x" * size))
        for size in (1, 3, 4, 5, 124, 125, 126, 127, 255, 65535, 65536, 65537, 200_000)
    },
    "three messages at once": (HELLO * 3, HELLO_BACK * 3),
    "fragments stay fragments": (
        client_frame(TEXT, b"a", fin=False) + client_frame(CONTINUATION, fin=False) + client_frame(CONTINUATION, b"b"),
        server_frame(TEXT, b"a", fin=False) + server_frame(CONTINUATION, fin=False) + server_frame(CONTINUATION, b"b"),
    ),
    "character split between fragments": (
        client_frame(TEXT, KOSME[:1], fin=False) + client_frame(CONTINUATION, KOSME[1:]),
        server_frame(TEXT, KOSME[:1], fin=False) + server_frame(CONTINUATION, KOSME[1:]),
    ),
    "ping": (client_frame(PING, b"are you there"), server_frame(PONG, b"are you there")),
    "empty ping": (client_frame(PING), server_frame(PONG)),
    "longest ping": (client_frame(PING, b"p" * 125), server_frame(PONG, b"p" * 125)),
    "ping between fragments": (
        client_frame(TEXT, b"a", fin=False) + client_frame(PING, b"!") + client_frame(CONTINUATION, b"b"),
        server_frame(TEXT, b"a", fin=False) + server_frame(PONG, b"!") + server_frame(CONTINUATION, b"b"),
    ),
    "ping with bytes that are no text, inside a text": (
        client_frame(TEXT, b"a", fin=False) + client_frame(PING, b"\xff") + client_frame(CONTINUATION, b"b"),
        server_frame(TEXT, b"a", fin=False) + server_frame(PONG, b"\xff") + server_frame(CONTINUATION, b"b"),
    ),
    "unasked pong": (client_frame(PONG, b"news") + HELLO, HELLO_BACK),
    "pong between fragments": (
        client_frame(TEXT, b"a", fin=False) + client_frame(PONG) + client_frame(CONTINUATION, b"b"),
        server_frame(TEXT, b"a", fin=False) + server_frame(CONTINUATION, b"b"),
    ),
    "binary is not text": (client_frame(BINARY, b"\xff\xfe"), server_frame(BINARY, b"\xff\xfe")),
    "noncharacters are text": (
        client_frame(TEXT, "\ufffe\uffff\U0010ffff".encode()),
        server_frame(TEXT, "\ufffe\uffff\U0010ffff".encode()),
    ),
}

# A Close frame, its reply and the close code. The connection is closed without an error.
CLOSES = {
    "empty": (client_frame(CLOSE), server_frame(CLOSE), 1005),
    "code": (client_frame(CLOSE, b"\x03\xe8"), server_frame(CLOSE, b"\x03\xe8"), 1000),
    "code and reason": (client_frame(CLOSE, b"\x0b\xb8bye"), server_frame(CLOSE, b"\x0b\xb8bye"), 3000),
    "longest reason": (
        client_frame(CLOSE, b"\x13\x87" + b"r" * 123),
        server_frame(CLOSE, b"\x13\x87" + b"r" * 123),
        4999,
    ),
    "inside a fragmented message": (
        client_frame(TEXT, b"a", fin=False) + client_frame(CLOSE, b"\x03\xe8"),
        server_frame(TEXT, b"a", fin=False) + server_frame(CLOSE, b"\x03\xe8"),
        1000,
    ),
    "what follows is not answered": (client_frame(CLOSE) + HELLO, server_frame(CLOSE), 1005),
}

RESERVED_BIT = "reserved bit set without an extension that defines it"
NOT_MASKED = "frame from a client is not masked"
RESERVED_OPCODE = "reserved opcode"
NOT_SHORTEST = "payload length is not in its shortest form"
ORPHAN = "continuation frame without a message to continue"
INTERLEAVED = "new message before the end of a fragmented one"
LONG_CONTROL = "control frame is longer than 125 bytes"
NOT_TEXT = "text is not valid UTF-8"
HALF_CODE = "Close frame with half a close code"
BAD_CODE = "Close frame with a code that must not be sent"
BAD_REASON = "reason in the Close frame is not valid UTF-8"
HALF_CHARACTER = "text ends inside a UTF-8 character"

# Input that breaks a rule, and the close code and reason of the reply.
VIOLATIONS = {
    **{
        f"reserved bits {bits:03b}": (client_frame(TEXT, b"x", reserved=bits), 1002, RESERVED_BIT)
        for bits in range(1, 8)
    },
    "reserved bit on a ping": (client_frame(PING, reserved=4), 1002, RESERVED_BIT),
    "not masked": (client_frame(TEXT, b"x", mask=None), 1002, NOT_MASKED),
    **{
        f"reserved opcode {opcode:x}": (client_frame(opcode, b"x"), 1002, RESERVED_OPCODE)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    **{
        f"fragmented control {opcode:x}": (client_frame(opcode, fin=False), 1002, "control frame is fragmented")
        for opcode in (CLOSE, PING, PONG)
    },
    **{
        f"control {opcode:x} of 126 bytes": (client_frame(opcode, b"x" * 126), 1002, LONG_CONTROL)
        for opcode in (CLOSE, PING, PONG)
    },
    "continuation of nothing": (client_frame(CONTINUATION, b"x"), 1002, ORPHAN),
    "125 in two bytes": (client_frame(TEXT, b"x" * 125, length=long_length(125, 2)), 1002, NOT_SHORTEST),
    "0 in two bytes": (client_frame(TEXT, length=long_length(0, 2)), 1002, NOT_SHORTEST),
    "125 in eight bytes": (client_frame(TEXT, b"x" * 125, length=long_length(125, 8)), 1002, NOT_SHORTEST),
    "65535 in eight bytes": (client_frame(TEXT, length=long_length(65535, 8)), 1002, NOT_SHORTEST),
    "top bit of the length": (
        client_frame(BINARY, length=long_length(1 << 63, 8)),
        1002,
        "payload length has its top bit set",
    ),
    **{
        f"length of {size}": (
            client_frame(BINARY, length=long_length(size, 8)),
            1009,
            "message is longer than the limit",
        )
        for size in ((1 << 26) + 1, 1 << 32, (1 << 63) - 1)
    },
    **{
        f"text {text.hex()}": (client_frame(TEXT, text), 1007, NOT_TEXT)
        for text in (
            *(
                b"\x80",
                b"\xbf",
                b"\xc0\x80",
                b"\xc1\xbf",
                b"\xe0\x80\x80",
                b"\xe0\x9f\xbf",
                b"\xed\xa0\x80",
                b"\xed\xbf\xbf",
            ),
            *(b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe", b"\xff"),
            *(b"\xc3(", b"\xe2\x82(", b"\xf0\x9f\x98(", b"a" * 70 + b"\xff", KOSME + b"\xed\xa0\x80" + b"edited"),
        )
    },
    **{
        f"text ending in {text.hex()}": (client_frame(TEXT, b"ok" + text), 1007, HALF_CHARACTER)
        for text in (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf4\x8f")
    },
    "Close of one byte": (client_frame(CLOSE, b"\x03"), 1002, HALF_CODE),
    **{
        f"Close with {code}": (client_frame(CLOSE, code.to_bytes(2, "big")), 1002, BAD_CODE)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "Close with a bad reason": (client_frame(CLOSE, b"\x03\xe8\xff"), 1007, BAD_REASON),
    "Close with half a character": (client_frame(CLOSE, b"\x03\xe8\xc3"), 1007, BAD_REASON),
}


# The same for frames that are wrong only because of the frame before: that frame, the wrong frame, code and reason.
OUT_OF_PLACE = {
    "continuation after the end": (HELLO, client_frame(CONTINUATION, b"x"), 1002, ORPHAN),
    "text inside a message": (client_frame(TEXT, b"a", fin=False), HELLO, 1002, INTERLEAVED),
    "binary inside a message": (client_frame(TEXT, b"a", fin=False), client_frame(BINARY), 1002, INTERLEAVED),
    "text that ends early in a later fragment": (
        client_frame(TEXT, b"a", fin=False),
        client_frame(CONTINUATION, b"\xe2\x82"),
        1007,
        HALF_CHARACTER,
    ),
    "text that turns bad in a later fragment": (
        client_frame(TEXT, b"a", fin=False),
        client_frame(CONTINUATION, b"\xff", fin=False),
        1007,
        NOT_TEXT,
    ),
}


def every_way(data: bytes, chosen: Codec, **limits: int) -> Outcome:
    """Feed `data` whole, byte by byte and in random pieces. Require the same outcome each time, and return it."""
    outcome = echo_of([data], chosen, **limits)
    cuts = random.Random(len(data))
    if len(data) < 10_000:
        assert echo_of(bytewise(data), chosen, **limits) == outcome
    for _ in range(8):
        positions = [cuts.randrange(len(data) + 1) for _ in range(cuts.randrange(1, 9))]
        assert echo_of(cut(data, positions), chosen, **limits) == outcome
    return outcome


@pytest.mark.parametrize("name", VALID)
def test_valid_frames_come_back(name: str, chosen: Codec) -> None:
    data, reply = VALID[name]
    outcome = every_way(data, chosen)
    assert (outcome.reply, outcome.state, outcome.error) == (reply, OPEN, None)
    assert sum(outcome.received) == outcome.sent


@pytest.mark.parametrize("name", CLOSES)
def test_a_close_is_echoed_and_ends_the_connection(name: str, chosen: Codec) -> None:
    data, reply, code = CLOSES[name]
    outcome = every_way(HELLO + data, chosen)
    assert (outcome.reply, outcome.state, outcome.error) == (HELLO_BACK + reply, CLOSED, None)
    assert (outcome.close_code, sum(outcome.received), outcome.sent) == (code, 1, 1)


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_every_code_that_may_be_sent_is_echoed(code: int, chosen: Codec) -> None:
    assert may_be_sent(code)
    frame = code.to_bytes(2, "big")
    assert echo_of([client_frame(CLOSE, frame)], chosen).reply == server_frame(CLOSE, frame)


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_is_answered_after_the_echoes_before_it(name: str, chosen: Codec) -> None:
    data, code, error = VIOLATIONS[name]
    outcome = every_way(HELLO + data + HELLO, chosen)
    assert outcome.reply == HELLO_BACK + server_close(code, error)
    assert (outcome.state, outcome.close_code, outcome.error) == (CLOSED, code, error)
    assert sum(outcome.received) == outcome.sent == 1


@pytest.mark.parametrize("name", OUT_OF_PLACE)
def test_a_frame_out_of_place_is_a_violation(name: str, chosen: Codec) -> None:
    before, data, code, error = OUT_OF_PLACE[name]
    outcome = every_way(before + data, chosen)
    assert outcome.reply == echo_of([before], chosen).reply + server_close(code, error)
    assert (outcome.state, outcome.error) == (CLOSED, error)


def test_a_message_at_the_limit_is_echoed_and_one_over_it_is_refused(chosen: Codec) -> None:
    whole = client_frame(BINARY, b"x" * 1000)
    assert every_way(whole, chosen, max_message_size=1000).reply == server_frame(BINARY, b"x" * 1000)
    assert every_way(whole, chosen, max_message_size=999).close_code == 1009


def test_the_limit_counts_all_fragments_of_a_message(chosen: Codec) -> None:
    fragments = client_frame(BINARY, b"x" * 600, fin=False) + client_frame(CONTINUATION, b"x" * 400)
    assert every_way(fragments, chosen, max_message_size=1000).state == OPEN
    outcome = every_way(fragments + client_frame(BINARY, b"x" * 1000), chosen, max_message_size=1000)
    assert (outcome.state, outcome.sent) == (OPEN, 2)
    outcome = every_way(fragments, chosen, max_message_size=999)
    assert outcome.reply.startswith(server_frame(BINARY, b"x" * 600, fin=False))
    assert outcome.close_code == 1009


def test_the_limit_is_judged_before_the_payload_arrives(chosen: Codec) -> None:
    bench = EchoBench(chosen, max_message_size=1000)
    header = client_frame(BINARY, length=long_length(1001, 2))
    assert bench.feed(header) == server_close(1009, "message is longer than the limit")


def test_bad_text_is_refused_with_the_byte_that_spoils_it(chosen: Codec) -> None:
    bench = EchoBench(chosen)
    frame = client_frame(TEXT, KOSME + b"\xf4\x90" + b"\x80\x80and more")
    upto = 6 + len(KOSME)
    assert bench.feed(frame[: upto + 1]) == b""
    assert bench.feed(frame[upto + 1 : upto + 2]) == server_close(1007, NOT_TEXT)


def test_a_short_frame_is_held_until_it_is_complete(chosen: Codec) -> None:
    bench = EchoBench(chosen, hold_limit=1000)
    frame = client_frame(BINARY, b"x" * 1000)
    assert bench.feed(frame[:500]) == b""
    assert bench.feed(frame[500:-1]) == b""
    assert bench.feed(frame[-1:]) == server_frame(BINARY, b"x" * 1000)


def test_a_long_frame_is_passed_on_as_it_arrives(chosen: Codec) -> None:
    bench = EchoBench(chosen, hold_limit=1000)
    frame, reply = client_frame(BINARY, b"x" * 1001), server_frame(BINARY, b"x" * 1001)
    assert bench.feed(frame[:500]) == reply[: 500 - 4]
    assert bench.sent == sum(bench.row.message_sizes) == 0
    assert bench.feed(frame[500:]) == reply[500 - 4 :]
    assert bench.sent == sum(bench.row.message_sizes) == 1


def test_a_long_text_that_turns_bad_in_its_middle_breaks_off(chosen: Codec) -> None:
    bench = EchoBench(chosen, hold_limit=1000)
    frame = client_frame(TEXT, b"x" * 1500 + b"\xff" + b"x" * 1500)
    sent = bench.feed(frame[:1000])
    assert sent == server_frame(TEXT, b"x" * 3001)[: len(sent)]
    assert bench.feed(frame[1000:]) == b""
    assert (bench.echo.state, bench.echo.close_code, bench.error) == (CLOSED, 0, NOT_TEXT)
    assert bench.sent == sum(bench.row.message_sizes) == 0


def test_a_long_text_that_ends_too_early_breaks_off(chosen: Codec) -> None:
    bench = EchoBench(chosen, hold_limit=1000)
    frame = client_frame(TEXT, b"x" * 3000 + b"\xe2\x82")
    bench.feed(frame[:1000])
    assert bench.feed(frame[1000:]) == b""
    assert (bench.echo.state, bench.echo.close_code, bench.error) == (CLOSED, 0, HALF_CHARACTER)


def test_a_bad_long_text_that_arrives_whole_is_refused_cleanly(chosen: Codec) -> None:
    bench = EchoBench(chosen, hold_limit=1000)
    assert bench.feed(HELLO + client_frame(TEXT, b"x" * 3000 + b"\xff")) == HELLO_BACK + server_close(1007, NOT_TEXT)


def test_the_server_closes_at_once_between_frames(chosen: Codec) -> None:
    bench = EchoBench(chosen)
    bench.feed(HELLO)
    assert bench.close(1001, b"going") == server_close(1001, "going")
    assert (bench.echo.state, bench.echo.close_code) == (CLOSING, 1001)
    assert bench.close(1001, b"again") == b""


@pytest.mark.parametrize("split", [0, 1, 5, 9])
def test_after_its_close_the_server_only_waits_for_the_peers(split: int, chosen: Codec) -> None:
    bench = EchoBench(chosen)
    late = HELLO + client_frame(PING) + client_frame(TEXT, b"a", fin=False) + client_frame(CONTINUATION, b"b")
    bench.feed(late[:split])
    bench.close(1001, b"")
    assert bench.feed(late[split:]) == b""
    assert bench.echo.state == CLOSING
    for byte in bytewise(client_frame(CLOSE, b"\x03\xe9")):
        assert bench.feed(byte) == b""
    assert (bench.echo.state, bench.echo.close_code) == (CLOSED, 1001)
    assert bench.sent == sum(bench.row.message_sizes) == 0


def test_after_its_close_the_server_does_not_answer_violations(chosen: Codec) -> None:
    bench = EchoBench(chosen)
    bench.close(1001, b"")
    assert bench.feed(client_frame(TEXT, b"\xff")) == b""
    assert (bench.echo.state, bench.echo.close_code, bench.error) == (CLOSED, 1001, None)


def test_the_servers_close_waits_for_the_end_of_a_long_frame(chosen: Codec) -> None:
    bench = EchoBench(chosen, hold_limit=100)
    frame, reply = client_frame(BINARY, b"x" * 1000), server_frame(BINARY, b"x" * 1000)
    bench.feed(frame[:500])
    assert bench.close(1001, b"going") == b""
    assert bench.echo.state == OPEN
    assert bench.feed(frame[500:] + HELLO) == reply[500 - 4 :] + server_close(1001, "going")
    assert (bench.echo.state, bench.sent) == (CLOSING, 1)


def test_a_fragmented_message_counts_once_with_all_its_bytes(chosen: Codec) -> None:
    outcome = every_way(
        client_frame(BINARY, bytes(60), fin=False)
        + client_frame(CONTINUATION, bytes(60), fin=False)
        + client_frame(CONTINUATION),
        chosen,
    )
    assert (outcome.received[:2], outcome.received_bytes, outcome.sent) == ((0, 1), 120, 1)


frames = st.builds(
    client_frame,
    st.sampled_from([TEXT, BINARY, CONTINUATION] * 4 + [PING, PONG, CLOSE, 3, 11]),
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(str.encode),
        st.integers(0, 3000).map(lambda size: b"long " * (size // 5)),
    ),
    fin=st.sampled_from([True, True, False]),
    reserved=st.sampled_from([0] * 20 + [1, 4]),
    mask=st.one_of(st.binary(min_size=4, max_size=4), st.just(None)) | st.binary(min_size=4, max_size=4),
)


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 1 << 20), max_size=12))
@settings(derandomize=True, max_examples=1500)
def test_any_segmentation_and_either_build_give_the_same_outcome(sent: list[bytes], positions: list[int]) -> None:
    data = b"".join(sent)
    outcome = echo_of([data], CODECS["python"])
    for chosen in CODECS.values():
        assert echo_of([data], chosen) == outcome
        assert echo_of(cut(data, positions), chosen) == outcome
        assert echo_of([data], chosen, size=61) == outcome


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 1 << 20), max_size=12))
@settings(derandomize=True, max_examples=1000)
def test_cut_through_never_changes_valid_bytes(sent: list[bytes], positions: list[int]) -> None:
    data = b"".join(sent)
    whole = echo_of([data], CODECS["python"])
    outcomes = [echo_of(cut(data, positions), chosen, size=256, hold_limit=64) for chosen in CODECS.values()]
    assert outcomes[0] == outcomes[1]
    if outcomes[0].error and not outcomes[0].close_code:
        # Only invalid text can abort a frame that was forwarded in part. A whole frame is refused with a Close frame.
        assert whole.close_code == 1007
        assert outcomes[0].error == whole.error
    else:
        assert outcomes[0] == whole


def test_our_ping_goes_out_between_frames_and_its_pong_is_noticed(chosen: Codec) -> None:
    bench = EchoBench(chosen)
    bench.echo.ping(b"are you there")
    assert bench._take_reply() == server_frame(PING, b"are you there")
    bench.feed(client_frame(PONG, b"somebody else's"))
    assert not bench.echo.ping_answered
    assert bench.feed(client_frame(PONG, b"are you there") + client_frame(TEXT, b"yes")) == server_frame(TEXT, b"yes")
    assert bench.echo.ping_answered


def test_a_greeting_is_a_message_that_was_sent_and_none_that_was_received(chosen: Codec) -> None:
    for text in (b"x", "ü".encode() * 62):
        bench = EchoBench(chosen)
        bench.echo.greet(text)
        assert (bench.echo.completed, bench.echo.payload, bench.echo.payload_sent) == (1, len(text), len(text))
        assert bench._take_reply() == server_frame(TEXT, text)
        assert (bench.echo.messages, bench.echo.payload_received) == (0, 0)
        assert bench.feed(client_frame(TEXT, b"yes")) == server_frame(TEXT, b"yes")
        assert (bench.echo.messages, bench.echo.payload_sent) == (1, len(text) + 3)


def test_no_ping_goes_out_inside_a_long_frame_or_after_a_close(chosen: Codec) -> None:
    bench = EchoBench(chosen, hold_limit=64)
    frame = client_frame(BINARY, bytes(1000))
    bench.feed(frame[:500])
    bench.echo.ping(b"x")
    assert bench._take_reply() == b""
    bench.feed(frame[500:])
    bench.close(1001, b"")
    bench.echo.ping(b"x")
    assert bench._take_reply() == b""


def test_a_message_may_have_as_many_fragments_as_the_limit(chosen: Codec) -> None:
    fragments = client_frame(TEXT, b"a", fin=False) + client_frame(CONTINUATION, b"b", fin=False)
    at_limit = every_way(fragments + client_frame(CONTINUATION, b"c"), chosen, max_fragments=3)
    assert (at_limit.state, at_limit.sent) == (OPEN, 1)
    beyond = every_way(fragments + client_frame(CONTINUATION, b"c"), chosen, max_fragments=2)
    assert (beyond.close_code, beyond.error) == (1008, "message has more fragments than the limit")


def test_short_messages_are_held_to_a_limit_that_is_shorter(chosen: Codec) -> None:
    outcome = every_way(client_frame(TEXT, b"12345") + client_frame(TEXT, b"123456"), chosen, max_message_size=5)
    assert outcome.reply.startswith(server_frame(TEXT, b"12345"))
    assert (outcome.close_code, outcome.sent) == (1009, 1)
