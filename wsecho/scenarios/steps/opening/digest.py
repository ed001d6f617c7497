"""Digest access authentication (RFC 7616): challenges, and the answers to them."""

import hashlib
import re
from dataclasses import dataclass

from wsecho.http.request import Request

REALM = "wsecho"
# The hash functions by the names that a challenge has for them.
ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256"}
# One parameter of an Authorization field (RFC 9110 section 11.4). No part can match the same text in two ways, so
# matching is linear.
_PARAMETER = re.compile(
    r'[ \t]*([A-Za-z0-9*_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",\\]+))[ \t]*(?:,|$)', re.ASCII
)
_NEEDED = ("username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce")
# A nonce begins with so many characters that are drawn, and ends with as many that prove where it comes from.
_HALF = 16


@dataclass(frozen=True, slots=True)
class Account:
    """Who may come. A nonce is valid for one `place`: a connection, or anywhere if that is empty."""

    user: str
    password: str
    algorithm: str
    place: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with an answer to a challenge, in one line that is empty if it is correct.

    It `is_stale` if only its nonce is wrong.
    """

    fault: str = ""
    is_stale: bool = False


def challenge(account: Account, drawn: str, *, is_stale: bool) -> str:
    """Return the WWW-Authenticate value. `drawn` are 16 characters by chance."""
    stale = ", stale=true" if is_stale else ""
    return (
        f'Digest realm="{REALM}", qop="auth", algorithm={account.algorithm}, nonce="{_nonce(account, drawn)}"'
        f', charset="UTF-8"{stale}'
    )


def _nonce(account: Account, drawn: str) -> str:
    """Return a nonce that any worker recognises without having kept it."""
    proof = hashlib.sha256(f"{drawn}:{account.user}:{account.password}:{account.place}".encode()).hexdigest()
    return drawn + proof[:_HALF]


def check(request: Request, account: Account) -> Verdict:
    """Return what is wrong with the answer in a request."""
    values = [value[7:] for value in request.values("authorization") if value[:7].lower() == "digest "]
    if len(values) != 1:
        return Verdict("the handshake has no Digest credentials" if not values else "Authorization is given twice")
    parameters = _parameters(values[0])
    if parameters is None:
        return Verdict("the parameters of Authorization cannot be read")
    if missing := [name for name in _NEEDED if name not in parameters]:
        return Verdict(f"Authorization lacks {', '.join(missing)}")
    expected = {
        **{"username": account.user, "realm": REALM, "qop": "auth", "uri": request.target},
        "algorithm": account.algorithm,
    }
    parameters.setdefault("algorithm", "MD5")
    for name, value in expected.items():
        if parameters[name] != value:
            return Verdict(f"the {name} in Authorization is not '{value}'")
    if parameters["response"].lower() != response(account, parameters, request.method):
        return Verdict("the response in Authorization is not the digest of these parameters and the password")
    nonce = parameters["nonce"]
    if nonce != _nonce(account, nonce[:_HALF]):
        where = "sent on this connection" if account.place else "sent by this scenario"
        return Verdict(f"the nonce in Authorization is none that was {where}", is_stale=True)
    return Verdict()


def response(account: Account, parameters: dict[str, str], method: str) -> str:
    """Return the response to a challenge (RFC 7616 section 3.4.1)."""
    name = ALGORITHMS[account.algorithm]

    def digest(*parts: str) -> str:
        return hashlib.new(name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

    secret = digest(account.user, REALM, account.password)
    call = digest(method, parameters["uri"])
    middle = (parameters[part] for part in ("nonce", "nc", "cnonce", "qop"))
    return digest(secret, *middle, call)


def _parameters(text: str) -> dict[str, str] | None:
    """Return the parameters by their names in lower case; None if they are malformed, or one is given twice."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if not match or match[1].lower() in found:
            return None
        found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2]) if match[3] is None else match[3]
        position = match.end()
    return found
