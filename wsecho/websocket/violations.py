"""The rules that a peer can break on an open WebSocket, and the close code and reason that answer each violation."""

from typing import NamedTuple


class Violation(NamedTuple):
    """A broken rule. `reason` is its label in the metrics; `code` and `text` go into the Close frame for it."""

    reason: str
    code: int
    text: str


# RFC 6455 section 5.
RESERVED_BIT = Violation("reserved_bits", 1002, "reserved bit set without an extension that defines it")
UNMASKED = Violation("unmasked", 1002, "frame from a client is not masked")
RESERVED_OPCODE = Violation("reserved_opcode", 1002, "reserved opcode")
FRAGMENTED_CONTROL = Violation("fragmented_control", 1002, "control frame is fragmented")
LONG_CONTROL = Violation("long_control", 1002, "control frame is longer than 125 bytes")
ORPHAN_CONTINUATION = Violation("orphan_continuation", 1002, "continuation frame without a message to continue")
INTERLEAVED_MESSAGE = Violation("interleaved_message", 1002, "new message before the end of a fragmented one")
LENGTH_TOP_BIT = Violation("length_top_bit", 1002, "payload length has its top bit set")
LENGTH_NOT_MINIMAL = Violation("length_not_minimal", 1002, "payload length is not in its shortest form")
HALF_CLOSE_CODE = Violation("invalid_close", 1002, "Close frame with half a close code")
FORBIDDEN_CLOSE_CODE = Violation("invalid_close", 1002, "Close frame with a code that must not be sent")
# RFC 6455 section 8.1.
CLOSE_REASON_NOT_UTF8 = Violation("invalid_utf8", 1007, "reason in the Close frame is not valid UTF-8")
TEXT_NOT_UTF8 = Violation("invalid_utf8", 1007, "text is not valid UTF-8")
TEXT_CUT_SHORT = Violation("invalid_utf8", 1007, "text ends inside a UTF-8 character")
# RFC 7692 section 7.2.2.
NOT_DEFLATE = Violation("invalid_deflate", 1007, "compressed message is not valid deflate")
# RFC 7692 section 7.2.1.
DEFLATE_CUT_SHORT = Violation(
    "unfinished_deflate", 1007, "compressed message does not end in an empty stored block less its last four octets"
)
# Limits of this server.
MESSAGE_TOO_BIG = Violation("message_too_big", 1009, "message is longer than the limit")
TOO_MANY_FRAGMENTS = Violation("too_many_fragments", 1008, "message has more fragments than the limit")
TOO_FAST = Violation("too_fast", 1008, "more frames or bytes a second than the limit")

VIOLATIONS = tuple(value for value in list(globals().values()) if isinstance(value, Violation))
REASONS = tuple(dict.fromkeys(violation.reason for violation in VIOLATIONS))
