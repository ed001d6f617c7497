"""Answers to the client's pings."""

import asyncio
from collections import deque
from collections.abc import Callable

from wsecho.scenarios.run.cutter import Piece
from wsecho.scenarios.run.wire import ScenarioWire
from wsecho.websocket.echo import FIN, OPEN, PONG, Echo

# The most pings that wait for a late answer. A client that sends more gets none for the oldest, which is allowed (RFC
# 6455 section 5.5.3).
_MOST_LATE = 64


class Pongs:
    """Answers pings as the option `pong` says: correctly, late, wrongly, emptily or not at all."""

    def __init__(self, mode: str | float | None, echo: Echo, wire: ScenarioWire, must_wait: Callable[[], bool]) -> None:
        """`mode` is `off`, `wrong`, `empty`, or the seconds that an answer takes. None: the codec answers.

        `must_wait` tells whether a step is sending a frame.
        """
        self._mode = mode
        self._echo = echo
        self._wire = wire
        self._must_wait = must_wait
        # Payloads of late answers, and when each is due.
        self._late: deque[tuple[float, bytes]] = deque(maxlen=_MOST_LATE)
        self._timer: asyncio.TimerHandle | None = None

    def answer(self, ping: Piece) -> None:
        """Answer a Ping frame. The codec checks and counts it in any case."""
        if self._mode is None:
            self._wire.echo(ping.data)
            return
        self._wire.swallow(ping.data)
        payload = ping.payload()
        if isinstance(self._mode, str):
            if change := _PAYLOADS.get(self._mode):
                self._send(change(payload))
        else:
            self._late.append((asyncio.get_running_loop().time() + self._mode, payload))
            self.send_late()

    def send_late(self) -> None:
        """Send the late answers that are due, unless a frame is being sent. Then this must be called again."""
        if not self._late:
            return
        loop = asyncio.get_running_loop()
        may_send = not (self._echo.frame_remaining or self._must_wait())
        while may_send and self._late and self._late[0][0] <= loop.time():
            self._send(self._late.popleft()[1])
        if self._timer:
            self._timer.cancel()
        is_due = self._late and self._late[0][0] <= loop.time()
        self._timer = loop.call_at(self._late[0][0], self.send_late) if self._late and not is_due else None

    def clear(self) -> None:
        """Send no late answer any more."""
        self._late.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _send(self, payload: bytes) -> None:
        # After a Close frame, nothing may be sent (RFC 6455 section 5.5.1). A ping that breaks a rule leads to one.
        if self._echo.state == OPEN:
            self._wire.write(bytes((FIN | PONG, len(payload))) + payload)


def _inverted(payload: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in payload or b"\0")


_PAYLOADS: dict[str, Callable[[bytes], bytes]] = {"wrong": _inverted, "empty": lambda payload: b""}
