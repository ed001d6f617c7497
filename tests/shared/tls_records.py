"""A TLS 1.3 client that performs the handshake with OpenSSL and then writes any records (RFC 8446 section 5)."""

import ssl
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.shared.raw import RawConnection

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE_MESSAGE, DATA = 20, 21, 22, 23
# Section 6.1: a warning, and its description.
CLOSE_NOTIFY = bytes((1, 0))
# Section 4.6.3: whether the peer must change its keys in return.
KEY_UPDATE = bytes.fromhex("18 00 00 01 00")
KEY_UPDATE_REQUESTED = bytes.fromhex("18 00 00 01 01")


class RecordWriter(RawConnection):
    """`record` makes a record, `send` sends it. What the server sends is not decrypted."""

    def __init__(self, port: int, context: ssl.SSLContext, folder: Path) -> None:
        super().__init__(port)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.keylog_filename = str(folder / "secrets")
        from_server, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(from_server, to_server, server_hostname="localhost")
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.send(to_server.read())
                from_server.write(self.socket.recv(1 << 16))
        self.send(to_server.read())
        assert client.cipher()[0] == "TLS_AES_256_GCM_SHA384"  # type: ignore[index]
        lines = Path(context.keylog_filename).read_text().splitlines()
        secrets = [line.split()[2] for line in lines if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")]
        self._use(bytes.fromhex(secrets[-1]))

    def __enter__(self) -> Self:
        return self

    def _use(self, secret: bytes) -> None:
        self._secret = secret
        self._key = AESGCM(_expand(secret, "key", 32))
        self._iv = int.from_bytes(_expand(secret, "iv", 12), "big")
        self._number = 0

    def record(self, kind: int, content: bytes, padding: int = 0) -> bytes:
        """Return the next record, encrypted."""
        inner = content + bytes([kind]) + bytes(padding)
        header = bytes((DATA, 3, 3)) + (len(inner) + 16).to_bytes(2, "big")
        nonce = (self._iv ^ self._number).to_bytes(12, "big")
        self._number += 1
        return header + self._key.encrypt(nonce, inner, header)

    def key_update(self, message: bytes, pieces: int = 1) -> bytes:
        """Return the records of a message after which the client uses new keys."""
        size = -(-len(message) // pieces)
        records = [self.record(HANDSHAKE_MESSAGE, message[at : at + size]) for at in range(0, len(message), size)]
        self._use(_expand(self._secret, "traffic upd", 48))
        return b"".join(records)


def _expand(secret: bytes, label: str, size: int) -> bytes:
    name = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return HKDFExpand(hashes.SHA384(), size, info).derive(secret)
