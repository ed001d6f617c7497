"""Limits the TLS messages without data that a client sends after the handshake.

These are key updates (RFC 8446 section 4.6.3), attempts to renegotiate, and alerts. Each costs more CPU than an echo,
and protocols above TLS do not see them: OpenSSL goes on reading as long as only such messages arrive. OpenSSL limits
how many empty records and alerts may follow each other, but not the number of key updates.

`wsecho/tls/native/message_limit.pyx` is the same class for use with the compiled codec.
"""

import ctypes
import ssl
import time
from typing import Any

from aiofastnet.openssl_compat import OPENSSL_DYN_LIBS

# The event of SSL_CTX_set_info_callback for a complete handshake (SSL_CB_HANDSHAKE_DONE).
HANDSHAKE_DONE = 0x20
# SSL_SENT_SHUTDOWN and SSL_RECEIVED_SHUTDOWN: the connection is closed, and OpenSSL reads nothing more.
SHUT_DOWN = 3
_EX_DATA_OF_CONNECTIONS = 0  # CRYPTO_EX_INDEX_SSL
# State changes of OpenSSL, each reported to the callback, that one connection may cause in a minute. One message causes
# four to seven. Ordinary clients update their keys only after gigabytes of data.
MAX_STEPS = 256
MINUTE = 60

Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)


class MessageLimit:
    """Ends connections that send too many such messages.

    OpenSSL stores one integer with each connection: the current minute and the steps in it. Nothing must be freed.
    When a connection exceeds the limit, the callback sets `has_ended` and lets OpenSSL shut the connection down in the
    middle of a read. The read then fails, and `Tls` logs the reason and resets `has_ended`.
    """

    def __init__(self) -> None:
        """Raises AttributeError if Python uses a TLS library that lacks these functions of OpenSSL."""
        assert OPENSSL_DYN_LIBS is not None
        self.has_ended = False
        self._library = ctypes.CDLL(OPENSSL_DYN_LIBS.libssl)
        self._library.SSL_get_ex_data.restype = ctypes.c_void_p
        self._library.SSL_get_ex_data.argtypes = (ctypes.c_void_p, ctypes.c_int)
        self._library.SSL_set_ex_data.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._library.SSL_set_shutdown.argtypes = (ctypes.c_void_p, ctypes.c_int)
        self._library.SSL_CTX_set_info_callback.argtypes = (ctypes.c_void_p, Callback)
        self._index = _new_index()
        self._callback = self._new_callback()

    def watch(self, context: ssl.SSLContext) -> None:
        """Apply the limit to all connections of a context. This object must exist as long as the context."""
        self._library.SSL_CTX_set_info_callback(_address(context), self._callback)

    def _new_callback(self) -> Any:
        return Callback(self._step)

    def _step(self, connection: int, where: int, _: int) -> None:
        stored = self._library.SSL_get_ex_data(connection, self._index) or 0
        if not stored and where != HANDSHAKE_DONE:
            return
        minute, steps = divmod(stored, 1 << 16)
        now = int(time.monotonic()) // MINUTE
        steps = steps + 1 if minute == now else 1
        if steps > MAX_STEPS:
            self.has_ended = True
            self._library.SSL_set_shutdown(connection, SHUT_DOWN)
        else:
            self._library.SSL_set_ex_data(connection, self._index, now << 16 | steps)


def _address(context: ssl.SSLContext) -> int | None:
    # CPython stores the pointer to OpenSSL's context (SSL_CTX) right behind the object header. aiofastnet relies on
    # this as well.
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value


def _new_index() -> int:
    assert OPENSSL_DYN_LIBS is not None
    make = ctypes.CDLL(OPENSSL_DYN_LIBS.libcrypto).CRYPTO_get_ex_new_index
    make.argtypes = (ctypes.c_int, ctypes.c_long, *[ctypes.c_void_p] * 4)
    index: int = make(_EX_DATA_OF_CONNECTIONS, 0, None, None, None, None)
    return index
