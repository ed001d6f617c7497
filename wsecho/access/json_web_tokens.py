"""JSON Web Tokens as bearer tokens (RFC 7519, RFC 8725): which keys verify them, and what they must say."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from wsecho.access.policy import ACCEPTED, PENDING, REFUSED, Verdict
from wsecho.options.values import SHARED_SECRET_ALGORITHMS

# Longer ones are not looked into.
MAX_TOKEN = 8 * 1024
# A key set has a few; whoever sends thousands makes us try them.
_MAX_KEYS = 100

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
# RFC 7518 section 3.4: one curve each.
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM_BEGINS = b"-----BEGIN "
_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token is of another issuer",
}


@dataclass(frozen=True, slots=True)
class Key:
    """What verifies signatures, and by which algorithms: never by those that a token names. `name` is its `kid`."""

    material: Any
    algorithms: frozenset[str]
    name: str | None = None


class Keys(Protocol):
    """Where keys come from."""

    def named(self, name: str | None, algorithm: str) -> list[Key]:
        """Return the keys that may have signed a token whose header says so."""

    def may_come(self) -> bool:
        """Tell whether one that is not known may be known in a moment."""


class FixedKeys:
    """The keys of one file, which have no names."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = keys

    def named(self, name: str | None, algorithm: str) -> list[Key]:
        """Return all that fit."""
        return [key for key in self._keys if algorithm in key.algorithms]

    def may_come(self) -> bool:
        """There is nothing but the file."""
        return False


class KeySet:
    """A JSON Web Key Set (RFC 7517)."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = keys

    def named(self, name: str | None, algorithm: str) -> list[Key]:
        """Return the keys of that name; without a name the only one that fits."""
        fitting = [key for key in self._keys if algorithm in key.algorithms and name in (None, key.name)]
        return fitting if name is not None or len(fitting) == 1 else []

    def may_come(self) -> bool:
        """There is nothing but the set."""
        return False


class JsonWebTokens:
    """Accepts tokens that were signed with a known key, have not expired, and are meant for us."""

    def __init__(
        self, keys: Keys, algorithms: Iterable[str], audience: Sequence[str], issuer: Sequence[str], leeway: float
    ) -> None:
        self.keys = keys
        self._algorithms = frozenset(algorithms)
        self._audience = list(audience) or None
        self._issuer = list(issuer) or None
        self._leeway = leeway

    def verify(self, value: bytes) -> Verdict:
        """Judge a token. A reason is given only to whoever has one that was signed with a known key."""
        if len(value) > MAX_TOKEN:
            return REFUSED
        try:
            header = jwt.get_unverified_header(value)
        except (jwt.PyJWTError, ValueError):
            return REFUSED
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            return REFUSED
        keys = self.keys.named(header.get("kid"), algorithm)
        if not keys:
            return PENDING if self.keys.may_come() else REFUSED
        return self._verify(value, keys)

    def _verify(self, value: bytes, keys: list[Key]) -> Verdict:
        for key in keys:
            try:
                self._decode(value, key)
            except tuple(_REASONS) as error:
                return Verdict(reason=_REASONS[type(error)])
            except jwt.MissingRequiredClaimError as error:
                return Verdict(reason=f"the token lacks the claim {error.claim}")
            except Exception:
                # Whatever is wrong with it, it is no way in.
                continue
            return ACCEPTED
        return REFUSED

    def _decode(self, value: bytes, key: Key) -> None:
        jwt.decode(
            value,
            key.material,
            algorithms=list(key.algorithms),
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"require": ["exp"], "enforce_minimum_key_length": True},
        )


def parse_key_file(data: bytes, allowed: Iterable[str]) -> FixedKeys:
    """Return the keys of a file: public keys and certificates in PEM, or one secret.

    Which of the two it must be, the `allowed` algorithms say: bytes of a public key never become a secret. Raises
    ValueError with a line for the user.
    """
    allowed = frozenset(allowed)
    is_pem = _PEM_BEGINS in data
    if allowed <= SHARED_SECRET_ALGORITHMS:
        if is_pem:
            raise ValueError("it holds a key in PEM format, but the algorithms want a secret")
        return FixedKeys([_secret(data.strip(b"\r\n"), allowed)])
    if not is_pem:
        raise ValueError("it holds no public key in PEM format, and --jwt-algorithms names none for a secret")
    keys = [_public_key(block, allowed) for block in _pem_blocks(data)]
    return FixedKeys(keys)


def parse_key_set(data: bytes, allowed: Iterable[str]) -> KeySet:
    """Return the public keys of a JSON Web Key Set: others read it, so a secret or private key in it proves nothing.

    Raises ValueError with a line for the user when there is none.
    """
    try:
        entries = json.loads(data)["keys"][:_MAX_KEYS]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ValueError("it is not a JSON Web Key Set") from None
    keys = [key for entry in entries if isinstance(entry, dict) and (key := _set_key(entry, frozenset(allowed)))]
    if not keys:
        raise ValueError("no key in it can be used")
    return KeySet(keys)


def _secret(secret: bytes, allowed: frozenset[str]) -> Key:
    # RFC 7518 section 3.2: at least as long as the digest.
    least = max(int(algorithm.removeprefix("HS")) // 8 for algorithm in allowed)
    if len(secret) < least:
        raise ValueError(f"the secret has {len(secret)} bytes, but {', '.join(sorted(allowed))} wants at least {least}")
    return Key(secret, allowed)


def _pem_blocks(data: bytes) -> list[bytes]:
    return [_PEM_BEGINS + block for block in data.split(_PEM_BEGINS)[1:]]


def _public_key(block: bytes, allowed: frozenset[str]) -> Key:
    try:
        if block.startswith(b"-----BEGIN CERTIFICATE"):
            material: Any = load_pem_x509_certificate(block).public_key()
        else:
            material = load_pem_public_key(block)
    except ValueError:
        raise ValueError("it holds something else than public keys and certificates in PEM format") from None
    algorithms = _algorithms_of(material) & allowed
    if not algorithms:
        raise ValueError("it holds a key that is none for the algorithms, or too short")
    return Key(material, algorithms)


def _set_key(entry: dict[str, Any], allowed: frozenset[str]) -> Key | None:
    """Return what can be used of an entry: a public key, for signatures."""
    if entry.get("use", "sig") != "sig":
        return None
    try:
        material = jwt.PyJWK.from_dict(entry).key
    except Exception:
        # Whatever is wrong with it, the other keys are still good.
        return None
    algorithms = _algorithms_of(material) & allowed
    if "alg" in entry:
        algorithms &= {entry["alg"]}
    name = entry.get("kid")
    return Key(material, algorithms, name if isinstance(name, str) else None) if algorithms else None


def _algorithms_of(material: Any) -> frozenset[str]:
    """Return what a public key can verify; nothing for what is none, or too short (RFC 7518 section 3.3)."""
    if isinstance(material, RSAPublicKey):
        return _RSA if material.key_size >= 2048 else frozenset()
    if isinstance(material, EllipticCurvePublicKey):
        return frozenset({_CURVES[material.curve.name]}) if material.curve.name in _CURVES else frozenset()
    return frozenset({"EdDSA"}) if isinstance(material, (Ed25519PublicKey, Ed448PublicKey)) else frozenset()
