"""The records of one connection: a summary, which changes while it lasts, and one event for each frame."""

import ctypes
import struct
from dataclasses import dataclass

from wsecho.scenarios.seen.frames import Frame

# The kinds of blocks.
SUMMARY, HEAD, EVENTS = 1, 2, 3
# The two directions, as indices.
RECEIVED, SENT = 0, 1
# How a side has ended TCP, by number. A side that has closed its socket at once has sent FIN or, if it had not read
# everything, RST.
ENDS = ("", "fin", "rst", "close", "none")
# The opcodes that are counted (RFC 6455 section 11.8), and all others.
OPCODES = {0x0: "continuation", 0x1: "text", 0x2: "binary", 0x8: "close", 0x9: "ping", 0xA: "pong"}
OPCODE_NAMES = (*OPCODES.values(), "reserved")
_INDEX = {opcode: index for index, opcode in enumerate(OPCODES)}
_RESERVED = len(OPCODES)

# Microseconds since the connection began, size, close code, first byte, flags.
_EVENT = struct.Struct("<QQHBBxxxx")
_IS_SENT, _IS_MASKED, _IS_COMPLETE = 1, 2, 4
_MICROSECONDS = 1_000_000


class Counts(ctypes.Structure):
    """The frames of one direction: their number and their payload bytes by opcode, and all bytes on the wire."""

    _fields_ = [
        ("bytes", ctypes.c_uint64),
        ("frames", ctypes.c_uint64 * len(OPCODE_NAMES)),
        ("payload", ctypes.c_uint64 * len(OPCODE_NAMES)),
    ]


class Summary(ctypes.Structure):
    """What is known of a connection. Times are seconds since it began, negative for what has not happened.

    `began` is in seconds of Unix time. `pid` is the worker. `status` is that of the response, 0 before it and for bytes
    that are no response. `close_codes` are those of the first Close frame of each direction, 0 if there was none, and
    `close_sizes` the payload bytes of it. `ends` is how the client and the server have ended TCP, as indices of `ENDS`.
    """

    _fields_ = [
        ("began", ctypes.c_double),
        ("attempt", ctypes.c_uint64),
        ("pid", ctypes.c_uint32),
        ("status", ctypes.c_uint16),
        ("has_whole_head", ctypes.c_bool),
        ("timed_out", ctypes.c_bool),
        ("answered", ctypes.c_double),
        ("over", ctypes.c_double),
        ("directions", Counts * 2),
        ("close_codes", ctypes.c_uint16 * 2),
        ("close_sizes", ctypes.c_uint16 * 2),
        ("closed", ctypes.c_double * 2),
        ("ends", ctypes.c_uint8 * 2),
        ("ended", ctypes.c_double * 2),
        ("events_not_kept", ctypes.c_uint64),
    ]

    def count(self, direction: int, frame: Frame, seconds: float) -> None:
        """Count a frame of one direction."""
        self.add(direction, frame.opcode, 1, frame.size)
        if frame.code and not self.close_codes[direction]:
            self.close_codes[direction] = frame.code
            self.close_sizes[direction] = min(frame.size, 0xFFFF)
            self.closed[direction] = seconds

    def add(self, direction: int, opcode: int, count: int, payload: int) -> None:
        """Count frames of one direction and one opcode, which have so many payload bytes together."""
        counts = self.directions[direction]
        index = _INDEX.get(opcode, _RESERVED)
        counts.frames[index] += count
        counts.payload[index] += payload


@dataclass(frozen=True, slots=True)
class Event:
    """A frame, with the seconds since the connection began."""

    seconds: float
    is_sent: bool
    frame: Frame


def encoded(event: Event) -> bytes:
    """Return an event as it is kept."""
    frame = event.frame
    flags = event.is_sent * _IS_SENT | frame.is_masked * _IS_MASKED | frame.is_complete * _IS_COMPLETE
    return _EVENT.pack(round(event.seconds * _MICROSECONDS), frame.size, frame.code, frame.first, flags)


def decoded(data: bytes) -> list[Event]:
    """Return the events that a block holds."""
    return [
        Event(
            microseconds / _MICROSECONDS,
            bool(flags & _IS_SENT),
            Frame(first, size, bool(flags & _IS_MASKED), code, bool(flags & _IS_COMPLETE)),
        )
        for microseconds, size, code, first, flags in _EVENT.iter_unpack(data[: len(data) // _EVENT.size * _EVENT.size])
    ]
