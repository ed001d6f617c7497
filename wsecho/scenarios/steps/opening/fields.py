"""Group B: additional fields in the answer to the handshake, and what they must never be."""

from typing import Any

from wsecho.http.request import Request
from wsecho.scenarios.language.arguments import Text
from wsecho.scenarios.language.limits import LOCAL, Limits
from wsecho.scenarios.language.word import Argument, Options, Row, Word
from wsecho.scenarios.steps.peer import Opening

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Fields that the answer has anyway, and fields that browsers remember, follow, or report to: they would reach other
# pages of the host, or other hosts.
_FORBIDDEN = {
    *("connection", "upgrade", "content-length", "transfer-encoding", "trailer", "te", "keep-alive", "date"),
    *("content-encoding", "content-type", "location", "refresh", "link", "www-authenticate", "proxy-authenticate"),
    *("set-cookie", "set-cookie2", "strict-transport-security", "alt-svc", "clear-site-data", "public-key-pins"),
    *("public-key-pins-report-only", "expect-ct", "nel", "report-to", "reporting-endpoints", "accept-ch"),
    *("critical-ch", "content-security-policy", "content-security-policy-report-only", "service-worker-allowed"),
    *("speculation-rules", "origin-agent-cluster", "use-as-dictionary", "no-vary-search", "cache-control"),
    *("activate-storage-access", "set-login", "origin-trial", "supports-loading-mode", "expires", "age", "vary"),
    *("permissions-policy", "cross-origin-opener-policy", "cross-origin-embedder-policy", "document-policy"),
    *("cross-origin-opener-policy-report-only", "cross-origin-embedder-policy-report-only", "integrity-policy"),
    *("integrity-policy-report-only", "sourcemap", "observe-browsing-topics", "shared-storage-write"),
}
# So are all fields whose names begin so.
_FORBIDDEN_BEGINNINGS = (
    *("sec-", "wsecho-", "proxy-", "access-control-", "cdn-", "surrogate-", "attribution-reporting-", "ad-auction-"),
    *("x-accel-", "x-sendfile", "x-reproxy-", "x-lighttpd-"),
)


async def set_cookie(opening: Opening, name: str, value: str) -> None:
    """Set a cookie that lives for a minute, for the path of the scenario."""
    opening.answer.added.append(cookie_field(f"{name}={value}", opening.request))


def cookie_field(cookie: str, request: Request) -> tuple[str, str]:
    """Return the field that sets a cookie, which is a name and perhaps a value."""
    path, semicolon, _ = request.path.partition(";")
    # A path in an attribute cannot contain a semicolon, so the folder above it is taken (RFC 6265 section 5.1.4).
    path = path.rpartition("/")[0] if semicolon else path
    return "Set-Cookie", f"{cookie}; Path={path}; Max-Age={LOCAL.cookie}"


def fault_of_cookies(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    """Return that no cookies are set, where this is so."""
    return "" if limits.cookie else "a public server sets no cookies, because they are sent to its other pages, too"


async def header(opening: Opening, name: str, value: str) -> None:
    """Add a field to the answer."""
    opening.answer.added.append((name, value))


def _fault_of_header(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    name: str = values[0]
    if name.lower() in _FORBIDDEN or name.lower().startswith(_FORBIDDEN_BEGINNINGS):
        return (
            f"the field '{name[:40]}' is not set by 'header': it belongs to the handshake, or its effect outlives the "
            "connection or reaches other pages and hosts"
        )
    return ""


OPTIONS = ()

WORDS = (
    Word(
        name="set-cookie",
        number="21.7",
        group="B",
        server="Adds 'Set-Cookie: {name}={value}' to the 101 response, or to the refusal that follows. It lives 60 "
        "seconds, for this path. A public server sets no cookies.",
        client="Accepts the handshake. It keeps the cookie if it keeps those of other responses.",
        rfc="RFC 6455 section 4.1, RFC 6265 section 5",
        run=set_cookie,
        stage="opening",
        arguments=(
            Argument("name", Text(64, pattern=_TOKEN, described="a token"), "the name of the cookie"),
            Argument(
                "value",
                # A semicolon would begin an attribute, such as Domain.
                Text(1024, pattern=r"[!-:<-~]([ -:<-~]*[!-:<-~])?", described="visible ASCII without a semicolon"),
                "its value",
            ),
        ),
        fault=fault_of_cookies,
        rows=(
            Row(
                "21.7.1",
                "/ws/set-cookie/wsecho/a",
                act="send hello, close",
                expect={"opened": True, "messages": ["hello"], "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000",),
                cases=("gatling/gatling#2916", "Starscream#683", "corefx#24420", "whatwg/fetch#1710"),
            ),
        ),
    ),
    Word(
        name="header",
        number="21.8",
        group="B",
        server="Adds the field '{name}: {value}' to the 101 response, or to the refusal that follows.",
        client="Accepts the handshake, and lets the application read the field.",
        rfc="RFC 9110 section 5.1",
        run=header,
        stage="opening",
        arguments=(
            Argument(
                "name",
                Text(64, pattern=_TOKEN, described="the name of a field"),
                "no field of the handshake, and none with an effect outside the connection",
            ),
            Argument(
                "value", Text(pattern=r"[!-~]([ -~]*[!-~])?", described="visible ASCII with spaces inside"), "its value"
            ),
        ),
        fault=_fault_of_header,
        rows=(
            Row(
                "21.8.1",
                "/ws/header/X-Scenario/hello",
                act="send hello, close",
                expect={"opened": True, "messages": ["hello"], "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000",),
            ),
            Row(
                "21.8.2",
                "/ws/header/X-Reason/quota/reject/429",
                act="wait",
                expect={"opened": False, "status": 429, "headers": {"X-Reason": "quota"}, "within": 5},
                cases=("WSN#100", "Lawouach/WebSocket-for-Python#214", "lws#1851"),
            ),
        ),
    ),
)
