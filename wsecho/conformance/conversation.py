"""What client and server have sent each other on one connection, and how it ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Literal

from wsecho.conformance.messages import Message, MessageReader
from wsecho.scenarios.seen.observation import Observation
from wsecho.websocket.echo import CLOSE

Side = Literal["client", "server"]

# Of a longer conversation, only the beginning is logged; of each read or write, only so many bytes are.
_MOST_LOGGED = 200
_LOGGED_BYTES = 64
# Messages of each side that are remembered.
_MOST_MESSAGES = 100_000
_HOW = {
    "fin": "ends its side of TCP",
    "rst": "resets TCP",
    "close": "ends TCP at once",
    "none": "vanishes without a packet",
}


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the log: seconds since the handshake, who did it, and what it was."""

    seconds: float
    side: Side
    text: str

    def __str__(self) -> str:
        return f"{self.seconds:8.3f}  {self.side}  {self.text}"


class Conversation(Observation):
    """What was sent from the response to the handshake to the end of TCP."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        """`on_end` is called once, when the connection has ended."""
        self._began = monotonic()
        self._on_end = on_end
        self._readers = {"client": MessageReader(), "server": MessageReader()}
        # Whether the handshake is answered with 101, and how many bytes of the answer are still to come.
        self._is_open = False
        self._rest = 0
        self._changed = asyncio.Event()
        self.log: list[Event] = []
        # The messages of each side, without control frames; and the control frames of the client.
        self.messages: dict[Side, list[Message]] = {"client": [], "server": []}
        self.controls: list[Message] = []
        # The payload of the client's first Close frame, and what came behind it.
        self.client_close: bytes | None = None
        self.behind_close: list[Message] = []
        # Whether either side has ended TCP; whether the server has sent a Close frame because the case was over, or has
        # aborted the connection because the client did not end it; and whether the connection is over.
        self.has_ended = False
        self.server_closed = False
        self.gave_up = False
        self.is_over = False
        self.seconds = 0.0

    def opened(self, status: int, rest: int) -> None:
        """After `rest` bytes of the answer, the server sends frames."""
        self._is_open = True
        self._rest = rest

    def sent(self, data: bytes) -> None:
        """The server sends bytes."""
        of_handshake = min(self._rest, len(data)) if self._is_open else len(data)
        self._rest -= of_handshake if self._is_open else 0
        if of_handshake:
            text = data[: min(of_handshake, _LOGGED_BYTES)]
            self._log("server", f"{of_handshake} bytes of the answer to the handshake: {text!r}")
        if of_handshake < len(data):
            self._read("server", data[of_handshake:])

    def received(self, data: bytes) -> None:
        """The client has sent bytes behind the handshake, or none before the answer to it."""
        if data:
            self._read("client", data)

    def _read(self, side: Side, data: bytes) -> None:
        found = list(self._readers[side].feed(data))
        rest = "..." if len(data) > _LOGGED_BYTES else ""
        frames = f" = {'; '.join(map(str, found[:8]))}" if found else ""
        self._log(side, f"{len(data)} bytes {data[:_LOGGED_BYTES].hex()}{rest}{frames}")
        for message in found:
            self._add(side, message)
        self._notify()

    def _add(self, side: Side, message: Message) -> None:
        if side == "client" and self.client_close is not None:
            self.behind_close.append(message)
            del self.behind_close[_MOST_MESSAGES:]
            return
        kept = self.controls if message.is_control else self.messages[side]
        if not message.is_control or side == "client":
            kept.append(message)
            # The last ones: an answer to a flood is judged by its last pong.
            del kept[:-_MOST_MESSAGES]
        if side == "client" and message.opcode == CLOSE:
            self.client_close = message.payload

    def client_ended(self, how: str) -> None:
        """The client has ended TCP, or its side of it."""
        self._ends("client", how)

    def server_ended(self, how: str) -> None:
        """The server ends TCP, or its side of it."""
        self._ends("server", how)

    def _ends(self, side: Side, how: str) -> None:
        self._log(side, _HOW[how])
        self.has_ended = True
        self._notify()

    def over(self) -> None:
        """The connection has ended."""
        if not self.is_over:
            self.is_over = True
            self.seconds = monotonic() - self._began
            self._notify()
            self._on_end()

    def _log(self, side: Side, text: str) -> None:
        if len(self.log) < _MOST_LOGGED:
            self.log.append(Event(monotonic() - self._began, side, text))

    def _notify(self) -> None:
        self._changed.set()

    async def until(self, is_true: Callable[[], bool], seconds: float) -> None:
        """Wait until a condition is true, at most so many seconds."""
        deadline = monotonic() + seconds
        while not is_true() and (left := deadline - monotonic()) > 0:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return
