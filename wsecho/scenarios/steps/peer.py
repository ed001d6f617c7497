"""What a step can do to a connection: `Opening` before the 101 response, `Peer` after it.

A step is an async function, `async def step(peer: Peer, *arguments)` or `async def step(opening: Opening, *arguments)`.
Steps run one after the other in a task of the connection. The task is cancelled when the connection ends, wherever it
waits; a step that takes something gives it back in `finally`. A step waits only by the methods below, which respect the
budget, the limits for slow readers and the end of the connection.

Before the first step, and after each, what the client sends is held (`Receiving.HOLD`): no message is lost, none is
echoed, and Ping and Close frames are answered. After the last step, the server echoes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Protocol

from wsecho.http.request import Request
from wsecho.scenarios.language.arguments import Amount
from wsecho.scenarios.language.word import Options


class Receiving(Enum):
    """What happens to the messages that the client sends."""

    # They wait, up to 64 KiB in 1,024 frames; then the server stops reading. They are echoed as soon as the server
    # echoes again.
    HOLD = "hold"
    # The codec echoes them.
    ECHO = "echo"
    # The codec checks and counts them, and nothing is sent back.
    DISCARD = "discard"


class Closing(Enum):
    """What happens to a Close frame of the client."""

    # The codec answers it, and the scenario is over.
    ANSWER = "answer"
    # It is kept, for `Peer.client_closes`. If the plan ends without an answer, the codec answers it then.
    KEEP = "keep"


@dataclass(slots=True)
class Answer:
    """The 101 response as it will be sent. The steps of the family `handshake` change it.

    `status_line` has no line end. `fields` are names and values, in order. `added` are fields for whatever answers the
    handshake: the 101 response, or a refusal. `bare` leaves out the fields of ours.
    `pieces` cuts the response, as bytes, into the pieces that are sent one by one, `pause` seconds apart. With
    `is_bundled`, it is sent together with the first bytes of the first step.
    """

    fields: list[tuple[str, str]]
    status_line: str = "HTTP/1.1 101 Switching Protocols"
    added: list[tuple[str, str]] = field(default_factory=list)
    bare: bool = False
    is_bundled: bool = False
    pause: float = 0.0
    cut: Callable[[bytes], list[bytes]] = field(default=lambda data: [data])


class Opening(Protocol):
    """A handshake that is valid and not yet answered. Bytes that the client sends meanwhile are kept."""

    request: Request
    options: Options
    random: Random
    attempt: int
    answer: Answer

    async def sleep(self, seconds: float) -> None:
        """Wait. `inf` waits until the client leaves, at most for the longest time that a plan may take."""

    async def ended(self) -> None:
        """Wait for the end of the connection, at most for the longest time that a plan may take."""

    def wall_clock(self) -> float:
        """Return the seconds since 1970."""

    def encoded(self) -> bytes:
        """Return the 101 response as it stands."""

    async def respond(
        self,
        status: int,
        fields: list[tuple[str, str]],
        body: Sequence[bytes] = (),
        *,
        pause: float = 0.0,
        keep: bool = False,
    ) -> None:
        """Answer with a response. Then wait for the end of the connection or, to `keep` it, for the next request on it.

        `fields` say how long the body is. The first piece of `body` is sent together with the head, and the others one
        by one, `pause` seconds apart. Date, Connection, `answer.added` and the fields of ours are added.
        """

    async def write(self, data: bytes) -> None:
        """Send raw bytes, and wait until the client has taken them."""

    def refused(self, status: int) -> None:
        """Count the handshake as refused with `status`, 0 for bytes that are no response. `respond` does this."""

    async def end(self) -> None:
        """End TCP with FIN, after what was sent, and wait for the end of the connection."""

    async def reset(self) -> None:
        """End TCP with RST, and wait for the end of the connection."""


class Ticks(Protocol):
    """`last` is the last number that a tick has sent on this connection, or on another one under its key."""

    last: int


class Peer(Protocol):
    """An open WebSocket.

    `closing` is what happens to a Close frame of the client. `client_close` is the payload of a Close frame that was
    kept, None before it came.
    """

    request: Request
    options: Options
    random: Random
    attempt: int
    closing: Closing
    ticks: Ticks

    @property
    def messages_sent(self) -> int:
        """The messages that the steps have sent so far."""

    @property
    def client_close(self) -> bytes | None:
        """The payload of the client's Close frame, if it was kept."""

    # Time and events. Each sends first what was collected by `collect`.

    async def sleep(self, seconds: float) -> None:
        """Wait. `inf` waits until the client leaves, at most for the longest time that a plan may take."""

    async def happens(self, amount: Amount) -> None:
        """Wait until so many messages or bytes have arrived, or so much time has passed, since this call.

        Messages are counted when their last byte is in, bytes at the end of the message that reaches them. Whatever
        comes behind is held, in the same read as well.
        """

    async def text_arrives(self, text: bytes) -> None:
        """Wait until the client has sent a text message with this payload. Whatever comes behind is held."""

    async def ping_arrives(self) -> bytes:
        """Wait for a Ping frame and return its payload. It is answered as the option `pong` says."""

    async def falls_silent(self, seconds: float) -> None:
        """Wait until the client has sent nothing for so long. The server sends no ping from here on."""

    async def client_closes(self) -> bytes:
        """Wait for a Close frame of the client, or take one that was kept, and return its payload.

        It is not answered.
        """

    async def client_begins_close(self) -> None:
        """Wait for the first byte of a Close frame of the client, or take one that was kept. It is not answered."""

    # What the client sends.

    def receive(self, receiving: Receiving) -> None:
        """Set what happens to messages from the next one on. A message that is being echoed is first completed."""

    def pause_reading(self) -> None:
        """Stop reading from the socket, so that no ping is answered either, and send no ping."""

    def resume_reading(self) -> None:
        """Read again."""

    # What the server sends. Each waits until the client has taken enough of what was sent before, and for the end of a
    # frame or message that is being echoed.

    async def send(self, opcode: int, payload: bytes, *, final: bool = True, reserved: int = 0) -> None:
        """Send one frame, and count it: a final data frame completes a message. `reserved` are the bits RSV1 to RSV3.

        Shaping options hold for it.
        """

    async def send_long(self, opcode: int, size: int, pieces: Iterator[bytes], *, at_once: bool = False) -> None:
        """Send one frame that is a message, and count it. Its payload of `size` bytes is in `pieces`.

        Of a long frame, each piece leaves when the client has read enough, or `at_once` if it is collected. Nothing
        else is sent or read before its end.
        """

    async def write(self, data: bytes) -> None:
        """Send raw bytes, which count as bytes on the wire only."""

    def collect(self) -> None:
        """Collect what is sent from here on, and send it with one write at the next wait, or at the end.

        Of more than `budget.LONGEST_WRITE` bytes, each so many are one write.
        """

    # The end. Each waits for the end of the connection, so it does not return.

    async def close(self, code: int, reason: bytes = b"") -> None:
        """Send a Close frame, wait for the client's, and end TCP with FIN. A Close frame that was kept is answered.

        A `code` of 0 is none.
        """

    async def end(self) -> None:
        """End TCP with FIN and without a Close frame, after what was sent. On TLS this sends close_notify."""

    async def cut(self) -> None:
        """End TCP with FIN, after what was sent. On TLS this sends no close_notify."""

    async def reset(self, *, at_once: bool = False) -> None:
        """End TCP with RST, after what was sent and has been taken by the kernel.

        A reset can destroy what the client has not read, so it comes later, unless it comes `at_once`.
        """

    async def vanish(self) -> None:
        """End the connection without a packet, after what was sent and has been taken by the client's kernel.

        Where the system does not allow it, stop reading and sending instead.
        """

    # The parts from which other ends are made.

    async def send_close(self, payload: bytes, *, frame: bytes = b"") -> None:
        """Send a Close frame with any payload, and nothing else. It counts as the close code of the connection.

        `frame`, if it is given, is sent in the place of the correct frame.
        """

    async def closed(self) -> None:
        """After `send_close`: wait for the client's Close frame, and end TCP with FIN. A Close that was kept counts."""

    async def ended(self) -> None:
        """Wait for the end of the connection, at most for the longest time that a plan may take."""

    async def sent(self) -> None:
        """Wait until the transport has handed everything to the kernel."""
