"""JSON Web Tokens as bearer tokens (RFC 7519, RFC 8725): the keys that verify them, and the claims that they need."""

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

# Bytes of a token; longer ones are refused without being parsed.
MAX_TOKEN = 8 * 1024
# Keys of a key set that are used. A set usually has a few; the server would have to try each of thousands.
_MAX_KEYS = 100

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
# RFC 7518 section 3.4: each algorithm uses one curve.
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM_START = b"-----BEGIN "
_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token is of another issuer",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that verifies signatures. `name` is its `kid`.

    `algorithms` are decided when the key is loaded. A token cannot choose others (RFC 8725 section 3.1).
    """

    material: Any
    algorithms: frozenset[str]
    name: str | None = None


class Keys(Protocol):
    """A source of keys."""

    def find(self, name: str | None, algorithm: str) -> list[Key]:
        """Return the keys that may have signed a token with this `kid` and `alg` in its header."""

    def start_refresh(self) -> bool:
        """Start to fetch newer keys, if the source can do that; return whether a fetch is under way."""


class FixedKeys:
    """The keys of one file. They have no names."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = keys

    def find(self, name: str | None, algorithm: str) -> list[Key]:
        """Return all keys for this algorithm, whatever the name."""
        return [key for key in self._keys if algorithm in key.algorithms]

    def start_refresh(self) -> bool:
        """Return False: a file is read again only on SIGHUP."""
        return False


class KeySet:
    """A JSON Web Key Set (RFC 7517)."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = keys

    def find(self, name: str | None, algorithm: str) -> list[Key]:
        """Return the keys of this name and algorithm; without a name, the key if exactly one has the algorithm."""
        fitting = [key for key in self._keys if algorithm in key.algorithms and name in (None, key.name)]
        return fitting if name is not None or len(fitting) == 1 else []

    def start_refresh(self) -> bool:
        """Return False: `RemoteKeys` does this for a set at a URL."""
        return False


class JsonWebTokens:
    """Accepts tokens that a known key signed, that have not expired, and whose audience and issuer are accepted."""

    def __init__(
        self, keys: Keys, algorithms: Iterable[str], audience: Sequence[str], issuer: Sequence[str], leeway: float
    ) -> None:
        self.keys = keys
        self._algorithms = frozenset(algorithms)
        self._audience = list(audience) or None
        self._issuer = list(issuer) or None
        self._leeway = leeway

    def verify(self, value: bytes) -> Verdict:
        """Check a token. Only for a token that a known key signed does the verdict contain a specific reason."""
        if len(value) > MAX_TOKEN:
            return REFUSED
        try:
            header = jwt.get_unverified_header(value)
        except (jwt.PyJWTError, ValueError):
            return REFUSED
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            return REFUSED
        keys = self.keys.find(header.get("kid"), algorithm)
        if not keys:
            return PENDING if self.keys.start_refresh() else REFUSED
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
                # Any other error means that this key does not verify the token.
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
    """Return the keys of a file: public keys and certificates in PEM, or one shared secret.

    The `allowed` algorithms decide which of the two the file must contain, so a public key is never used as a secret.
    Raises ValueError; its text is for the user.
    """
    allowed = frozenset(allowed)
    is_pem = _PEM_START in data
    if allowed <= SHARED_SECRET_ALGORITHMS:
        if is_pem:
            raise ValueError("it contains a key in PEM format, but --jwt-algorithms needs a shared secret")
        return FixedKeys([_secret(data.strip(b"\r\n"), allowed)])
    if not is_pem:
        raise ValueError(
            "it contains no public key in PEM format; a shared secret needs HS256, HS384 or HS512 in --jwt-algorithms"
        )
    keys = [_public_key(block, allowed) for block in _pem_blocks(data)]
    return FixedKeys(keys)


def parse_key_set(data: bytes, allowed: Iterable[str]) -> KeySet:
    """Return the public keys of a JSON Web Key Set.

    Others can read the set, so a secret or a private key in it proves nothing and is left out. Raises ValueError if
    there is no usable key; its text is for the user.
    """
    try:
        entries = json.loads(data)["keys"][:_MAX_KEYS]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ValueError("it is not a JSON Web Key Set") from None
    keys = [key for entry in entries if isinstance(entry, dict) and (key := _set_key(entry, frozenset(allowed)))]
    if not keys:
        raise ValueError("it contains no usable public key")
    return KeySet(keys)


def _secret(secret: bytes, allowed: frozenset[str]) -> Key:
    # RFC 7518 section 3.2: at least as long as the digest.
    least = max(int(algorithm.removeprefix("HS")) // 8 for algorithm in allowed)
    if len(secret) < least:
        raise ValueError(f"the secret has {len(secret)} bytes, but {', '.join(sorted(allowed))} needs at least {least}")
    return Key(secret, allowed)


def _pem_blocks(data: bytes) -> list[bytes]:
    return [_PEM_START + block for block in data.split(_PEM_START)[1:]]


def _public_key(block: bytes, allowed: frozenset[str]) -> Key:
    try:
        if block.startswith(b"-----BEGIN CERTIFICATE"):
            material: Any = load_pem_x509_certificate(block).public_key()
        else:
            material = load_pem_public_key(block)
    except ValueError:
        raise ValueError("it contains something other than public keys and certificates in PEM format") from None
    algorithms = _algorithms_of(material) & allowed
    if not algorithms:
        raise ValueError("it contains a key that is too short or that fits none of --jwt-algorithms")
    return Key(material, algorithms)


def _set_key(entry: dict[str, Any], allowed: frozenset[str]) -> Key | None:
    """Return the key of an entry, None unless it is a public key for signatures."""
    if entry.get("use", "sig") != "sig":
        return None
    try:
        material = jwt.PyJWK.from_dict(entry).key
    except Exception:
        # A defect of any kind in one entry must not affect the other keys.
        return None
    algorithms = _algorithms_of(material) & allowed
    if "alg" in entry:
        algorithms &= {entry["alg"]}
    name = entry.get("kid")
    return Key(material, algorithms, name if isinstance(name, str) else None) if algorithms else None


def _algorithms_of(material: Any) -> frozenset[str]:
    """Return the algorithms that a public key can verify.

    None for other kinds of keys, and for RSA keys of less than 2048 bits (RFC 7518 section 3.3).
    """
    if isinstance(material, RSAPublicKey):
        return _RSA if material.key_size >= 2048 else frozenset()
    if isinstance(material, EllipticCurvePublicKey):
        return frozenset({_CURVES[material.curve.name]}) if material.curve.name in _CURVES else frozenset()
    return frozenset({"EdDSA"}) if isinstance(material, (Ed25519PublicKey, Ed448PublicKey)) else frozenset()
