"""Keys that sign tokens in tests, and the files that a server verifies them by."""

import json
import time
from datetime import timedelta
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SECRET = "a secret of more than thirty-two bytes"


@cache
def private_key(name: str) -> Any:
    """Return the same key each time the same name is asked for; its first letters say of which kind it is."""
    if name.startswith("rsa"):
        return rsa.generate_private_key(65537, 1024 if "short" in name else 2048)
    if name.startswith("ec"):
        return ec.generate_private_key(ec.SECP384R1() if "384" in name else ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def public_pem(name: str) -> bytes:
    pem: bytes = private_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def private_pem(name: str) -> bytes:
    pem: bytes = private_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def public_jwk(name: str, **more: Any) -> dict[str, Any]:
    """Return an entry of a key set; the key's name is its `kid`."""
    kind = {"rsa": "RS256", "ec2": "ES256", "ec3": "ES384"}.get(name[:3], "EdDSA")
    entry = jwt.get_algorithm_by_name(kind).to_jwk(private_key(name).public_key(), as_dict=True)
    return {"kid": name, **entry, **more}


def key_set(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"keys": entries}).encode()


def signed(key: str = "rsa", algorithm: str = "RS256", *, kid: str | None = None, **claims: Any) -> str:
    """Return a token that is good for ten minutes, but for what `claims` say.

    None leaves a claim out; a timedelta is counted from now, so that it can be written down long before.
    """
    payload = {"exp": timedelta(minutes=10)} | claims
    payload = {name: _absolute(value) for name, value in payload.items() if value is not None}
    signing: Any = SECRET if algorithm.startswith("HS") else private_key(key)
    return jwt.encode(payload, signing, algorithm, headers={"kid": kid} if kid else None)


def _absolute(value: Any) -> Any:
    return int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value
