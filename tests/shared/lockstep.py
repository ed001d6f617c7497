"""Runs both codecs and the model in lockstep, and checks after every step what must hold."""

from collections.abc import Callable, Iterable

from tests.shared.codec_model import Model
from tests.shared.echoing import CODECS, EchoBench, Outcome, bytewise
from tests.shared.frames import CLOSE, server_close
from wsecho.websocket.receive_buffer import LONGEST_CONTROL_PAYLOAD, LONGEST_HEADER

# What happens to a connection: bytes arrive, or the server closes with a code and a reason.
Step = bytes | tuple[int, bytes]


class Lockstep:
    """One connection, three times. Every step ends with `check`; `finish` repeats all steps in other pieces."""

    def __init__(self, *, size: int, hold_limit: int, max_message_size: int) -> None:
        self.size = size
        self.max_message_size = max_message_size
        self.model = Model(hold_limit=hold_limit, max_message_size=max_message_size)
        self.benches = {
            name: EchoBench(chosen, size=size, hold_limit=hold_limit, max_message_size=max_message_size)
            for name, chosen in CODECS.items()
        }
        self.plain = self.benches["python"]
        self.steps: list[Step] = []

    def take(self, step: Step) -> None:
        """Do `step` in both codecs and in the model, and check them."""
        self.steps.append(step)
        if isinstance(step, bytes):
            self._receive(step)
        else:
            self._close(*step)
        self.check()

    def _receive(self, data: bytes) -> None:
        for start in range(0, len(data), self.size):
            self.model.receive(data[start : start + self.size])
        for bench in self.benches.values():
            bench.feed(data)

    def _close(self, code: int, reason: bytes) -> None:
        self.model.close(code, reason)
        for bench in self.benches.values():
            bench.close(code, reason)

    def check(self) -> None:
        """Check what must hold after every step."""
        outcome = self.plain.outcome()
        # The compiled codec is in the same state as the Python codec.
        assert self.benches["compiled"].outcome() == outcome
        # Both have sent what RFC 6455 requires: after the first violation or after a Close of the server, nothing more.
        assert outcome.reply == self._expected_reply(outcome)
        assert (outcome.state, outcome.close_code) == (self.model.state, self.model.close_code)
        assert (outcome.error is None) == (self.model.fault is None)
        # A message is counted as received when its echo counts as sent.
        assert sum(outcome.received) == outcome.sent == len(self.model.messages)
        assert outcome.received_bytes == sum(len(payload) for _, payload in self.model.messages)
        self._check_memory()

    def _expected_reply(self, outcome: Outcome) -> bytes:
        if self.model.violation is None:
            return self.model.reply
        assert outcome.error is not None
        return self.model.reply + server_close(self.model.violation, outcome.error)

    def _check_memory(self) -> None:
        """Check that the reply is inside the buffer, and that no more is kept than a short frame and its header."""
        capacity = len(self.plain.buffer.data)
        assert all(0 <= bench.echo.start <= bench.echo.stop <= capacity for bench in self.benches.values())
        held = len(self.plain.echo.held)
        assert held <= LONGEST_HEADER + max(self.model.hold_limit, LONGEST_CONTROL_PAYLOAD)
        if not self.model.may_hold:
            assert held == 0

    def finish(self) -> None:
        """Check that the same bytes in other pieces have the same result, and that nothing follows a Close of the
        server.
        """
        self._check_last_frame()
        whole = self._replay(lambda data: [data])
        assert self._replay(lambda data: [data[:1], data[1:3], data[3:]]) == whole
        if sum(len(step) for step in self.steps if isinstance(step, bytes)) < 4000:
            assert self._replay(bytewise) == whole
        if not any(frame.sent for frame in self.model.frames):
            # Where a frame that was held back is refused, a frame that was forwarded in part ends without the rest, and
            # delays the Close.
            assert self.plain.outcome() == whole

    def _replay(self, cutting: Callable[[bytes], Iterable[bytes]]) -> Outcome:
        """Return the outcome of the same steps in other pieces, with room to hold back every frame."""
        limit = self.max_message_size
        other = Lockstep(size=1 << 17, hold_limit=limit, max_message_size=limit)
        for step in joined(self.steps):
            for piece in cutting(step) if isinstance(step, bytes) else [step]:
                other.take(piece)
        return other.plain.outcome()

    def _check_last_frame(self) -> None:
        frames = server_frames(self.plain.reply)
        assert not any(opcode == CLOSE for _, opcode, _ in frames[:-1])


def joined(steps: Iterable[Step]) -> list[Step]:
    """Return `steps` with all bytes between two closes of the server in one piece."""
    merged: list[Step] = []
    for step in steps:
        if merged and isinstance(step, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += step
        else:
            merged.append(step)
    return merged


def server_frames(reply: bytes) -> list[tuple[bool, int, bytes]]:
    """Return the complete frames in `reply` as (final, opcode, payload), read as RFC 6455 section 5.2 defines them."""
    frames = []
    while len(reply) >= 2:
        width = {126: 2, 127: 8}.get(reply[1], 0)
        size = int.from_bytes(reply[2 : 2 + width], "big") if width else reply[1]
        if len(reply) < 2 + width + size:
            break
        frames.append((reply[0] & 0x80 != 0, reply[0] & 0x7F, reply[2 + width : 2 + width + size]))
        reply = reply[2 + width + size :]
    return frames
