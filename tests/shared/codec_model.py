"""A model of the echo, written from RFC 6455 for clarity alone. Both codecs are compared with it.

It shares no code with them. It keeps whole messages, unmasks byte by byte, and lets Python's decoder judge text.
"""

from dataclasses import dataclass

from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, encoded_length, server_frame, xor
from wsecho.websocket.echo import CLOSED, CLOSING, OPEN

CONTROL = (CLOSE, PING, PONG)
# The codes below 3000 that a Close frame may carry (RFC 6455 section 7.4.1, IANA's registry of close codes).
REGISTERED_CLOSE_CODES = (1000, 1001, 1002, 1003, *range(1007, 1015))


@dataclass
class Frame:
    """A frame as far as it has arrived: `size` is None until its header is complete.

    `start` is the position of its first byte among all bytes of the client. `message_opcode` (None: there is none) and
    `message_size` describe the message that was in progress before it. `sent` counts the bytes of its echo that were
    sent before it was complete.
    """

    start: int
    first: int
    second: int
    message_opcode: int | None
    message_size: int
    size: int | None = None
    mask: bytes = b""
    payload: bytes = b""
    sent: int = 0

    @property
    def final(self) -> bool:
        return self.first & 0x80 != 0

    @property
    def opcode(self) -> int:
        return self.first & 0x0F

    @property
    def is_control(self) -> bool:
        return self.opcode >= 8

    @property
    def is_text(self) -> bool:
        return (self.message_opcode or self.opcode) == TEXT and not self.is_control

    @property
    def length_width(self) -> int:
        """The number of bytes of the extended length (RFC 6455 section 5.2)."""
        return {126: 2, 127: 8}.get(self.second & 0x7F, 0)

    @property
    def header_width(self) -> int:
        return 2 + self.length_width + 4

    def echo(self) -> bytes:
        """The echo of what has arrived of this data frame."""
        return bytes((self.first,)) + encoded_length(self.size or 0) + self.payload


def header_fault(frame: Frame) -> str | None:
    """Name the fault in the first two bytes of a frame, if there is one (RFC 6455 sections 5.1, 5.2, 5.4 and 5.5)."""
    if frame.first & 0x70:
        return "reserved bit"
    if not frame.second & 0x80:
        return "not masked"
    if frame.is_control:
        if frame.opcode not in CONTROL:
            return "reserved opcode"
        if not frame.final:
            return "fragmented control"
        return "long control" if frame.length_width else None
    if frame.opcode > BINARY:
        return "reserved opcode"
    if frame.opcode == CONTINUATION:
        return "orphan" if frame.message_opcode is None else None
    return "interleaved" if frame.message_opcode is not None else None


def length_fault(size: int, width: int) -> str | None:
    """Name the fault in `size`, written in `width` extra bytes, if there is one (RFC 6455 section 5.2)."""
    if size >> 63:
        return "top bit of the length"
    return "not the shortest length" if size < {0: 0, 2: 126, 8: 1 << 16}[width] else None


def close_fault(payload: bytes) -> tuple[int, str] | None:
    """Return the code and the reason with which the payload of a Close is refused, if it is (RFC 6455 sections 5.5.1,
    7.4).
    """
    if len(payload) == 1:
        return 1002, "half a close code"
    code = int.from_bytes(payload[:2], "big")
    if payload and code not in REGISTERED_CLOSE_CODES and not 3000 <= code <= 4999:
        return 1002, "close code"
    return None if text_is(payload[2:]) == "whole" else (1007, "close reason")


def text_is(text: bytes) -> str:
    """Return whether `text` is complete ("whole"), may go on ("begun"), or can never become valid UTF-8 ("bad")."""
    # One ending for each range that the byte after a lead byte may be in, and for each number of missing bytes.
    for ending in (b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xa0\x80", b"\x90\x80\x80"):
        try:
            (text + ending).decode()
        except UnicodeDecodeError:
            continue
        return "begun" if ending else "whole"
    return "bad"


def unfinished_character(text: bytes) -> bytes:
    """Return the end of `text` that is the beginning of a character. `text` is not bad."""
    if text_is(text) == "whole":
        return b""
    start = len(text) - 1
    while text[start] & 0xC0 == 0x80:
        start -= 1
    return text[start:]


class Model:
    """One connection. `reply` is what must have been sent, without the Close that answers a violation.

    `violation` is the code of that Close, or None if there is none. `fault` names the rule that the client broke.
    """

    def __init__(self, *, hold_limit: int, max_message_size: int) -> None:
        self.hold_limit = hold_limit
        self.max_message_size = max_message_size
        self.state = OPEN
        self.reply = b""
        self.close_code = 0
        self.violation: int | None = None
        self.fault: str | None = None
        # Every message that counts as received, and every frame of which at least two bytes have arrived.
        self.messages: list[tuple[int, bytes]] = []
        self.frames: list[Frame] = []
        # For a text message in progress: the bytes of a character that has begun, or what made the text invalid.
        self.character = b""
        self._unread = b""
        self._position = 0
        self._frame: Frame | None = None
        self._message_opcode: int | None = None
        self._message_size = 0
        self._message = b""
        self._pending_close: bytes | None = None

    @property
    def may_hold(self) -> bool:
        """Whether something may be held back: a split header, or the start of a frame that will be answered whole."""
        if self._frame is None:
            return self.state != CLOSED and self._unread != b""
        return self.state == OPEN and not self._frame.sent

    @property
    def forwarding(self) -> bool:
        """Whether a part of the frame in progress has been sent."""
        return self._frame is not None and self._frame.sent > 0

    def receive(self, data: bytes) -> None:
        """Let `data` arrive in one read."""
        self._unread += data
        while self.state != CLOSED and (self._frame or self._begin_frame()):
            self._take_payload()
            if self._frame:
                break
        if self._frame and self.state == OPEN:
            self._pass_on(self._frame)
        if self._pending_close is not None and not self.forwarding:
            self._send_close(self._pending_close)
            self._pending_close = None

    def close(self, code: int, reason: bytes) -> None:
        """Let the server close: at once, or at the end of a frame that has been sent in part."""
        if self.state != OPEN:
            return
        if self.forwarding:
            self._pending_close = code.to_bytes(2, "big") + reason
        else:
            self._send_close(code.to_bytes(2, "big") + reason)
            self.state = CLOSING

    def _begin_frame(self) -> bool:
        """Judge the next header. Return whether there is now a frame without a fault so far."""
        if len(self._unread) < 2:
            return False
        frame = Frame(self._position, *self._unread[:2], self._message_opcode, self._message_size)
        if self.frames and self.frames[-1].start == frame.start:
            self.frames.pop()
        self.frames.append(frame)
        if fault := header_fault(frame):
            return self._fail(1002, fault)
        if len(self._unread) < frame.header_width:
            return False
        extended = self._unread[2 : 2 + frame.length_width]
        frame.size = int.from_bytes(extended, "big") if extended else frame.second & 0x7F
        frame.mask = self._unread[frame.header_width - 4 : frame.header_width]
        if fault := length_fault(frame.size, frame.length_width):
            return self._fail(1002, fault)
        if not frame.is_control and self._message_size + frame.size > self.max_message_size:
            return self._fail(1009, "over the limit")
        self._consume(frame.header_width)
        self._frame = frame
        if not frame.is_control:
            self._message_opcode = self._message_opcode or frame.opcode
            self._message_size += frame.size
        return True

    def _consume(self, count: int) -> bytes:
        taken, self._unread = self._unread[:count], self._unread[count:]
        self._position += len(taken)
        return taken

    def _take_payload(self) -> None:
        """Add what has arrived of the payload, and end the frame when it is complete."""
        frame = self._frame
        assert frame is not None
        assert frame.size is not None
        budget = len(frame.payload) % 4
        piece = xor(self._consume(frame.size - len(frame.payload)), frame.mask[budget:] + frame.mask[:budget])
        frame.payload += piece
        if not frame.is_control:
            self._message += piece
        if frame.is_text:
            self.character += piece
            if text_is(self.character) == "bad":
                self._fail(1007, "text")
                return
            self.character = unfinished_character(self.character)
        if len(frame.payload) == frame.size:
            self._end_frame(frame)

    def _end_frame(self, frame: Frame) -> None:
        if not frame.is_control:
            self._end_data_frame(frame)
        elif frame.opcode == CLOSE:
            self._end_close(frame)
        elif frame.opcode == PING and self.state == OPEN:
            self.reply += server_frame(PONG, frame.payload)
        self._frame = None

    def _end_data_frame(self, frame: Frame) -> None:
        if frame.final and frame.is_text and self.state == OPEN and self.character:
            self._fail(1007, "half a character")
            return
        if self.state == OPEN:
            self.reply += frame.echo()[frame.sent :]
            if frame.final:
                assert self._message_opcode is not None
                self.messages.append((self._message_opcode, self._message))
            if self._pending_close is not None:
                self.state = CLOSING
        if frame.final:
            self._message_opcode = None
            self._message_size = 0
            self._message = b""
            self.character = b""

    def _end_close(self, frame: Frame) -> None:
        fault = close_fault(frame.payload)
        if self.state == OPEN and fault:
            self._fail(*fault)
        elif self.state == OPEN:
            self._send_close(frame.payload)
        self.state = CLOSED

    def _pass_on(self, frame: Frame) -> None:
        """Handle a read that ended inside `frame`: send what has arrived of a long frame."""
        assert frame.size is not None
        if not frame.is_control and frame.size > self.hold_limit:
            self.reply += frame.echo()[frame.sent :]
            frame.sent = len(frame.echo())

    def _send_close(self, payload: bytes) -> None:
        self.reply += server_frame(CLOSE, payload)
        self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005

    def _fail(self, code: int, fault: str) -> bool:
        """Fail the connection (RFC 6455 section 7.1.7) with a Close, unless a frame was sent in part or the server has
        sent a Close already.
        """
        if self.state == OPEN:
            self.fault = fault
            if self.forwarding:
                self._pending_close = None
            else:
                self.violation = self.close_code = code
        self.state = CLOSED
        return False
