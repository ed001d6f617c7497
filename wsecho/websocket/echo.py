"""The echo as a transducer: what a client sent is rewritten, in place, into what it gets back.

A server's frame is the client's frame with four mask bytes less (RFC 6455 section 5.2), so no message is ever built:
headers, unmasked payloads, pongs and the Close move down inside the receive buffer and leave it as one contiguous
piece, `data[start:stop]`. Only what must survive until the next read is kept here, a few dozen bytes a connection.

This file is the plain codec as it stands, and the compiled one through the C types of `wsecho/codec/native/echo.pxd`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsecho.websocket.receive_buffer import UTF8_COMPLETE, UTF8_INVALID
from wsecho.websocket.violations import (
    CLOSE_REASON_NOT_UTF8,
    DEFLATE_CUT_SHORT,
    FORBIDDEN_CLOSE_CODE,
    FRAGMENTED_CONTROL,
    HALF_CLOSE_CODE,
    INTERLEAVED_MESSAGE,
    LENGTH_NOT_MINIMAL,
    LENGTH_TOP_BIT,
    LONG_CONTROL,
    MESSAGE_TOO_BIG,
    NOT_DEFLATE,
    ORPHAN_CONTINUATION,
    RESERVED_BIT,
    RESERVED_OPCODE,
    TEXT_CUT_SHORT,
    TEXT_NOT_UTF8,
    TOO_MANY_FRAGMENTS,
    UNMASKED,
    Violation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsecho.websocket.inflater import InflateBudget, Inflater
    from wsecho.websocket.message_counters import MessageCounters
    from wsecho.websocket.receive_buffer import ReceiveBuffer

# States of an echo. In CLOSING our Close has been sent and only the peer's is awaited; in CLOSED nothing is parsed.
OPEN = 0
CLOSING = 1
CLOSED = 2

# Opcodes (RFC 6455 section 11.8).
CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

# Bits of the first two bytes of a frame (RFC 6455 section 5.2).
FIN = 0x80
RESERVED_BITS = 0x70
COMPRESSED_BIT = 0x40
OPCODE_BITS = 0x0F
CONTROL_BIT = 0x08
MASKED = 0x80
SIZE_BITS = 0x7F
SIZE_IN_2_BYTES = 126
SIZE_IN_8_BYTES = 127

# Close codes (RFC 6455 section 7.4.1).
NORMAL_CLOSURE = 1000
GOING_AWAY = 1001
NO_STATUS = 1005
ABNORMAL_CLOSURE = 1006


def may_be_sent(code: int) -> bool:
    """Tell whether a peer may put `code` in a Close frame (RFC 6455 section 7.4, IANA's registry of close codes)."""
    if code < NORMAL_CLOSURE or code > 4999:
        return False
    # 1004 is reserved; 1005, 1006 and 1015 are never sent; 1016 to 2999 are for future versions of the protocol.
    return code >= 3000 or (code < 1015 and (code < 1004 or code > 1006))


class Echo:
    """The state of one connection's echo between two reads.

    After each call `data[start:stop]` of the receive buffer is what must be sent, `completed` counts the messages
    whose last byte is in it, `payload` the bytes of data frames in it, and `state` says what may follow. `close_code`
    is the code of the Close that went out (1005 for an empty one), or 0; `closed_by_peer` says that it was an answer;
    `violation` is the rule that the peer broke, or None. `bytes_received`, `frames`, `messages`, `payload_received`
    and `payload_sent` (bytes of data frames) count what has been.

    `make_inflater` is given where permessage-deflate was agreed on. Compressed messages are passed on as they come
    (RFC 7692; `wsecho.websocket.deflate` says why that can be), and inflated only to be checked. `turn`, which goes
    with it, says how much of that there is room for.
    """

    def __init__(
        self,
        buffer: ReceiveBuffer,
        counters: MessageCounters,
        max_message_size: int,
        max_fragments: int,
        make_inflater: Callable[[], Inflater] | None = None,
        budget: InflateBudget | None = None,
    ) -> None:
        self.buffer = buffer
        self.data = self.buffer.data
        self.counters = counters
        self.max_message_size = max_message_size
        self.max_fragments = max_fragments
        self.make_inflater = make_inflater
        self.budget = budget
        self.inflater: Inflater | None = None
        self.state = OPEN
        self.close_code = 0
        self.closed_by_peer = False
        self.violation: Violation | None = None
        # The reply in the buffer.
        self.start = buffer.landing
        self.stop = buffer.landing
        self.completed = 0
        self.payload = 0
        # The frame in progress: bytes still to come, and whether part of it has been sent already.
        self.rest = 0
        self.mask = 0
        self.frame_opcode = 0
        self.frame_final = False
        self.frame_size = 0
        self.frame_start = 0
        self.forwarding = False
        self.forwarded = 0
        # The message in progress: its opcode (CONTINUATION: none), bytes announced, frames, whether it is compressed,
        # how many bytes it had before, and the UTF-8 automaton's state.
        self.message_opcode = CONTINUATION
        self.message_size = 0
        self.message_frames = 0
        self.message_compressed = False
        self.inflated_size = 0
        self.utf8 = UTF8_COMPLETE
        # Since the opening: bytes, frames and messages that have come to their end, payload bytes of data frames.
        self.bytes_received = 0
        self.frames = 0
        self.messages = 0
        self.payload_received = 0
        self.payload_sent = 0
        # The payload of the ping that has not been answered yet, and whether one has been answered.
        self.pinged = b""
        self.ponged = False
        # What waits for the next read: a split header as it came or, when `rest` is not 0, the start of a short frame
        # as it will be sent.
        self.held: bytes | bytearray = b""
        self.held_size = 0
        # Code and reason of a Close that must wait for the end of the frame being forwarded.
        self.pending_close: tuple[int, bytes] | None = None

    def room(self) -> int:
        """Return how many bytes may be received at once, now."""
        return self.buffer.size if self.budget is None else min(self.buffer.size, self.budget.room())

    def receive(self, received: int) -> None:
        """Turn the `received` bytes at the buffer's landing into the reply `data[start:stop]`."""
        read = self.buffer.landing
        end = read + received
        self.start = read
        self.stop = read
        self.completed = 0
        self.bytes_received += received
        payload_received = self.payload_received
        payload_sent = self.payload_sent
        if self.held_size and self.rest <= received:
            self.start -= self.held_size
            self._recall(self.start)
            if self.rest == 0:
                read = self.start
                self.stop = read
        self.frame_start = self.start
        if self.rest:
            read = self._payload(read, end)
        while read < end and self.state < CLOSED:
            if self.state == OPEN and self.message_opcode == CONTINUATION:
                read = self._short_messages(read, end)
            if read < end:
                read = self._frame(read, end)
        if self.rest:
            self._suspend_frame()
        if self.pending_close is not None and not self.forwarding:
            # Only now, when all input has been read, is there room for bytes that stand for no input.
            code, reason = self.pending_close
            self.pending_close = None
            self._put_close(code, reason)
        self.payload = self.payload_sent - payload_sent
        self.counters.received(received, self.payload_received - payload_received)

    def close(self, code: int, reason: bytes) -> None:
        """Start the closing handshake (RFC 6455 section 7.1.2): the reply is now a Close frame, or nothing.

        While a long frame is being forwarded the Close waits for its end. `reason` is UTF-8, 123 bytes at most.
        """
        self._begin_reply()
        if self.forwarding:
            self.pending_close = (code, reason)
        elif self.state == OPEN:
            if self.rest:
                # The start of a frame that will no longer be answered; a split header is still needed.
                self._release()
            self._put_close(code, reason)
            self.state = CLOSING

    def _begin_reply(self) -> None:
        """Begin a reply to nothing that was read."""
        self.start = self.buffer.landing
        self.stop = self.start
        self.completed = 0
        self.payload = 0

    def ping(self, payload: bytes) -> None:
        """Ask the peer for a sign of life (RFC 6455 section 5.5.2): the reply is now a Ping frame, or nothing.

        Nothing inside a long frame that is being forwarded, nor after a Close. `payload` is 1 to 125 bytes.
        """
        self._begin_reply()
        if self.state == OPEN and not self.forwarding:
            self.buffer.place(self.start, bytes((FIN | PING, len(payload))) + payload)
            self.stop += 2 + len(payload)
            self.pinged = payload

    def greet(self, text: bytes) -> None:
        """Send a message that echoes none, before any other: the reply is now `text`, of 1 to 125 bytes of UTF-8."""
        self._begin_reply()
        self.buffer.place(self.start, bytes((FIN | TEXT, len(text))) + text)
        self.stop += 2 + len(text)
        self.completed = 1
        self.payload = len(text)
        self.payload_sent += len(text)

    def _short_messages(self, read: int, end: int) -> int:
        """Echo a run of whole, short messages in one frame each: what most reads bring, without the general steps.

        Return where the first frame starts that is anything else, bad or good.
        """
        data = self.data
        stop = self.stop
        longest = SIZE_IN_2_BYTES - 1
        if longest > self.max_message_size:
            longest = self.max_message_size
        count = 0
        payload = 0
        size = 0
        self.utf8 = UTF8_COMPLETE
        while end - read >= 6:
            opcode = data[read] ^ FIN
            size = data[read + 1] ^ MASKED
            if (opcode != TEXT and opcode != BINARY) or size > longest or size > end - read - 6:
                break
            data[stop] = opcode | FIN
            data[stop + 1] = size
            self.buffer.unmask(stop + 2, read + 6, size, self.buffer.load_mask(read + 2))
            if opcode == TEXT and not self.buffer.unmasked_ascii:
                self.utf8 = self.buffer.validate_utf8(stop + 2, size, UTF8_COMPLETE)
                if self.utf8 != UTF8_COMPLETE:
                    break
            self.counters.short_message(opcode, size)
            count += 1
            payload += size
            stop += 2 + size
            read += 6 + size
        self.stop = stop
        self.completed += count
        self.frames += count
        self.messages += count
        self.payload_received += payload
        self.payload_sent += payload
        if self.utf8 != UTF8_COMPLETE:
            self.payload_received += size
            self.frame_start = stop
            return self._fail_text(end)
        return read

    def _frame(self, read: int, end: int) -> int:
        """Take one frame's header, and what is there of its payload. Return where reading goes on."""
        data = self.data
        self.frame_start = self.stop
        if end - read < 2:
            return self._hold(read, end)
        first = data[read]
        second = data[read + 1]
        size = second & SIZE_BITS
        opcode = first & OPCODE_BITS
        if first & RESERVED_BITS and not self._may_be_compressed(first):
            return self._fail(end, RESERVED_BIT)
        if not second & MASKED:
            return self._fail(end, UNMASKED)
        if opcode & CONTROL_BIT:
            if opcode > PONG:
                return self._fail(end, RESERVED_OPCODE)
            if not first & FIN:
                return self._fail(end, FRAGMENTED_CONTROL)
            if size >= SIZE_IN_2_BYTES:
                return self._fail(end, LONG_CONTROL)
        elif opcode > BINARY:
            return self._fail(end, RESERVED_OPCODE)
        elif opcode == CONTINUATION:
            if self.message_opcode == CONTINUATION:
                return self._fail(end, ORPHAN_CONTINUATION)
        elif self.message_opcode != CONTINUATION:
            return self._fail(end, INTERLEAVED_MESSAGE)

        header = 6
        if size == SIZE_IN_2_BYTES:
            header = 8
        elif size == SIZE_IN_8_BYTES:
            header = 14
        if end - read < header:
            return self._hold(read, end)
        if header > 6:
            size = self._extended_size(read + 2, read + header - 4)
            if size < 0:
                return self._fail(end, LENGTH_TOP_BIT)
            # RFC 6455 section 5.2: the minimal number of bytes must be used.
            if size < SIZE_IN_2_BYTES or (header == 14 and size <= 0xFFFF):
                return self._fail(end, LENGTH_NOT_MINIMAL)
        if not opcode & CONTROL_BIT:
            if opcode != CONTINUATION:
                self.message_opcode = opcode
                self.message_size = 0
                self.message_frames = 0
                self.message_compressed = first & COMPRESSED_BIT != 0
                self.inflated_size = 0
                self.utf8 = UTF8_COMPLETE
            if size > self._largest_message() - self.message_size:
                return self._fail(end, MESSAGE_TOO_BIG)
            if self.message_frames >= self.max_fragments:
                return self._fail(end, TOO_MANY_FRAGMENTS)
            self.message_size += size
            self.message_frames += 1

        self.mask = self.buffer.load_mask(read + header - 4)
        self.rest = size
        self.frame_size = size
        self.frame_opcode = opcode
        self.frame_final = first & FIN != 0
        self.forwarded = 0
        self._put_header(first, read, header - 4)
        return self._payload(read + header, end)

    def _may_be_compressed(self, first: int) -> bool:
        """Tell whether the first byte of a frame has no reserved bit but the one of RFC 7692 section 6, rightly."""
        if self.make_inflater is None or first & RESERVED_BITS != COMPRESSED_BIT:
            return False
        # Only a message's first frame has the bit: no control frame, no continuation.
        return first & OPCODE_BITS in (TEXT, BINARY)

    def _largest_message(self) -> int:
        """Return the bytes that the message in progress may have on the wire."""
        if self.message_compressed:
            # What counts is its size before, but what cannot be compressed grows a little, and so may be more.
            return self.max_message_size + self.max_message_size // 8 + 64
        return self.max_message_size

    def _extended_size(self, start: int, stop: int) -> int:
        """Return the length in `data[start:stop]`, network byte order; -1 when its top bit is set."""
        if stop - start == 8 and self.data[start] & 0x80:
            return -1
        size = 0
        while start < stop:
            size = size << 8 | self.data[start]
            start += 1
        return size

    def _put_header(self, first: int, read: int, length: int) -> None:
        """Write the reply's header: the client's own `length` bytes, unmasked, a ping's as a pong's."""
        data = self.data
        stop = self.stop
        if self.frame_opcode == PING:
            first = FIN | PONG
        second = data[read + 1] & SIZE_BITS
        data[stop] = first
        data[stop + 1] = second
        position = 2
        while position < length:
            data[stop + position] = data[read + position]
            position += 1
        self.stop = stop + length

    def _payload(self, read: int, end: int) -> int:
        """Take what is there of the frame's payload. Return where reading goes on."""
        count = end - read
        if count > self.rest:
            count = self.rest
        if count:
            self.mask = self.buffer.unmask(self.stop, read, count, self.mask)
        if not self.frame_opcode & CONTROL_BIT:
            self.payload_received += count
            if not self._check(count, end):
                return end
        self.stop += count
        self.rest -= count
        if self.rest == 0:
            self._end_frame(end)
        return read + count

    def _check(self, count: int, end: int) -> bool:
        """Look at the `count` bytes that have come of a message; fail and return False if they are bad."""
        if self.message_compressed:
            # After our Close it will not be answered, and whoever got that for sending too much must not cost more.
            return self.state == CLOSING or self._inspect(count, end)
        # ASCII between whole characters is text; that is most of it.
        if self.message_opcode == TEXT and count and not (self.utf8 == UTF8_COMPLETE and self.buffer.unmasked_ascii):
            self.utf8 = self.buffer.validate_utf8(self.stop, count, self.utf8)
            if self.utf8 == UTF8_INVALID:
                self._fail_text(end)
                return False
        return True

    def _inspect(self, count: int, end: int) -> bool:
        """Inflate the `count` bytes that have come of a compressed message; fail and return False if they are bad."""
        ends_message = self.frame_final and count == self.rest
        if count == 0 and not ends_message:
            return True
        if self.inflater is None:
            assert self.make_inflater is not None
            self.inflater = self.make_inflater()
        self.inflater.feed(self.buffer.take(self.stop, self.stop + count))
        self.counters.compressed(count)
        piece = self.inflater.next_piece()
        while piece:
            self.inflated_size += len(piece)
            self.counters.inflated(len(piece))
            if self.inflated_size > self.max_message_size:
                self._fail(end, MESSAGE_TOO_BIG)
                return False
            if self.message_opcode == TEXT:
                self.utf8 = self.buffer.validate_text(piece, self.utf8)
                if self.utf8 == UTF8_INVALID:
                    self._fail_text(end)
                    return False
            piece = self.inflater.next_piece()
        if piece is None:
            self._fail(end, NOT_DEFLATE)
            return False
        if ends_message and not self.inflater.end_message():
            self._fail(end, DEFLATE_CUT_SHORT)
            return False
        return True

    def _end_frame(self, end: int) -> None:
        """Decide about the reply to a frame whose last byte has arrived, now in `data[frame_start:stop]`."""
        if self.state == CLOSING:
            self._end_unanswered_frame()
        elif self.frame_opcode == CLOSE:
            self._answer_close(end)
        elif self.frame_opcode == PONG:
            self._take_pong()
        elif self.frame_opcode != PING:
            self._end_data_frame(end)
        self.frames += 1
        if self.violation is None:
            self.counters.frame_received(self.frame_opcode)

    def _take_pong(self) -> None:
        """Drop a pong, which may be the answer to our ping (RFC 6455 section 5.5.3)."""
        if self.pinged and self.buffer.take(self.frame_start + 2, self.stop) == self.pinged:
            self.pinged = b""
            self.ponged = True
        self.stop = self.frame_start

    def _end_unanswered_frame(self) -> None:
        """Drop the reply: after a Close no data may be sent (RFC 6455 section 5.5.1), and the peer's is awaited."""
        self.stop = self.frame_start
        if self.frame_opcode == CLOSE:
            self.state = CLOSED
        elif self.frame_final and not self.frame_opcode & CONTROL_BIT:
            self.message_opcode = CONTINUATION

    def _end_data_frame(self, end: int) -> None:
        if self.frame_final and self.utf8 != UTF8_COMPLETE:
            self._fail_text(end)
        else:
            self.payload_sent += self.frame_size - self.forwarded
            if self.frame_final:
                self.message_opcode = CONTINUATION
                self.counters.message_received(self.inflated_size if self.message_compressed else self.message_size)
                self.completed += 1
                self.messages += 1
            self.forwarding = False
            if self.pending_close is not None:
                self.state = CLOSING

    def _answer_close(self, end: int) -> None:
        """Check a Close that has arrived whole; its own bytes are the answer (RFC 6455 section 5.5.1)."""
        payload = self.frame_start + 2
        reason = payload + 2
        code = self._extended_size(payload, reason) if self.frame_size >= 2 else NO_STATUS
        if self.frame_size == 1:
            self._fail(end, HALF_CLOSE_CODE)
        elif self.frame_size >= 2 and not may_be_sent(code):
            self._fail(end, FORBIDDEN_CLOSE_CODE)
        elif (
            self.frame_size > 2
            and self.buffer.validate_utf8(reason, self.stop - reason, UTF8_COMPLETE) != UTF8_COMPLETE
        ):
            self._fail(end, CLOSE_REASON_NOT_UTF8)
        else:
            self.close_code = code
            self.closed_by_peer = True
            self.state = CLOSED

    def _fail_text(self, end: int) -> int:
        """Fail a text by the state that the UTF-8 automaton is left in."""
        return self._fail(end, TEXT_NOT_UTF8 if self.utf8 == UTF8_INVALID else TEXT_CUT_SHORT)

    def _fail(self, end: int, violation: Violation) -> int:
        """Fail the connection (RFC 6455 section 7.1.7) with a Close after all valid replies. Return `end`.

        No Close can follow a frame of which a part has been sent, nor our own Close.
        """
        self.rest = 0
        self._release()
        self.stop = self.frame_start
        if self.state == OPEN:
            self.violation = violation
            if not self.forwarding:
                self._put_close(violation.code, violation.text.encode())
        self.state = CLOSED
        return end

    def _put_close(self, code: int, reason: bytes) -> None:
        """Append a Close frame to the reply."""
        payload = code.to_bytes(2, "big") + reason
        self.buffer.place(self.stop, bytes((FIN | CLOSE, len(payload))) + payload)
        self.stop += 2 + len(payload)
        self.close_code = code

    def _suspend_frame(self) -> None:
        """The read ended inside a frame's payload: hold a short frame back, forward what is there of a long one."""
        if self.state == CLOSING:
            self.stop = self.frame_start
        elif self.frame_size > self.buffer.hold_limit and not self.frame_opcode & CONTROL_BIT:
            self.forwarding = True
            self.payload_sent += self.frame_size - self.rest - self.forwarded
            self.forwarded = self.frame_size - self.rest
        else:
            self._hold(self.frame_start, self.stop)
            self.stop = self.frame_start

    def _hold(self, start: int, stop: int) -> int:
        """Keep `data[start:stop]` for the next read. Return `stop`."""
        if self.held_size == 0:
            self.held = bytearray()
        self.held += self.buffer.take(start, stop)
        self.held_size = len(self.held)
        return stop

    def _recall(self, at: int) -> None:
        """Bring back what was held, to `data[at:]`."""
        self.buffer.place(at, self.held)
        self._release()

    def _release(self) -> None:
        self.held = b""
        self.held_size = 0
