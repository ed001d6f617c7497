"""What a scenario waits for in what the client sends."""

from wsecho.scenarios.run.cutter import Piece
from wsecho.websocket.echo import CONTINUATION, TEXT, Echo


class Messages:
    """Fires with the last byte of the `count`th message from now on."""

    def __init__(self, echo: Echo, count: int) -> None:
        self._echo = echo
        self._until = echo.messages + count

    def fires(self, piece: Piece) -> bool:
        """Return whether it fires with this piece, which the echo has just received."""
        return self._echo.messages >= self._until


class Bytes:
    """Fires at the end of the message with which so many payload bytes have arrived from now on."""

    def __init__(self, echo: Echo, count: int) -> None:
        self._echo = echo
        self._until = echo.payload_received + count

    def fires(self, piece: Piece) -> bool:
        """Return whether it fires with this piece, which the echo has just received."""
        return piece.ends_message and self._echo.payload_received >= self._until


class TextMessage:
    """Fires at the end of a text message with a certain payload. No more of a message is kept than that."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._found = bytearray()
        self._in_frame = 0
        # Whether the message may still be the one.
        self._may_fire = False

    def fires(self, piece: Piece) -> bool:
        """Return whether it fires with this piece, which the echo has just received."""
        if piece.begins_frame:
            self._in_frame = 0
            if piece.opcode != CONTINUATION:
                self._may_fire = piece.opcode == TEXT
                self._found.clear()
        if self._may_fire and len(self._found) + piece.size <= len(self._text):
            self._found += piece.payload(self._in_frame)
        else:
            self._may_fire = False
        self._in_frame += piece.size
        return piece.ends_message and self._may_fire and self._found == self._text
