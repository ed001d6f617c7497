"""The access policy: which clients may open a WebSocket, and which may read the protected pages.

This module does not know what a valid credential looks like. It asks a `Verifier` for each authentication scheme.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from wsecho.access.origins import Origins
from wsecho.http import credentials
from wsecho.http.credentials import BASIC, BEARER, Credential, digest
from wsecho.http.request import Request
from wsecho.http.response import Headers, Response, plain

_REALM = 'realm="wsecho"'
_NO_CREDENTIALS = "credentials are needed here"
_WRONG_CREDENTIALS = "these credentials are not accepted"


class Verdict(NamedTuple):
    """A verifier's decision about a credential.

    `pending`: the verifier cannot decide yet, because a key is being fetched. `reason` is sent to the client and says
    why the credential is not accepted; it must not help to guess an accepted one.
    """

    accepted: bool = False
    pending: bool = False
    reason: str = _WRONG_CREDENTIALS


ACCEPTED = Verdict(accepted=True)
REFUSED = Verdict()
PENDING = Verdict(pending=True)


class Verifier(Protocol):
    """Checks credentials of one scheme."""

    def verify(self, value: bytes) -> Verdict:
        """Check a credential that a client sent. Never raises."""


class Secrets:
    """Secrets, of which only the digests are kept.

    The time that `verify` takes depends on the length of the credential and on the number of secrets. The client may
    know both. The time does not depend on how much of the credential is correct, nor on which secret it equals.
    """

    def __init__(self, digests: Iterable[bytes]) -> None:
        self.digests = tuple(digests)

    def verify(self, value: bytes) -> Verdict:
        """Compare with every secret, even after one has matched."""
        import hmac  # imported only when needed, because this import is slow

        given = digest(value)
        found = False
        for known in self.digests:
            found |= hmac.compare_digest(known, given)
        return ACCEPTED if found else REFUSED


class Refusal(NamedTuple):
    """The response to a request that is refused. `label` is the reason in the metrics of handshakes."""

    status: int
    line: str
    label: str
    headers: Headers = ()

    def handshake_response(self) -> Response:
        """Return the response to a handshake; the connection ends after it."""
        return plain(self.status, self.line, self.headers, close=True, refusal=self.label)

    def page_response(self) -> Response:
        """Return the response that is sent instead of a page."""
        return plain(self.status, self.line, self.headers)


class Authentication:
    """Requires credentials, which the verifiers of their authentication scheme check."""

    def __init__(self, verifiers: Mapping[str, Sequence[Verifier]]) -> None:
        self._verifiers = verifiers

    def check(self, request: Request) -> Refusal | None:
        """Return the refusal of a request whose credentials are not accepted; None if they are."""
        offered = credentials.offered(request)
        if not offered:
            return self._unauthorized(_NO_CREDENTIALS)
        if len(offered) > 1:
            # RFC 6750 sections 2 and 3.1. A proxy that checked only one of them may have checked another one.
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
            # RFC 6750 section 3.1: no error code if the request has no credentials.
            error = f', error="invalid_token", error_description="{line}"' if invalid else ""
            challenges.append(("WWW-Authenticate", f"Bearer {_REALM}{error}"))
        if BASIC in self._verifiers:
            challenges.append(("WWW-Authenticate", f'Basic {_REALM}, charset="UTF-8"'))
        return Refusal(401, line, "credentials", tuple(challenges))


class AccessPolicy(NamedTuple):
    """The authentication that each part of the server requires; None: no credentials are needed.

    `clients` is for WebSockets and for the request info on the public port, `metrics` for the metrics on the public
    port, `admin` for the metrics and the request info on the admin port.
    """

    origins: Origins
    clients: Authentication | None = None
    metrics: Authentication | None = None
    admin: Authentication | None = None

    def refuse_handshake(self, request: Request) -> Response | None:
        """Return the response to a handshake that is refused; None if it is accepted.

        The origin is checked first: a page of a refused origin does not learn whether its credentials are accepted.
        """
        if not self.origins.include_all and (line := self.origins.refusal(request)):
            return Refusal(403, line, "origin").handshake_response()
        refusal = self.clients and self.clients.check(request)
        return refusal.handshake_response() if refusal else None


OPEN = AccessPolicy(Origins((), needs_credentials=False))
