"""Drives an echo without a socket: passes bytes in and returns everything that a test may want to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from wsecho.codec import selection
from wsecho.websocket.echo import CLOSED
from wsecho.websocket.message_counters import EchoRow

CODECS = {choice: selection.load(choice) for choice in ("python", "compiled")}


@dataclass(frozen=True)
class Outcome:
    """The result. `received` holds the counts by size bucket, `sent` the number of messages in the replies."""

    reply: bytes
    state: int
    close_code: int
    error: str | None
    received: tuple[int, ...]
    received_bytes: int
    sent: int
    frames: tuple[int, ...]
    payload_sent: int


class EchoBench:
    """One echo with a receive buffer of its own."""

    def __init__(
        self,
        chosen: selection.Codec,
        *,
        size: int = 1 << 20,
        hold_limit: int = 1 << 14,
        max_message_size: int = 1 << 26,
        max_fragments: int = 1 << 20,
    ) -> None:
        self.row = EchoRow()
        self.buffer = chosen.ReceiveBuffer(size, hold_limit)
        self.echo = chosen.Echo(self.buffer, chosen.MessageCounters(self.row), max_message_size, max_fragments)
        self.reply = b""
        self.sent = 0

    def feed(self, data: bytes) -> bytes:
        """Let `data` arrive in reads of the size of the buffer. Return what is sent back."""
        reply = b""
        while data and self.echo.state < CLOSED:
            piece, data = data[: self.buffer.size], data[self.buffer.size :]
            self.buffer.place(self.buffer.landing, piece)
            self.echo.receive(len(piece))
            reply += self._take_reply()
        return reply

    def close(self, code: int, reason: bytes) -> bytes:
        """Let the server close. Return what is sent."""
        self.echo.close(code, reason)
        return self._take_reply()

    def _take_reply(self) -> bytes:
        reply = self.buffer.take(self.echo.start, self.echo.stop)
        self.reply += reply
        self.sent += self.echo.completed
        return reply

    @property
    def error(self) -> str | None:
        """The rule that the peer broke, in words."""
        return self.echo.violation and self.echo.violation.text

    def outcome(self) -> Outcome:
        return Outcome(
            reply=self.reply,
            state=self.echo.state,
            close_code=self.echo.close_code,
            error=self.error,
            received=tuple(self.row.message_sizes),
            received_bytes=self.row.message_bytes,
            sent=self.sent,
            frames=tuple(self.row.frames_received),
            payload_sent=self.echo.payload_sent,
        )


def echo_of(pieces: Iterable[bytes], chosen: selection.Codec, **limits: int) -> Outcome:
    """Return the outcome if `pieces` arrive one after the other."""
    bench = EchoBench(chosen, **limits)
    for piece in pieces:
        bench.feed(piece)
    return bench.outcome()


def bytewise(data: bytes) -> list[bytes]:
    """Return `data` cut into single bytes."""
    return [data[index : index + 1] for index in range(len(data))]


def cut(data: bytes, positions: Iterable[int]) -> list[bytes]:
    """Return `data` cut at `positions`, taken modulo its length."""
    ends = sorted({position % (len(data) + 1) for position in positions} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]
