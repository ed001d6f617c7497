"""Frames as bytes: what a client sends and what the server answers (RFC 6455 section 5.2)."""

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x12\xab\x00\xff"


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    length: bytes | None = None,
) -> bytes:
    """Return a client's frame. `length` replaces the seven bits and the extended length; `mask=None` leaves the mask
    out.
    """
    first = fin << 7 | reserved << 4 | opcode
    size = length or encoded_length(len(payload))
    masked = 0x80 if mask is not None else 0
    head = bytes((first, masked | size[0])) + size[1:] + (mask or b"")
    return head + xor(payload, mask or bytes(4))


def server_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Return the server's frame."""
    return bytes((fin << 7 | opcode,)) + encoded_length(len(payload)) + payload


def server_close(code: int, reason: str) -> bytes:
    """Return the server's Close frame."""
    return server_frame(CLOSE, code.to_bytes(2, "big") + reason.encode())


def encoded_length(size: int) -> bytes:
    """Return the length in its shortest form, with the mask bit clear."""
    if size < 126:
        return bytes((size,))
    if size < 1 << 16:
        return b"\x7e" + size.to_bytes(2, "big")
    return b"\x7f" + size.to_bytes(8, "big")


def xor(payload: bytes, mask: bytes) -> bytes:
    """Mask or unmask, byte by byte."""
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def long_client_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Return a client's frame with a mask of zeros, which a long payload need not be changed for."""
    return bytes((fin << 7 | opcode, 0xFF)) + len(payload).to_bytes(8, "big") + bytes(4) + payload
