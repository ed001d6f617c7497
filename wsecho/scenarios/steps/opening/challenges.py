"""Group B: the handshake needs credentials, which a client may send after a challenge."""

from wsecho.http.credentials import BASIC, BEARER, Credential, offered
from wsecho.scenarios.language.arguments import Choice, Text
from wsecho.scenarios.language.word import Argument, Row, Word
from wsecho.scenarios.steps.opening import digest
from wsecho.scenarios.steps.opening.refusals import NOT_STORED, respond
from wsecho.scenarios.steps.peer import Opening

# RFC 7617 section 2.1: user and password are UTF-8.
_BASIC_CHALLENGE = f'Basic realm="{digest.REALM}", charset="UTF-8"'
_BEARER_CHALLENGE = f'Bearer realm="{digest.REALM}"'


async def basic(opening: Opening, user: str, password: str) -> None:
    """Accept the handshake with these Basic credentials only (RFC 7617)."""
    await _require(opening, Credential(BASIC, f"{user}:{password}".encode()), _BASIC_CHALLENGE)


async def bearer(opening: Opening, token: str) -> None:
    """Accept the handshake with this token only (RFC 6750)."""
    await _require(opening, Credential(BEARER, token.encode()), _BEARER_CHALLENGE)


async def _require(opening: Opening, credential: Credential, challenge: str) -> None:
    credentials = offered(opening.request)
    if credential in credentials:
        return
    has_others = any(other.scheme == credential.scheme for other in credentials)
    fault = "the credentials are not those in the URL" if has_others else "the handshake has no such credentials"
    # RFC 6750 section 3.1: only a token that was sent can be an invalid one.
    error = ', error="invalid_token"' if has_others and credential.scheme == BEARER else ""
    await _challenge(opening, challenge + error, fault)


async def digest_access(opening: Opening, user: str, password: str) -> None:
    """Accept the handshake with these Digest credentials only (RFC 7616)."""
    options, request = opening.options, opening.request
    account = digest.Account(user, password, options["algorithm"], str(request.peer) if options["keep"] else "")
    answer = digest.check(request, account)
    if answer.fault:
        challenge = digest.challenge(account, opening.random.randbytes(8).hex(), is_stale=answer.is_stale)
        await _challenge(opening, challenge, answer.fault)


async def _challenge(opening: Opening, challenge: str, fault: str) -> None:
    fields = [("WWW-Authenticate", challenge), NOT_STORED]
    await respond(opening, 401, fields, f"{fault}\n", keep=opening.options["keep"])


OPTIONS = (
    Argument("algorithm", Choice(tuple(digest.ALGORITHMS)), "the algorithm of the Digest challenge", default="MD5"),
)

_USER = Argument(
    "user",
    Text(64, pattern=r"[!#-9;-[\]-~]+", described="visible ASCII without colon, quote and backslash"),
    "the user",
)
_PASSWORD = Argument("password", Text(128, pattern=r"[^\x00-\x1f\x7f]+", described="text"), "the password")
_OPENS = {"opened": True, "messages": ["hello"], "close_code": 1000, "clean": True, "within": 5}

WORDS = (
    Word(
        name="require/basic",
        number="21.3",
        group="B",
        server="Answers with 401 and a Basic challenge, unless the handshake has the credentials of {user}.",
        client="Sends credentials that it has, at once or after the challenge; without any, it fails the connection "
        "and reports the status.",
        rfc="RFC 6455 section 4.1, RFC 7617",
        run=basic,
        stage="opening",
        arguments=(_USER, _PASSWORD),
        options=("keep",),
        rows=(
            Row(
                "21.3.1",
                "/ws/require/basic/ann/secret",
                act="authenticate as ann with secret, send hello, close",
                expect=_OPENS,
                demand="should",
                judge=("close 1000",),
                needs=("credentials",),
                cases=("whatwg/websockets#39", "whatwg/fetch#766"),
            ),
            Row(
                "21.3.2",
                "/ws/require/basic/ann/unknown",
                act="wait",
                expect={"opened": False, "status": 401, "within": 5},
                cases=("whatwg/fetch#766",),
            ),
        ),
    ),
    Word(
        name="require/digest",
        number="21.4",
        group="B",
        server="Answers with 401 and a Digest challenge, unless the handshake has a correct answer for {user}. With "
        "keep, TCP stays open, and the challenge can be answered on the same connection only.",
        client="May answer the challenge; if it does not, it fails the connection and reports the status.",
        rfc="RFC 6455 section 4.1, RFC 7616",
        run=digest_access,
        stage="opening",
        arguments=(_USER, _PASSWORD),
        options=("keep", "algorithm"),
        rows=(
            Row(
                "21.4.1",
                "/ws/require/digest/ann/secret?keep",
                act="authenticate as ann with secret, send hello, close",
                expect={**_OPENS, "opened": [True, False]},
                demand="unspecified",
                needs=("credentials",),
                cases=("pyws#1423", "wsc#821", "lws#2764", "lws#3068", "lws#3526", "cth35/tydom_python#1"),
            ),
            Row(
                "21.4.2",
                "/ws/require/digest/ann/secret?algorithm=SHA-256",
                act="authenticate as ann with secret, send hello, close",
                expect={**_OPENS, "opened": [True, False]},
                demand="unspecified",
                needs=("credentials",),
                cases=("lws#2764",),
            ),
        ),
    ),
    Word(
        name="require/bearer",
        number="21.5",
        group="B",
        server="Answers with 401 and a Bearer challenge, unless the handshake has the token {token}: in Authorization, "
        "as access_token in the query, or in a subprotocol.",
        client="Sends the token, if the application gives it one; if not, it fails the connection and reports "
        "the status.",
        rfc="RFC 6455 section 4.1, RFC 6750",
        run=bearer,
        stage="opening",
        arguments=(
            Argument("token", Text(1024, pattern=r"[A-Za-z0-9._~+/-]+=*", described="a bearer token"), "the token"),
        ),
        options=("keep",),
        rows=(
            Row(
                "21.5.1",
                "/ws/require/bearer/secret",
                act="send the token secret in Authorization, send hello, close",
                expect=_OPENS,
                demand="should",
                judge=("close 1000",),
                needs=("credentials",),
                cases=("pyws#1423",),
            ),
            Row(
                "21.5.2",
                "/ws/require/bearer/unknown",
                act="wait",
                expect={"opened": False, "status": 401, "within": 5},
                cases=("whatwg/websockets#39",),
            ),
        ),
    ),
)
