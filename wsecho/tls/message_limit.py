"""Messages of TLS that are no data, after the handshake: new keys (RFC 8446 section 4.6.3), renegotiation, alerts.

Each costs more than an echo, and no protocol above TLS ever hears of them. OpenSSL reads on by itself as long as there
are only such. It limits records without content and alerts in a row; new keys it makes for ever.
"""

import ctypes
import ssl
import time

from aiofastnet.openssl_compat import OPENSSL_DYN_LIBS

# The event of SSL_CTX_set_info_callback that says that a handshake is done.
_HANDSHAKE_DONE = 0x20
# SSL_SENT_SHUTDOWN and SSL_RECEIVED_SHUTDOWN: the connection is over, nothing more is read.
_OVER = 3
_EX_DATA_OF_CONNECTIONS = 0  # CRYPTO_EX_INDEX_SSL
# Steps that OpenSSL may take in a minute: four to seven for a message. Clients change their keys after gigabytes.
_MOST_STEPS = 256
_MINUTE = 60

_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)


class MessageLimit:
    """Ends connections that send such messages again and again.

    What OpenSSL keeps with each connection is the minute, and the steps of that minute: nothing to be given back.
    `has_ended` is set when one is told to end, in the middle of a read, which then fails: for who hears of that.
    """

    def __init__(self) -> None:
        """Raises AttributeError where the library that Python has in OpenSSL's place does not offer this."""
        assert OPENSSL_DYN_LIBS is not None
        self.has_ended = False
        self._library = ctypes.CDLL(OPENSSL_DYN_LIBS.libssl)
        self._library.SSL_get_ex_data.restype = ctypes.c_void_p
        self._library.SSL_get_ex_data.argtypes = (ctypes.c_void_p, ctypes.c_int)
        self._library.SSL_set_ex_data.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._library.SSL_set_shutdown.argtypes = (ctypes.c_void_p, ctypes.c_int)
        self._library.SSL_CTX_set_info_callback.argtypes = (ctypes.c_void_p, _Callback)
        self._index = _new_index()
        self._callback = _Callback(self._step)

    def watch(self, context: ssl.SSLContext) -> None:
        """Watch the connections of a context, which must not outlive us."""
        self._library.SSL_CTX_set_info_callback(_address(context), self._callback)

    def _step(self, connection: int, where: int, _: int) -> None:
        counted = self._library.SSL_get_ex_data(connection, self._index) or 0
        if not counted and where != _HANDSHAKE_DONE:
            return
        minute, steps = divmod(counted, 1 << 16)
        now = int(time.monotonic()) // _MINUTE
        steps = steps + 1 if minute == now else 1
        if steps > _MOST_STEPS:
            self.has_ended = True
            self._library.SSL_set_shutdown(connection, _OVER)
        else:
            self._library.SSL_set_ex_data(connection, self._index, now << 16 | steps)


def _address(context: ssl.SSLContext) -> int | None:
    # Python keeps OpenSSL's own context behind the head of the object, where aiofastnet looks for it as well.
    return ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value


def _new_index() -> int:
    assert OPENSSL_DYN_LIBS is not None
    make = ctypes.CDLL(OPENSSL_DYN_LIBS.libcrypto).CRYPTO_get_ex_new_index
    make.argtypes = (ctypes.c_int, ctypes.c_long, *[ctypes.c_void_p] * 4)
    index: int = make(_EX_DATA_OF_CONNECTIONS, 0, None, None, None, None)
    return index
