"""The gate: who may open a WebSocket, and who may read the pages that are not for everybody.

Nothing here knows what kind of proof a credential is; it asks those who do.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wsecho.access.origins import Origins
from wsecho.http import credentials
from wsecho.http.credentials import BASIC, BEARER, Credential, digest
from wsecho.http.request import Request
from wsecho.http.response import Headers, Response, plain

_REALM = 'realm="wsecho"'
_NO_CREDENTIALS = "credentials are needed here"
_WRONG_CREDENTIALS = "these credentials are not accepted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier thinks of a credential.

    `pending`: whether it is good will be known in a moment. `reason` tells whoever sent it why it is not; it must not
    help to guess one that is.
    """

    accepted: bool = False
    pending: bool = False
    reason: str = _WRONG_CREDENTIALS


ACCEPTED = Verdict(accepted=True)
REFUSED = Verdict()
PENDING = Verdict(pending=True)


class Verifier(Protocol):
    """Knows good credentials of one scheme."""

    def verify(self, value: bytes) -> Verdict:
        """Judge what a peer has sent. Never raises."""


class Secrets:
    """Secrets that are known by their digests.

    The time that `verify` takes depends on the length of what was sent and on the number of secrets, both of which the
    sender may know; not on how much of it is right, nor on which secret it is.
    """

    def __init__(self, digests: Iterable[bytes]) -> None:
        self.digests = tuple(digests)

    def verify(self, value: bytes) -> Verdict:
        """Compare with every secret, also after one fits."""
        given = digest(value)
        found = False
        for known in self.digests:
            found |= hmac.compare_digest(known, given)
        return ACCEPTED if found else REFUSED


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that must not go on. `label` is its reason in the metrics of handshakes."""

    status: int
    line: str
    label: str
    headers: Headers = ()

    def of_handshake(self) -> Response:
        """Return it as the end of a handshake, and of the connection."""
        return plain(self.status, self.line, self.headers, close=True, refusal=self.label)

    def of_page(self) -> Response:
        """Return it in place of a page."""
        return plain(self.status, self.line, self.headers)


class Authentication:
    """One set of credentials that are accepted: for each scheme, who is asked about them."""

    def __init__(self, verifiers: Mapping[str, Sequence[Verifier]]) -> None:
        self._verifiers = verifiers

    def check(self, request: Request) -> Refusal | None:
        """Return what is wrong with a request's credentials."""
        offered = credentials.offered(request)
        if not offered:
            return self._unauthorized(_NO_CREDENTIALS)
        if len(offered) > 1:
            # RFC 6750 sections 2 and 3.1. Whoever checked only one of them in front of us may have checked another one.
            return Refusal(400, "more than one kind of credentials was sent", "credentials")
        verdict = self._verify(offered[0])
        if verdict.accepted:
            return None
        if verdict.pending:
            return Refusal(503, "the token's key is being looked up: try again", "keys", (("Retry-After", "1"),))
        return self._unauthorized(verdict.reason, invalid=True)

    def _verify(self, credential: Credential) -> Verdict:
        verdict = REFUSED
        for verifier in self._verifiers.get(credential.scheme, ()):
            verdict = verifier.verify(credential.value)
            if verdict.accepted:
                break
        return verdict

    def _unauthorized(self, line: str, *, invalid: bool = False) -> Refusal:
        challenges = []
        if BEARER in self._verifiers:
            # RFC 6750 section 3.1: no error where no credentials were sent.
            error = f', error="invalid_token", error_description="{line}"' if invalid else ""
            challenges.append(("WWW-Authenticate", f"Bearer {_REALM}{error}"))
        if BASIC in self._verifiers:
            challenges.append(("WWW-Authenticate", f'Basic {_REALM}, charset="UTF-8"'))
        return Refusal(401, line, "credentials", tuple(challenges))


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What each door asks for; None is an open one.

    `clients` is for WebSockets and for what is not said to be otherwise, `metrics` for the metrics on the public port,
    `admin` for the admin port.
    """

    origins: Origins
    clients: Authentication | None = None
    metrics: Authentication | None = None
    admin: Authentication | None = None

    def refuse_handshake(self, request: Request) -> Response | None:
        """Return the answer to a handshake that must not go on. A page of a wrong origin learns no more than that."""
        if line := self.origins.refusal(request):
            return Refusal(403, line, "origin").of_handshake()
        refusal = self.clients and self.clients.check(request)
        return refusal.of_handshake() if refusal else None


OPEN = AccessPolicy(Origins((), guarded=False))
