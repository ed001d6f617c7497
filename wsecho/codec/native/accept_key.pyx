"""The Sec-WebSocket-Accept value in the compiled codec. `accept_key` in `wsecho/websocket/handshake.py` says what it is.

A key has 24 characters, so what is hashed has always the same size: it is padded once (RFC 3174 section 4).
"""

from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from wsecho.websocket.handshake import GUID

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef extern from "sha1.h":
    void wsecho_sha1(uint8_t *digest, const uint8_t *blocks, size_t count) nogil
    enum: WSECHO_SHA1_BLOCK, WSECHO_SHA1_DIGEST

cdef enum:
    KEY = 24
    # Characters of a digest in base64, with one for padding.
    ACCEPT = 28

cdef const uint8_t *alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

# The key, the GUID, and the padding: a one bit, zeros, and the size in bits as a number of eight bytes.
cdef uint8_t template[2 * WSECHO_SHA1_BLOCK]
cdef bytes _padded = bytes(KEY) + GUID + b"\x80"
_padded += bytes(sizeof(template) - len(_padded) - 8) + (8 * (KEY + len(GUID))).to_bytes(8, "big")
assert len(_padded) == sizeof(template)
memcpy(template, <const char *>_padded, sizeof(template))


def accept_key(str key not None):
    """Return the Sec-WebSocket-Accept value. Raises ValueError if `key` has not the size of a key."""
    cdef uint8_t blocks[2 * WSECHO_SHA1_BLOCK]
    # A zero byte makes it a multiple of three bytes, as base64 needs.
    cdef uint8_t digest[WSECHO_SHA1_DIGEST + 1]
    cdef char text[ACCEPT]
    cdef Py_ssize_t size
    cdef const char *characters = PyUnicode_AsUTF8AndSize(key, &size)
    if size != KEY:
        raise ValueError(f"a key has {KEY} bytes, not {size}")
    memcpy(blocks, template, sizeof(template))
    memcpy(blocks, characters, KEY)
    wsecho_sha1(digest, blocks, 2)
    digest[WSECHO_SHA1_DIGEST] = 0
    encode(text, digest)
    return text[:ACCEPT].decode("ascii")


cdef void encode(char *text, const uint8_t *digest) noexcept:
    """Write a digest and a zero byte in base64 (RFC 4648 section 4)."""
    cdef int index
    for index in range(0, WSECHO_SHA1_DIGEST + 1, 3):
        text[0] = alphabet[digest[index] >> 2]
        text[1] = alphabet[(digest[index] & 0x03) << 4 | digest[index + 1] >> 4]
        text[2] = alphabet[(digest[index + 1] & 0x0F) << 2 | digest[index + 2] >> 6]
        text[3] = alphabet[digest[index + 2] & 0x3F]
        text += 4
    # The last character stands for the zero byte alone.
    text[-1] = c"="
