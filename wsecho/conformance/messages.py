"""Reads the messages out of the bytes that one side of a WebSocket has sent.

It checks no rule, and keeps no payload but the beginning.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wsecho.scenarios.run.cutter import Cutter, Piece
from wsecho.websocket.echo import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT

_RSV1 = 0x40
# Bytes of a payload that are kept to be shown.
_SHOWN = 60
# Bytes that are inflated at once: a client can send a bomb.
_INFLATED_AT_ONCE = 64 << 10
_TAIL = b"\x00\x00\xff\xff"  # RFC 7692 section 7.2.2
_NAMES = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}


@dataclass(frozen=True, slots=True)
class Message:
    """A complete message, or a control frame. `digest` is of the opcode and the payload, after decompression.

    `payload` is the payload of a control frame, and the beginning of that of a message.
    """

    opcode: int
    size: int
    digest: bytes
    payload: bytes

    @property
    def is_control(self) -> bool:
        """Whether it is a Close, Ping or Pong frame."""
        return self.opcode in (CLOSE, PING, PONG)

    def __str__(self) -> str:
        name = _NAMES.get(self.opcode, f"opcode {self.opcode}")
        if self.opcode == CLOSE:
            code = int.from_bytes(self.payload[:2], "big") if len(self.payload) > 1 else "without a code"
            return f"close {code} {shown(self.payload[2:])}".rstrip()
        return f"{name}, {self.size} bytes {shown(self.payload)}".rstrip()


def shown(payload: bytes) -> str:
    """Return the beginning of a payload as a person can read it."""
    if not payload:
        return ""
    text = payload[:_SHOWN].decode(errors="replace")
    rest = "..." if len(payload) > _SHOWN else ""
    return f"{text!r}{rest}" if text.isprintable() else f"hex:{payload[:_SHOWN].hex()}{rest}"


def expected(opcode: int, payload: bytes) -> Message:
    """Return the message with this payload."""
    return Message(opcode, len(payload), _digest(opcode, payload), payload[: _SHOWN + 1])


def _digest(opcode: int, payload: bytes) -> bytes:
    return hashlib.blake2b(bytes((opcode,)) + payload, digest_size=16).digest()


class _Assembly:
    """A message in progress."""

    def __init__(self, opcode: int, inflate: Callable[[bytes], Iterator[bytes]] | None) -> None:
        self._opcode = opcode
        self._inflate = inflate
        self._hash = hashlib.blake2b(bytes((opcode,)), digest_size=16)
        self._size = 0
        self._head = bytearray()

    def add(self, payload: bytes) -> None:
        """Add bytes of the payload."""
        for part in self._inflate(payload) if self._inflate else (payload,):
            self._hash.update(part)
            self._size += len(part)
            self._head += part[: _SHOWN + 1 - len(self._head)]

    def complete(self) -> Message:
        """Return the message."""
        if self._inflate:
            self.add(_TAIL)
        return Message(self._opcode, self._size, self._hash.digest(), bytes(self._head))


class MessageReader:
    """Reads what one side sends."""

    def __init__(self) -> None:
        self._cutter = Cutter()
        self._inflater = zlib.decompressobj(-15)
        self._assembly: _Assembly | None = None
        self._at = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add bytes, and yield the messages and control frames that are complete with them."""
        self._cutter.feed(data)
        while piece := self._cutter.take():
            if piece.is_control:
                payload = piece.payload()
                yield Message(piece.opcode, len(payload), _digest(piece.opcode, payload), payload)
            else:
                yield from self._add(piece)

    def _add(self, piece: Piece) -> Iterator[Message]:
        if piece.begins_frame:
            self._at = 0
            if piece.opcode != CONTINUATION or self._assembly is None:
                inflate = self._inflate if piece.data[0] & _RSV1 else None
                self._assembly = _Assembly(piece.opcode, inflate)
        if self._assembly is None:
            return
        self._assembly.add(piece.payload(self._at))
        self._at += piece.size
        if piece.ends_message:
            yield self._assembly.complete()
            self._assembly = None

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes that compressed ones stand for, in parts."""
        try:
            while data:
                yield self._inflater.decompress(data, _INFLATED_AT_ONCE)
                data = self._inflater.unconsumed_tail
                if self._inflater.eof:  # behind a block with BFINAL, RFC 7692 section 7.2.3.4
                    data = self._inflater.unused_data
                    self._inflater = zlib.decompressobj(-15)
        except zlib.error:
            yield b"(not deflate data)"
