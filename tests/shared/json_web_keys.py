"""Keys that sign tokens in tests, and the files with which a server verifies the tokens."""

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
    """Return the private key of this name, always the same. The first letters of the name tell the kind of key."""
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
    """Return an entry of a key set. Its `kid` is the name of the key."""
    kind = {"rsa": "RS256", "ec2": "ES256", "ec3": "ES384"}.get(name[:3], "EdDSA")
    entry = jwt.get_algorithm_by_name(kind).to_jwk(private_key(name).public_key(), as_dict=True)
    return {"kid": name, **entry, **more}


def key_set(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"keys": entries}).encode()


def signed(key: str = "rsa", algorithm: str = "RS256", *, kid: str | None = None, **claims: Any) -> str:
    """Return a token that is valid for ten minutes, unless `claims` say otherwise.

    None leaves a claim out. A timedelta is added to the time at which the token is signed, so that parameters of tests
    can contain one.
    """
    payload = {"exp": timedelta(minutes=10)} | claims
    payload = {name: _absolute(value) for name, value in payload.items() if value is not None}
    signing: Any = SECRET if algorithm.startswith("HS") else private_key(key)
    return jwt.encode(payload, signing, algorithm, headers={"kid": kid} if kid else None)


def _absolute(value: Any) -> Any:
    return int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value
