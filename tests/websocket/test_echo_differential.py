"""The echo compared with two independent implementations, `websockets` and wsproto, as servers and as clients.

As servers, all three read the same bytes, and the result of each is put into one form, the `Verdict`. Where another
server differs from wsecho, DIVERGENCES must name the difference and say why wsecho is right. As clients, the two read
the replies of wsecho. Modules: `echo`, `violations`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as WebsocketsFrame
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from tests.shared.codec_model import CONTROL, Frame, Model, header_fault, length_fault, text_is
from tests.shared.echoing import CODECS, cut, echo_of
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame
from tests.shared.lockstep import server_frames

LIMIT = 70_000


@dataclass(frozen=True)
class Verdict:
    """What bytes from a client come to: messages and pings in the order of their ends, and the code of our Close.

    An event is an opcode and a payload. `close_code` is 1005 for an empty Close, and None while none is owed.
    """

    events: tuple[tuple[int, bytes], ...]
    close_code: int | None


def our_verdict(pieces: Iterable[bytes]) -> Verdict:
    """What our replies say, read back: the pongs stand for the pings."""
    outcomes = [echo_of(pieces, chosen, hold_limit=LIMIT, max_message_size=LIMIT) for chosen in CODECS.values()]
    assert outcomes[0] == outcomes[1]
    return verdict_of_frames((opcode, final, payload) for final, opcode, payload in server_frames(outcomes[0].reply))


def verdict_of_frames(frames: Iterable[tuple[int, bool, bytes]]) -> Verdict:
    """Put messages together from (opcode, final, payload)."""
    events: list[tuple[int, bytes]] = []
    message = (0, b"")
    for opcode, final, payload in frames:
        if opcode == CLOSE:
            return Verdict(tuple(events), int.from_bytes(payload[:2], "big") if payload else 1005)
        if opcode in CONTROL:
            events.append((PING, payload))
            continue
        message = (opcode or message[0], payload if opcode else message[1] + payload)
        if final:
            events.append(message)
    return Verdict(tuple(events), None)


def websockets_verdict(pieces: Iterable[bytes]) -> Verdict:
    """What `websockets` makes of it, without its asyncio layer."""
    protocol = ServerProtocol(state=State.OPEN, max_size=LIMIT)
    for piece in pieces:
        protocol.receive_data(piece)
    frames = [event for event in protocol.events_received() if isinstance(event, WebsocketsFrame)]
    heard = verdict_of_frames(
        (frame.opcode, frame.fin, bytes(frame.data)) for frame in frames if frame.opcode not in (CLOSE, PONG)
    )
    return Verdict(heard.events, None if protocol.close_sent is None else protocol.close_sent.code)


def wsproto_verdict(pieces: Iterable[bytes]) -> Verdict:
    """What wsproto makes of it, if every Close of the peer is answered in kind."""
    connection = Connection(ConnectionType.SERVER)
    events: list[tuple[int, bytes]] = []
    message = b""
    for event in wsproto_events(connection, pieces):
        match event:
            case CloseConnection():
                return Verdict(tuple(events), int(event.code))
            case Ping():
                events.append((PING, bytes(event.payload)))
            case TextMessage() | BytesMessage():
                message += message_bytes(event)
                if event.message_finished:
                    events.append((TEXT if isinstance(event, TextMessage) else BINARY, message))
                    message = b""
    return Verdict(tuple(events), None)


def wsproto_events(connection: Connection, pieces: Iterable[bytes]) -> list[Event]:
    """Return all events up to the first Close."""
    events: list[Event] = []
    for piece in pieces:
        connection.receive_data(piece)
        events += connection.events()
        if any(isinstance(event, CloseConnection) for event in events):
            break
    return events


def message_bytes(event: TextMessage | BytesMessage) -> bytes:
    return event.data.encode() if isinstance(event, TextMessage) else bytes(event.data)


OPINIONS = {"websockets": websockets_verdict, "wsproto": wsproto_verdict}


# Where opinions differ. Another verdict may wait for more where ours ends; go on as if nothing were wrong; end in the
# same place with another code; or end earlier, where ours goes on.
Difference = Literal["waits", "goes on", "other code", "ends earlier"]


@dataclass(frozen=True)
class Divergence:
    """A difference that is understood. `trait` is true of the frame it is about, see `traits`; a code None is any."""

    opinion: str
    trait: str
    ours: int | None
    theirs: int | None
    difference: Difference

    def explains(self, ours: Verdict, theirs: Verdict) -> bool:
        """Tell whether two verdicts differ in this way."""
        if ours.close_code != (self.ours or ours.close_code) or theirs.close_code != (self.theirs or theirs.close_code):
            return False
        if self.difference == "goes on":
            return theirs.events[: len(ours.events)] == ours.events
        if self.difference == "ends earlier":
            return ours.events[: len(theirs.events)] == theirs.events
        return ours.events == theirs.events and (self.difference == "other code" or theirs.close_code is None)


# Each with the reason why ours is right; sections are those of RFC 6455.
DIVERGENCES = {
    Divergence("websockets", "length not in its shortest form", 1002, None, "goes on"): """
        5.2: the minimal number of bytes MUST be used. websockets does not look.""",
    Divergence("websockets", "faulty and over the limit", 1002, 1009, "other code"): """
        The header breaks 5.2, 5.4 or 5.5, which is 1002 (7.4.1) at any size. websockets looks at the size before it
        looks at reserved bits, at the top bit of the length, at the kind of the frame and at its place.""",
    Divergence("websockets", "faulty and incomplete", 1002, None, "waits"): """
        7.1.7: the connection fails when the fault is known, at the header. websockets reads the payload first.""",
    Divergence("websockets", "bad text", 1007, None, "goes on"): """
        8.1: bytes that are not UTF-8 fail the connection. In websockets the layer above decodes, and answers 1007.""",
    Divergence("websockets", "Close inside a message", None, 1002, "other code"): """
        5.4: control frames may come in the middle of a fragmented message; 5.5.1: the answer typically echoes the
        code. websockets fails the connection, because the message is incomplete.""",
    Divergence("websockets", "bad close code and bad reason", 1002, 1007, "other code"): """
        Both are wrong (7.4, 5.5.1). The code comes first, and is judged first.""",
    Divergence("websockets", "control frame over what the message left of the limit", None, 1009, "ends earlier"): """
        5.5: a control frame has a limit of its own, 125 bytes, and is no part of the message it interrupts.""",
    Divergence("websockets", "over the limit before the mask", None, 1009, "ends earlier"): """
        5.2: the header ends with the mask. Ours is judged then, four bytes later, with the same result.""",
    Divergence("wsproto", "over the limit", 1009, None, "goes on"): """
        7.4.1: 1009 is for a message too big to process; 10.4 asks for such limits. wsproto has none.""",
    Divergence("wsproto", "close code 1014", None, 1002, "other code"): """
        7.4.2: 1000 to 2999 are for registration, and 1014 (Bad Gateway) is registered. wsproto has an older list.""",
    Divergence("wsproto", "impossible beginning of a character", 1007, None, "goes on"): """
        8.1: ED A0 begins no character (RFC 3629 4). wsproto uses Python's incremental decoder, which waits for one
        byte more before it says so.""",
    Divergence("wsproto", "out of place, payload to come", 1002, None, "waits"): """
        5.4: the header shows that the fragment is out of place. wsproto looks when there is payload.""",
    Divergence("wsproto", "faulty, header incomplete", 1002, None, "waits"): """
        7.1.7: the fault is in the first two bytes. wsproto reads the length first.""",
    Divergence("wsproto", "bad length before the mask", None, 1002, "ends earlier"): """
        5.2: the header ends with the mask. Ours is judged then, four bytes later, with the same result.""",
}
# A difference from both at once: what is special in both implementations meets in one frame.
ALONE = {
    "Close inside a message with code 1014": {"Close inside a message", "close code 1014"},
    "fragment out of place, of which no payload has arrived": {
        "faulty and incomplete",
        "out of place, payload to come",
    },
    "fault in two bytes of a header": {"faulty and incomplete", "faulty, header incomplete"},
    "beginning of a surrogate": {"bad text", "impossible beginning of a character"},
    "bad length before the mask": {"over the limit before the mask", "bad length before the mask"},
}


def traits(wire: bytes, model: Model) -> set[str]:
    """Say what is special in what `model` has read, in the words of DIVERGENCES."""
    if not model.frames:
        return set()
    frame = model.frames[-1]
    return (
        header_traits(frame, wire[frame.start :])
        | payload_traits(frame, model)
        | {
            "control frame over what the message left of the limit"
            for earlier in model.frames
            if earlier.is_control and earlier.message_size + (earlier.second & 0x7F) > LIMIT
        }
    )


def header_traits(frame: Frame, arrived: bytes) -> set[str]:
    """What is special in a frame's header, as far as it has arrived."""
    fault = header_fault(frame)
    extended = arrived[2 : 2 + frame.length_width]
    if len(extended) < frame.length_width:
        return {"faulty, header incomplete", "faulty and incomplete"} if fault else set()
    size = int.from_bytes(extended, "big") if extended else frame.second & 0x7F
    bad_length = length_fault(size, frame.length_width)
    before_mask = len(arrived) < frame.header_width
    over = frame.message_size + size > LIMIT
    found = {
        "length not in its shortest form": bad_length == "not the shortest length",
        "faulty and over the limit": (fault or bad_length) and over,
        "faulty and incomplete": (fault or bad_length) and len(arrived) < frame.header_width + size,
        "faulty, header incomplete": fault and before_mask,
        "out of place, payload to come": fault in ("orphan", "interleaved") and len(arrived) <= frame.header_width,
        "over the limit before the mask": over and before_mask,
        "bad length before the mask": bad_length and before_mask,
        "Close inside a message": frame.opcode == CLOSE and frame.message_opcode is not None,
    }
    return {trait for trait, holds in found.items() if holds}


def payload_traits(frame: Frame, model: Model) -> set[str]:
    """What is special in the payload of the last frame."""
    code, reason = frame.payload[:2], frame.payload[2:]
    surrogate = model.character[-2:-1] == b"\xed" and 0xA0 <= model.character[-1] <= 0xBF
    found = {
        "over the limit": model.fault == "over the limit",
        "bad text": model.fault in ("text", "half a character"),
        "impossible beginning of a character": model.fault == "text" and surrogate,
        "close code 1014": frame.opcode == CLOSE and code == b"\x03\xf6",
        "bad close code and bad reason": frame.opcode == CLOSE
        and text_is(reason) != "whole"
        and model.fault == "close code",
    }
    return {trait for trait, holds in found.items() if holds}


def explanations(wire: bytes, pieces: list[bytes]) -> set[Divergence]:
    """Return the divergences that explain how the other verdicts differ from ours; fail if one is not explained."""
    model = Model(hold_limit=LIMIT, max_message_size=LIMIT)
    model.receive(wire)
    special = traits(wire, model)
    ours = our_verdict(pieces)
    found = set()
    for opinion, verdict_of in OPINIONS.items():
        theirs = verdict_of(pieces)
        if theirs == ours:
            continue
        known = {known for known in DIVERGENCES if known.opinion == opinion and known.trait in special}
        explaining = {divergence for divergence in known if divergence.explains(ours, theirs)}
        assert explaining, f"{opinion}: {theirs} instead of {ours}; special: {special}"
        found |= explaining
    if {divergence.opinion for divergence in found} == set(OPINIONS):
        assert any(reasons <= special for reasons in ALONE.values()), f"alone with {ours}; special: {special}"
    return found


def sized(opcode: int, size: int, width: int, payload: bytes = b"", **fields: bool) -> bytes:
    """A frame whose header says `size` in `width` bytes, whatever payload follows."""
    return client_frame(
        opcode, payload, length=bytes((126 if width == 2 else 127,)) + size.to_bytes(width, "big"), **fields
    )


def close(code: int, reason: bytes = b"") -> bytes:
    return client_frame(CLOSE, code.to_bytes(2, "big") + reason)


HELLO = client_frame(TEXT, b"hello")
BEGUN = client_frame(TEXT, b"begun", fin=False)
ENDED = client_frame(CONTINUATION, b"ended")

# What the client sends, by name. Most are followed by HELLO, which shows whether it is still read.
VECTORS = {
    "nothing": b"",
    "three messages": HELLO + client_frame(BINARY, b"\x00\xff") + HELLO,
    "empty messages": client_frame(TEXT) + client_frame(BINARY),
    "fragments": BEGUN + client_frame(CONTINUATION) + ENDED + HELLO,
    "fragments around a ping and a pong": BEGUN + client_frame(PING, b"\xff") + client_frame(PONG) + ENDED,
    "a character in two fragments": client_frame(TEXT, b"\xc3", fin=False) + client_frame(CONTINUATION, b"\xb6"),
    "a message that does not end": HELLO + BEGUN,
    "pings and a pong": client_frame(PING) + client_frame(PONG, b"x") + client_frame(PING, b"p" * 125),
    **{f"binary of {size}": client_frame(BINARY, b"b" * size) + HELLO for size in (125, 126, 127, 65535, 65536, 70000)},
    **{f"reserved bits {bits:03b}": client_frame(TEXT, b"x", reserved=bits) + HELLO for bits in range(1, 8)},
    **{f"reserved bit on {opcode:x}": client_frame(opcode, reserved=4) + HELLO for opcode in (CLOSE, PING, PONG)},
    "reserved bit on a continuation": BEGUN + client_frame(CONTINUATION, b"x", reserved=4) + HELLO,
    **{f"opcode {opcode:x}": client_frame(opcode, b"x") + HELLO for opcode in (3, 7, 11, 15)},
    **{f"fragmented {opcode:x}": client_frame(opcode, fin=False) + HELLO for opcode in (CLOSE, PING, PONG)},
    **{f"{opcode:x} of 126 bytes": client_frame(opcode, b"x" * 126) + HELLO for opcode in (CLOSE, PING, PONG)},
    "unmasked text": client_frame(TEXT, b"x", mask=None) + HELLO,
    "unmasked ping": client_frame(PING, mask=None) + HELLO,
    "orphan": client_frame(CONTINUATION, b"x") + HELLO,
    "empty orphan": client_frame(CONTINUATION) + HELLO,
    "orphan after a message": BEGUN + ENDED + ENDED,
    "text inside a message": BEGUN + HELLO + ENDED,
    "binary inside a message": BEGUN + client_frame(BINARY, fin=False) + ENDED,
    "5 in 2 bytes": sized(TEXT, 5, 2, b"hello") + HELLO,
    "125 in 2 bytes": sized(BINARY, 125, 2, b"x" * 125) + HELLO,
    "126 in 8 bytes": sized(BINARY, 126, 8, b"x" * 126) + HELLO,
    "65535 in 8 bytes": sized(BINARY, 65535, 8, b"x" * 65535) + HELLO,
    "ping of 5 in 2 bytes": sized(PING, 5, 2, b"hello") + HELLO,
    "ping of 5 in 8 bytes": sized(PING, 5, 8, b"hello") + HELLO,
    "continuation of 0 in 2 bytes": BEGUN + sized(CONTINUATION, 0, 2) + HELLO,
    "top bit of the length": sized(BINARY, 1 << 63, 8) + HELLO,
    "all bits of the length": sized(BINARY, (1 << 64) - 1, 8) + HELLO,
    **{f"length {size}": sized(BINARY, size, 8) + HELLO for size in (LIMIT + 1, 1 << 32, (1 << 63) - 1)},
    "over the limit in fragments": client_frame(BINARY, b"x" * 40_000, fin=False)
    + client_frame(CONTINUATION, b"x" * 30_001)
    + HELLO,
    "at the limit in fragments": client_frame(BINARY, b"x" * 40_000, fin=False)
    + client_frame(CONTINUATION, b"x" * 30_000)
    + HELLO,
    "ping where the limit is all but reached": client_frame(BINARY, b"x" * 69_990, fin=False)
    + client_frame(PING, b"x" * 11)
    + client_frame(CONTINUATION, b"x" * 10),
    "huge orphan": sized(CONTINUATION, 1 << 32, 8) + HELLO,
    "huge text inside a message": BEGUN + sized(TEXT, 1 << 32, 8) + HELLO,
    "huge ping": sized(PING, 1 << 32, 8) + HELLO,
    **{
        f"text {text.hex()}": client_frame(TEXT, text) + HELLO
        for text in (
            *(b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xc3("),
            *(
                b"\xf0\x8f\xbf\xbf",
                b"\xf4\x90\x80\x80",
                b"\xf5\x80\x80\x80",
                b"\xfe",
                b"\xff",
                b"ok\xc3",
                b"ok\xe2\x82",
            ),
            *("\u0000\u007f\u0080\u07ff\u0800".encode(), "\ud7ff\ue000\ufffe\uffff\U00010000\U0010ffff".encode()),
        )
    },
    "bad text in a fragment": client_frame(TEXT, b"\xff", fin=False),
    "bad text in a later fragment": BEGUN + client_frame(CONTINUATION, b"\xc3(", fin=False) + ENDED,
    "bad text in half a frame": client_frame(TEXT, b"x\xffxxxxxx")[:-4],
    "half a character at the end": client_frame(TEXT, b"\xe2", fin=False) + client_frame(CONTINUATION, b"\x82") + HELLO,
    "surrogate in a fragment": client_frame(TEXT, b"\xed\xa0", fin=False),
    "empty Close": client_frame(CLOSE) + HELLO,
    "half a close code": client_frame(CLOSE, b"\x03") + HELLO,
    **{
        f"Close {code}": close(code) + HELLO
        for code in (
            *(
                0,
                1,
                999,
                1000,
                1001,
                1002,
                1003,
                1004,
                1005,
                1006,
                1007,
                1008,
                1009,
                1010,
                1011,
                1012,
                1013,
                1014,
                1015,
            ),
            *(1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65535),
        )
    },
    "Close with a reason": close(1000, "Grüße".encode()),
    "Close with the longest reason": close(1000, b"r" * 123),
    "Close with a bad reason": close(1000, b"\xc3("),
    "Close with half a character": close(1000, b"\xe2\x82"),
    "bad Close with a bad reason": close(1005, b"\xff"),
    "Close 1014 with a bad reason": close(1014, b"\xff"),
    "Close inside a message": BEGUN + close(1000),
    "empty Close inside a message": BEGUN + client_frame(CLOSE),
    "bad Close inside a message": BEGUN + close(1005),
    "Close 1014 inside a message": BEGUN + close(1014),
    "reserved bit, payload to come": client_frame(TEXT, b"hello", reserved=1)[:-1],
    "reserved bit, length to come": sized(TEXT, 300, 2, reserved=1)[:2],
    "orphan, payload to come": client_frame(CONTINUATION, b"hello")[:6],
    "length 1 << 32, mask to come": sized(BINARY, 1 << 32, 8)[:10],
    "5 in 2 bytes, mask to come": sized(BINARY, 5, 2)[:4],
    "top bit of the length, mask to come": sized(BINARY, 1 << 63, 8)[:10],
    "a frame to come": HELLO + HELLO[:-1],
    "a header to come": HELLO + HELLO[:1],
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_difference_is_on_the_list(name: str) -> None:
    explanations(VECTORS[name], [VECTORS[name]])


def test_every_divergence_on_the_list_is_met() -> None:
    met = set().union(*(explanations(wire, [wire]) for wire in VECTORS.values()))
    assert set(DIVERGENCES) == met


masks = st.binary(min_size=4, max_size=4)
payloads = st.one_of(
    st.text(max_size=40).map(str.encode),
    st.binary(max_size=6),
    st.sampled_from([125, 126, 1000, 65535, 65536, 69_990]).map(
        lambda size: b"0123456789" * (size // 10) + b"x" * (size % 10)
    ),
)
lengths = st.sampled_from(
    [b"\x7e\x00\x05", b"\x7e\x00\x7d", b"\x7e\x00\x7e", b"\x7e\xff\xff"]
    + [b"\x7f" + size.to_bytes(8, "big") for size in (5, 65535, 65536, LIMIT, LIMIT + 1, 1 << 32, 1 << 63)]
    + [bytes((size,)) for size in (0, 1, 20)]
)
close_payloads = st.builds(
    lambda code, reason: code.to_bytes(2, "big") + reason,
    st.sampled_from([999, 1000, 1004, 1005, 1014, 1015, 3000, 5000]) | st.integers(0, 65535),
    st.text(max_size=5).map(str.encode) | st.binary(max_size=3),
) | st.binary(max_size=1)
valid_frames = st.one_of(
    st.builds(client_frame, st.sampled_from([TEXT, BINARY]), payloads, mask=masks),
    st.builds(client_frame, st.sampled_from([PING, PONG]), st.binary(max_size=125), mask=masks),
    st.lists(payloads, min_size=2, max_size=4).map(lambda parts: fragmented(BINARY, parts)),
)
mutated_frames = st.one_of(
    st.builds(client_frame, st.integers(0, 15), payloads, fin=st.booleans(), mask=masks),
    st.builds(client_frame, st.sampled_from([TEXT, BINARY, PING]), payloads, reserved=st.integers(0, 7), mask=masks),
    st.builds(client_frame, st.sampled_from([CONTINUATION, TEXT, BINARY, PING]), payloads, length=lengths, mask=masks),
    st.builds(client_frame, st.sampled_from([TEXT, PING]), payloads, mask=st.none()),
    st.builds(client_frame, st.just(CLOSE), close_payloads, mask=masks),
)
# Valid frames up to some point, and then whatever it is.
wires = st.builds(
    lambda valid, mutated, lost: b"".join(valid + mutated)[: -lost or None],
    st.lists(valid_frames, max_size=3),
    st.lists(mutated_frames, max_size=4),
    st.sampled_from([0, 0, 0]) | st.integers(0, 20),
)
cuts = st.lists(st.integers(0, 1 << 18), max_size=5)


def fragmented(opcode: int, parts: list[bytes]) -> bytes:
    """Return a message in as many frames as there are parts."""
    last = len(parts) - 1
    return b"".join(
        client_frame(CONTINUATION if index else opcode, part, fin=index == last) for index, part in enumerate(parts)
    )


@given(wires, cuts)
@settings(derandomize=True, database=None, max_examples=2000)
def test_differences_over_mutated_frames_are_on_the_list(wire: bytes, positions: list[int]) -> None:
    explanations(wire, [wire])
    explanations(wire, cut(wire, positions))


# Our replies, read by clients.


@dataclass
class Heard:
    """What a client makes of a reply. Of wsproto's text fragments only the whole is comparable: it moves characters."""

    frames: list[tuple[bool, int, bytes]]
    close: tuple[int, str] | None
    complaint: str | None = None


def heard_by_websockets(pieces: Iterable[bytes]) -> Heard:
    protocol = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    for piece in pieces:
        protocol.receive_data(piece)
    frames = [event for event in protocol.events_received() if isinstance(event, WebsocketsFrame)]
    return Heard(
        [(frame.fin, int(frame.opcode), bytes(frame.data)) for frame in frames if frame.opcode != CLOSE],
        None if protocol.close_rcvd is None else (int(protocol.close_rcvd.code), protocol.close_rcvd.reason),
        None if protocol.parser_exc is None else str(protocol.parser_exc),
    )


def heard_by_wsproto(pieces: Iterable[bytes]) -> Heard:
    heard = Heard([], None)
    part, continued = b"", False
    for event in wsproto_events(Connection(ConnectionType.CLIENT), pieces):
        match event:
            case CloseConnection():
                heard.close = (int(event.code), event.reason or "")
            case Pong():
                heard.frames.append((True, PONG, bytes(event.payload)))
            case TextMessage() | BytesMessage():
                part += message_bytes(event)
                if event.frame_finished:
                    opcode = TEXT if isinstance(event, TextMessage) else BINARY
                    heard.frames.append((event.message_finished, CONTINUATION if continued else opcode, part))
                    part, continued = b"", not event.message_finished
            case _:
                heard.complaint = f"unexpected {event}"
    return heard


def text_joined(frames: Iterable[tuple[bool, int, bytes]]) -> list[tuple[bool, int, bytes]]:
    """Return the frames with the payloads of a fragmented text all in its last one, if it has one."""
    joined: list[tuple[bool, int, bytes]] = []
    text: bytes | None = None
    for final, opcode, payload in frames:
        if opcode == TEXT:
            text = b""
        if opcode in CONTROL or text is None:
            joined.append((final, opcode, payload))
            continue
        text += payload
        joined.append((final, opcode, text if final else b""))
        text = None if final else text
    return joined


def check_replies(pieces: list[bytes], positions: list[int], hold_limit: int) -> None:
    """Require that both clients hear in our reply, cut anywhere, the frames we meant and the Close we meant."""
    outcome = echo_of(pieces, CODECS["compiled"], hold_limit=hold_limit, max_message_size=LIMIT)
    sent = server_frames(outcome.reply)
    data = [frame for frame in sent if frame[1] != CLOSE]
    closes = [payload for _, opcode, payload in sent if opcode == CLOSE]
    close = (int.from_bytes(closes[0][:2], "big") or 1005, closes[0][2:].decode()) if closes else None
    inside_message = [final for final, opcode, _ in data if opcode not in CONTROL][-1:] == [False]

    heard = heard_by_websockets(cut(outcome.reply, positions))
    assert (heard.frames, heard.close) == (data, close)
    # RFC 6455 section 5.4: a Close may come inside a message; websockets holds that against the message.
    assert heard.complaint == ("incomplete fragmented message" if close and inside_message else None)

    heard = heard_by_wsproto(cut(outcome.reply, positions))
    assert text_joined(heard.frames) == text_joined(data)
    if close and close[0] == 1014:
        # Registered at IANA, but not in wsproto's list.
        assert heard.close == (1002, "CLOSE with unknown reserved code")
    else:
        assert heard.close == close
    assert heard.complaint is None


@pytest.mark.parametrize("name", VECTORS)
def test_both_clients_read_our_reply_alike(name: str) -> None:
    check_replies([VECTORS[name]], [1, 7, 200], LIMIT)


@given(wires, cuts, cuts, st.sampled_from([0, 64, LIMIT]))
@settings(derandomize=True, database=None, max_examples=700)
def test_both_clients_read_any_reply_alike(wire: bytes, sent: list[int], read: list[int], hold_limit: int) -> None:
    check_replies(cut(wire, sent), read, hold_limit)
