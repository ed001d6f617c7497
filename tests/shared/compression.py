"""Compressed messages as a client writes them (RFC 7692): whole ones, unfinished ones, and ones that cost much time."""

import random
import zlib
from functools import partial

from tests.shared.frames import client_frame, server_frame

RSV1 = 4


def empty_tables() -> bytes:
    """Return two blocks with tables but without symbols (RFC 1951 section 3.2.7). They end at the end of a byte."""
    # One code for literals, none for distances. The codes for the code lengths: one bit for 18, two for 0 and for 1.
    header = "0" + "01" + "00000" + "00000" + "0111" + "000" * 2 + "100" + "010" + "000" * 13 + "010"
    # 138 and 118 zeros, the length of the code that ends the block, no distance; then that code itself.
    block = header + "0" + "1111111" + "0" + "1101011" + "11" + "10" + "0"
    bits = block * 2
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


# It inflates to nothing, but inflating it takes time.
EMPTY_TABLES = empty_tables()


class Compressor:
    """The client's side of permessage-deflate."""

    def __init__(self, *, bits: int = 15, context_takeover: bool = True, level: int = 6) -> None:
        self._new = partial(zlib.compressobj, level, zlib.DEFLATED, -bits)
        self._context_takeover = context_takeover
        self._stream = self._new()

    def __call__(self, message: bytes) -> bytes:
        if not self._context_takeover:
            self._stream = self._new()
        return (self._stream.compress(message) + self._stream.flush(zlib.Z_SYNC_FLUSH)).removesuffix(
            b"\x00\x00\xff\xff"
        )


def compressed_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    return client_frame(opcode, payload, reserved=RSV1, fin=fin)


def compressed_reply(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    frame = server_frame(opcode, payload, fin=fin)
    return bytes((frame[0] | RSV1 << 4,)) + frame[1:]


MESSAGES = [
    b"",
    b"x",
    "κόσμε 🙂".encode() * 40,
    b"the same words, " * 500,
    b"the same words, " * 500,
    random.Random(1).randbytes(5000).hex().encode(),
    bytes(100_000),
]


def final(message: bytes) -> bytes:
    """Return `message` as a deflate stream whose last block is marked as final."""
    compress = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compress.compress(message) + compress.flush(zlib.Z_FINISH)


# Payloads that end within a block, by the part that is missing.
UNFINISHED = {
    "everything": b"",
    "the length of a stored block": b"\x00\x01",
    "a part of the length": b"\x00\x00\x00\xff",
    "the content of a stored block, as long as what is left out": b"\x00\x04\x00\xfb\xff",
    "more of that": b"\x00\x05\x00\xfa\xff",
    "less of that": b"\x00\x06\x00\xf9\xffabc",
    "the content of a last block": b"\x01\x04\x00\xfb\xff",
    "the next block, behind what should be left out": Compressor()(b"words") + b"\x00\x00\xff\xff",
    "the next block, behind a block without content": b"\x00\x00\x00\xff\xff",
    "the end of a block with fixed codes": bytes.fromhex("f248cdc9c907"),
    "the end of a last block with fixed codes": final(b"Hello")[:-1],
    "tables": EMPTY_TABLES[:8],
    "the end of a last block with tables": final(bytes(range(256)) * 20)[:-3],
    "the stream behind a last block": final(b"Hello") + b"\x00\x00",
}
