"""The echo of both codecs and the model, compared through any sequence of frames, cuts, closes and limits.

`tests/shared/lockstep.py` says what must hold after every step and at the end. Modules: `echo`, `receive_buffer`.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from fuzz.frames import (
    BUFFER_SIZES,
    HOLD_LIMITS,
    MESSAGE_LIMITS,
    Case,
    check,
    decode,
    encode,
    escape,
    read_seeds,
    unescape,
)
from tests.shared.codec_model import unfinished_character
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame
from tests.shared.lockstep import Lockstep
from wsecho.websocket.echo import CLOSED

ANY_LENGTH = "aß€😀" * 7000
# Sizes at which the form of a length changes, and sizes of the longest frame that is held back and of the next longer.
EDGE_SIZES = (0, 1, 63, 64, 65, 125, 126, 127, 1000, 1001, 16384, 16385, 65535, 65536)
# Bytes that begin, continue or break a UTF-8 character.
PIECES_OF_TEXT = (b"\x80", b"\xbf", b"\xc1", b"\xc3", b"\xe0\x9f", b"\xed\xa0", b"\xf0\x90", b"\xf4\x90", b"\xff", b"a")
LENGTHS = (
    *(b"\x7e" + size.to_bytes(2, "big") for size in (0, 125, 126, 65535)),
    *(b"\x7f" + size.to_bytes(8, "big") for size in (65535, 65536, 131072, 131073, 1 << 32, (1 << 63) - 1, 1 << 63)),
)

masks = st.binary(min_size=4, max_size=4)
texts = st.text(max_size=40).map(str.encode) | st.sampled_from(EDGE_SIZES).map(lambda size: ANY_LENGTH.encode()[:size])
reasons = st.text(max_size=30).map(str.encode)
close_payloads = st.builds(
    lambda code, reason: code.to_bytes(2, "big") + reason,
    st.sampled_from([999, 1000, 1001, 1004, 1005, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000]),
    reasons | st.sampled_from(PIECES_OF_TEXT),
) | st.binary(max_size=1)
invalid_frames = st.one_of(
    st.builds(client_frame, st.sampled_from([CONTINUATION, TEXT, PING, CLOSE]), reserved=st.integers(1, 7)),
    st.builds(client_frame, st.integers(0, 15), texts, fin=st.booleans(), mask=st.none() | masks),
    st.builds(client_frame, st.sampled_from([TEXT, BINARY, PING, CONTINUATION]), length=st.sampled_from(LENGTHS)),
    st.binary(min_size=1, max_size=20),
)


class Client:
    """Writes data frames that follow the rules. A character may end in the next fragment."""

    def __init__(self) -> None:
        self.in_message = False
        self._rest = b""

    def data_frame(self, opcode: int, text: bytes, *, final: bool, kept: int, mask: bytes) -> bytes:
        """Return the next frame: the rest of the message so far and `text`, without `kept` bytes unless it is final."""
        payload = self._rest + text[: len(text) - len(unfinished_character(text))]
        stop = len(payload) if final else max(0, len(payload) - kept)
        self._rest = payload[stop:]
        opcode = CONTINUATION if self.in_message else opcode
        self.in_message = not final
        return client_frame(opcode, payload[:stop], fin=final, mask=mask)


class CodecMachine(RuleBasedStateMachine):
    """One connection after another. `unsent` is written but not sent yet; it is sent in pieces of any length."""

    @initialize(
        size=st.sampled_from(BUFFER_SIZES),
        hold_limit=st.sampled_from(HOLD_LIMITS),
        max_message_size=st.sampled_from(MESSAGE_LIMITS),
    )
    def connect(self, size: int, hold_limit: int, max_message_size: int) -> None:
        self.limits = {"size": size, "hold_limit": hold_limit, "max_message_size": max_message_size}
        self.open()

    def open(self) -> None:
        self.lockstep = Lockstep(**self.limits)
        self.client = Client()
        self.unsent = b""

    @rule(
        opcode=st.sampled_from([TEXT, TEXT, BINARY]),
        text=texts,
        final=st.booleans(),
        kept=st.integers(0, 5),
        mask=masks,
    )
    def write_data(self, opcode: int, text: bytes, final: bool, kept: int, mask: bytes) -> None:
        # A small buffer makes a long frame slow to read, and it would show nothing that a shorter frame does not.
        text = text[: 200 * self.limits["size"]]
        self.unsent += self.client.data_frame(opcode, text, final=final, kept=kept, mask=mask)

    @rule(opcode=st.sampled_from([PING, PONG]), payload=st.binary(max_size=20) | st.binary(min_size=124, max_size=125))
    def write_control(self, opcode: int, payload: bytes) -> None:
        self.unsent += client_frame(opcode, payload)

    @rule(
        before=st.sampled_from([0, 1, 100]),
        pieces=st.lists(st.sampled_from(PIECES_OF_TEXT), max_size=3),
        after=st.sampled_from([0, 0, 100]),
        final=st.booleans(),
    )
    def write_bad_text(self, before: int, pieces: list[bytes], after: int, final: bool) -> None:
        text = b"x" * before + b"".join(pieces) + b"x" * after
        self.unsent += client_frame(CONTINUATION if self.client.in_message else TEXT, text, fin=final)
        self.client.in_message = not final

    @rule(payload=close_payloads)
    def write_close(self, payload: bytes) -> None:
        self.unsent += client_frame(CLOSE, payload)

    @rule(frame=invalid_frames)
    def write_invalid_frame(self, frame: bytes) -> None:
        self.unsent += frame

    @rule(count=st.integers(1, 20) | st.integers(1, 1 << 17))
    def send(self, count: int) -> None:
        sent, self.unsent = self.unsent[:count], self.unsent[count:]
        self.lockstep.take(sent)
        if self.lockstep.model.state == CLOSED:
            self.reopen()

    @rule()
    def send_all(self) -> None:
        self.send(len(self.unsent))

    @rule(code=st.sampled_from([1000, 1001]), reason=reasons, sent_before=st.integers(0, 60), really=st.booleans())
    def server_closes(self, code: int, reason: bytes, sent_before: int, really: bool) -> None:
        if really:
            self.send(sent_before)
            self.lockstep.take((code, reason))

    def reopen(self) -> None:
        """After the end of a connection nothing changes any more. Continue with a new connection."""
        self.lockstep.take(self.unsent)
        self.lockstep.take((1001, b""))
        self.lockstep.finish()
        self.open()

    def teardown(self) -> None:
        if hasattr(self, "lockstep"):
            self.lockstep.finish()


CodecMachine.TestCase.settings = settings(derandomize=True, database=None, max_examples=500, stateful_step_count=50)
TestAnySequenceOfSteps = CodecMachine.TestCase


@pytest.mark.parametrize("name", read_seeds())
def test_the_seeds_of_the_fuzzer_hold(name: str) -> None:
    check(decode(read_seeds()[name]))


@given(
    st.builds(
        Case,
        data=st.binary(max_size=20),
        cuts=st.lists(st.integers(0, 0), max_size=15).map(tuple),
        close_at=st.sampled_from([None, 0]),
        size=st.sampled_from(BUFFER_SIZES),
        hold_limit=st.sampled_from(HOLD_LIMITS),
        max_message_size=st.sampled_from(MESSAGE_LIMITS),
    )
)
@settings(derandomize=True, database=None, max_examples=100)
def test_a_seed_is_read_as_it_was_written(case: Case) -> None:
    assert decode(unescape(escape(encode(case)))) == case
