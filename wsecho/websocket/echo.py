"""The echo: turns the frames that a client sends into the frames that the server sends back, in place.

A server frame is the client frame without its four mask bytes (RFC 6455 section 5.2), so the echo never builds a
message. It moves headers and unmasked payloads down inside the receive buffer and writes Pong and Close frames between
them. The reply leaves the buffer as one contiguous piece, `data[start:stop]`. Between two reads, an `Echo` keeps only a
few dozen bytes of state, a split header or the start of a short frame, and an inflater if the client has sent a
compressed message.

As it stands, this file is part of the Python codec. With the C types in `wsecho/codec/native/echo.pxd`, Cython compiles
it for the compiled codec.
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

# States of an echo. OPEN: frames are echoed. CLOSING: the server has sent a Close frame and waits for the peer's.
# CLOSED: the closing handshake is complete, or the connection has failed; nothing more is parsed.
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
    """Return whether a peer may send `code` in a Close frame (RFC 6455 section 7.4, IANA's registry of close codes)."""
    if code < NORMAL_CLOSURE or code > 4999:
        return False
    # 1004 is reserved. 1005, 1006 and 1015 are never sent. 1016 to 2999 are for future versions of the protocol.
    return code >= 3000 or (code < 1015 and (code < 1004 or code > 1006))


class Echo:
    """The echo of one connection: its state between two reads, and its last reply.

    `receive`, `close`, `ping` and `greet` each make a reply. After each call:

    - `data[start:stop]` of the receive buffer is the reply. It must be sent before the next read.
    - `completed` is the number of messages whose last byte is in the reply.
    - `payload` is the number of payload bytes of data frames in the reply.
    - `state` is OPEN, CLOSING or CLOSED.
    - `close_code` is the code of the Close frame that the server has sent: 1005 if the frame had no code, 0 if there
      was no such frame. `closed_by_peer` says that this frame answered the peer's Close frame.
    - `violation` is the rule that the peer broke, or None.

    `bytes_received`, `frames`, `messages`, `payload_received` and `payload_sent` are totals of the connection. The last
    two count payload bytes of data frames.

    `max_message_size` is a number of payload bytes, before compression. `max_fragments` is a number of frames.
    `make_inflater` and `budget` are given if permessage-deflate was negotiated (RFC 7692). The echo forwards compressed
    messages as they came (`wsecho.websocket.deflate` says why the client can read them) and inflates them only to
    validate them. `budget` limits how many bytes are received at once, because inflating them takes time.
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
        # The reply: its place in the buffer, and what it contains.
        self.start = buffer.landing
        self.stop = buffer.landing
        self.completed = 0
        self.payload = 0
        # The frame in progress: payload bytes still to come; mask, opcode, FIN and size from its header; where its
        # reply starts in the buffer; whether earlier replies contain a part of it, and how many of its payload bytes.
        self.frame_remaining = 0
        self.mask = 0
        self.frame_opcode = 0
        self.frame_final = False
        self.frame_size = 0
        self.frame_start = 0
        self.forwarding = False
        self.forwarded = 0
        # The message in progress: its opcode (CONTINUATION: no message is in progress), the payload bytes that its
        # headers announce, its frames, whether it is compressed, the bytes inflated so far, the state of the UTF-8
        # automaton.
        self.message_opcode = CONTINUATION
        self.message_size = 0
        self.message_frames = 0
        self.message_compressed = False
        self.inflated_size = 0
        self.utf8 = UTF8_COMPLETE
        # Totals of the connection: bytes, complete frames, complete messages, payload bytes of data frames.
        self.bytes_received = 0
        self.frames = 0
        self.messages = 0
        self.payload_received = 0
        self.payload_sent = 0
        # The payload of the last Ping frame, empty if there was none or it was answered; whether one was answered since
        # the connection last reset this.
        self.unanswered_ping = b""
        self.ping_answered = False
        # What is kept for the next read: a split header as it came or, if `frame_remaining` is not 0, the start of a
        # short frame as it will be sent.
        self.held: bytes | bytearray = b""
        self.held_size = 0
        # Code and reason of a Close frame that must wait for the end of the frame that is being forwarded.
        self.pending_close: tuple[int, bytes] | None = None

    def room(self) -> int:
        """Return the most bytes that the next read may bring."""
        return self.buffer.size if self.budget is None else min(self.buffer.size, self.budget.room())

    def receive(self, received: int) -> None:
        """Turn the `received` bytes at the landing of the buffer into the reply, `data[start:stop]`."""
        read = self.buffer.landing
        end = read + received
        self.start = read
        self.stop = read
        self.completed = 0
        self.bytes_received += received
        payload_received = self.payload_received
        payload_sent = self.payload_sent
        if self.held_size and self.frame_remaining <= received:
            # Right before the read goes a split header, or the start of a short frame that is complete now.
            self.start -= self.held_size
            self._restore_held(self.start)
            if self.frame_remaining == 0:
                read = self.start
                self.stop = read
        self.frame_start = self.start
        if self.frame_remaining:
            read = self._receive_payload(read, end)
        while read < end and self.state < CLOSED:
            if self.state == OPEN and self.message_opcode == CONTINUATION:
                read = self._short_messages(read, end)
            if read < end:
                read = self._begin_frame(read, end)
        if self.frame_remaining:
            self._suspend_frame()
        if self.pending_close is not None and not self.forwarding:
            # Not before all input has been read: this Close frame replaces no input, so it could overwrite some.
            code, reason = self.pending_close
            self.pending_close = None
            self._put_close(code, reason)
        self.payload = self.payload_sent - payload_sent
        self.counters.received(received, self.payload_received - payload_received)

    def close(self, code: int, reason: bytes) -> None:
        """Start the closing handshake (RFC 6455 section 7.1.2). The reply is a Close frame, or empty.

        While a long frame is being forwarded, the Close frame waits for the end of it. `reason` is UTF-8, at most 123
        bytes.
        """
        self._begin_reply()
        if self.forwarding:
            self.pending_close = (code, reason)
        elif self.state == OPEN:
            if self.frame_remaining:
                # The frame whose start is held will not be echoed. A split header is still needed.
                self._drop_held()
            self._put_close(code, reason)
            self.state = CLOSING

    def _begin_reply(self) -> None:
        """Begin a reply that does not answer a read."""
        self.start = self.buffer.landing
        self.stop = self.start
        self.completed = 0
        self.payload = 0

    def ping(self, payload: bytes) -> None:
        """Check that the peer still responds (RFC 6455 section 5.5.2). The reply is a Ping frame, or empty.

        It is empty while a long frame is being forwarded, and after a Close frame. `payload` is 1 to 125 bytes.
        """
        self._begin_reply()
        if self.state == OPEN and not self.forwarding:
            self.buffer.place(self.start, bytes((FIN | PING, len(payload))) + payload)
            self.stop += 2 + len(payload)
            self.unanswered_ping = payload

    def greet(self, text: bytes) -> None:
        """Send a text message that is not an echo, before all others. `text` is 1 to 125 bytes of UTF-8."""
        self._begin_reply()
        self.buffer.place(self.start, bytes((FIN | TEXT, len(text))) + text)
        self.stop += 2 + len(text)
        self.completed = 1
        self.payload = len(text)
        self.payload_sent += len(text)

    def _short_messages(self, read: int, end: int) -> int:
        """Echo a run of short, complete messages of one frame each, without the general steps. Most reads bring these.

        Return where the first other frame starts, valid or not, which the general steps handle.
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

    def _begin_frame(self, read: int, end: int) -> int:
        """Read the header of a frame, and as much of its payload as has arrived. Return where reading continues."""
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
            # RFC 6455 section 5.2: the length must take the fewest bytes that it fits in.
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
            if size > self._largest_wire_size() - self.message_size:
                return self._fail(end, MESSAGE_TOO_BIG)
            if self.message_frames >= self.max_fragments:
                return self._fail(end, TOO_MANY_FRAGMENTS)
            self.message_size += size
            self.message_frames += 1

        self.mask = self.buffer.load_mask(read + header - 4)
        self.frame_remaining = size
        self.frame_size = size
        self.frame_opcode = opcode
        self.frame_final = first & FIN != 0
        self.forwarded = 0
        self._put_header(first, read, header - 4)
        return self._receive_payload(read + header, end)

    def _may_be_compressed(self, first: int) -> bool:
        """Return whether RSV1 (RFC 7692 section 6) is the only reserved bit in `first`, and is allowed there."""
        if self.make_inflater is None or first & RESERVED_BITS != COMPRESSED_BIT:
            return False
        # Only the first frame of a message may have the bit: no continuation frame, no control frame.
        return first & OPCODE_BITS in (TEXT, BINARY)

    def _largest_wire_size(self) -> int:
        """Return the most payload bytes that the message in progress may have on the wire."""
        if self.message_compressed:
            # The limit is on the inflated size. Compression makes incompressible data a little longer than that.
            return self.max_message_size + self.max_message_size // 8 + 64
        return self.max_message_size

    def _extended_size(self, start: int, stop: int) -> int:
        """Return the integer in `data[start:stop]`, in network byte order; -1 for 8 bytes with the top bit set."""
        if stop - start == 8 and self.data[start] & 0x80:
            return -1
        size = 0
        while start < stop:
            size = size << 8 | self.data[start]
            start += 1
        return size

    def _put_header(self, first: int, read: int, length: int) -> None:
        """Write the header of the reply: `length` bytes of the client's, without the mask bit, and Pong for Ping."""
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

    def _receive_payload(self, read: int, end: int) -> int:
        """Unmask and validate as much of the frame's payload as has arrived. Return where reading continues."""
        count = end - read
        if count > self.frame_remaining:
            count = self.frame_remaining
        if count:
            self.mask = self.buffer.unmask(self.stop, read, count, self.mask)
        if not self.frame_opcode & CONTROL_BIT:
            self.payload_received += count
            if not self._validate(count, end):
                return end
        self.stop += count
        self.frame_remaining -= count
        if self.frame_remaining == 0:
            self._end_frame(end)
        return read + count

    def _validate(self, count: int, end: int) -> bool:
        """Validate the `count` bytes just unmasked; if they are invalid, fail the connection and return False."""
        if self.message_compressed:
            # After the server's Close frame, the message will not be echoed, and a client that got the Close frame for
            # sending too much must not cause more work.
            return self.state == CLOSING or self._validate_compressed(count, end)
        # ASCII that starts between two characters is valid text. Most text is ASCII.
        if self.message_opcode == TEXT and count and not (self.utf8 == UTF8_COMPLETE and self.buffer.unmasked_ascii):
            self.utf8 = self.buffer.validate_utf8(self.stop, count, self.utf8)
            if self.utf8 == UTF8_INVALID:
                self._fail_text(end)
                return False
        return True

    def _validate_compressed(self, count: int, end: int) -> bool:
        """Validate `count` bytes of a compressed message, by inflating them; if invalid, fail and return False."""
        ends_message = self.frame_final and count == self.frame_remaining
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
        """Decide about the reply to a frame whose last byte has arrived. So far it is `data[frame_start:stop]`."""
        if self.state == CLOSING:
            self._end_unanswered_frame()
        elif self.frame_opcode == CLOSE:
            self._answer_close(end)
        elif self.frame_opcode == PONG:
            self._receive_pong()
        elif self.frame_opcode != PING:
            self._end_data_frame(end)
        self.frames += 1
        if self.violation is None:
            self.counters.frame_received(self.frame_opcode)

    def _receive_pong(self) -> None:
        """Drop a Pong frame from the reply. It may answer the server's Ping frame (RFC 6455 section 5.5.3)."""
        if self.unanswered_ping and self.buffer.take(self.frame_start + 2, self.stop) == self.unanswered_ping:
            self.unanswered_ping = b""
            self.ping_answered = True
        self.stop = self.frame_start

    def _end_unanswered_frame(self) -> None:
        """Drop the reply: after its Close frame, the server sends no data and only waits for the peer's Close frame.

        See RFC 6455 section 5.5.1.
        """
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
        """Validate a Close frame that has arrived whole. Its own bytes are the answer (RFC 6455 section 5.5.1)."""
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
        """Fail the connection for an invalid text. The state of the UTF-8 automaton says which rule was broken."""
        return self._fail(end, TEXT_NOT_UTF8 if self.utf8 == UTF8_INVALID else TEXT_CUT_SHORT)

    def _fail(self, end: int, violation: Violation) -> int:
        """Fail the connection (RFC 6455 section 7.1.7) with a Close frame after all valid replies. Return `end`.

        There is no Close frame if part of the frame was already forwarded, or if the server has already sent one.
        """
        self.frame_remaining = 0
        self._drop_held()
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
        """Handle a read that ended inside a payload: hold a short frame back, forward what has come of a long one."""
        if self.state == CLOSING:
            self.stop = self.frame_start
        elif self.frame_size > self.buffer.hold_limit and not self.frame_opcode & CONTROL_BIT:
            self.forwarding = True
            self.payload_sent += self.frame_size - self.frame_remaining - self.forwarded
            self.forwarded = self.frame_size - self.frame_remaining
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

    def _restore_held(self, at: int) -> None:
        """Copy what was held to `data[at:]`, and hold it no longer."""
        self.buffer.place(at, self.held)
        self._drop_held()

    def _drop_held(self) -> None:
        self.held = b""
        self.held_size = 0
