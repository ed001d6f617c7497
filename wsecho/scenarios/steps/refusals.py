"""Group B: the handshake is refused or redirected."""

from wsecho.scenarios.language.arguments import Choice, Count, Duration, Switch, Text
from wsecho.scenarios.language.word import Argument, Row, Word
from wsecho.scenarios.steps.peer import Opening

_REDIRECTS = ("301", "302", "303", "307", "308")
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


async def reject(opening: Opening, status: int) -> None:
    """Answer with a status other than 101."""
    options = opening.options
    fields = [_TEXT, ("Cache-Control", "no-store")]
    if options["retry-after"] is not None:
        fields.append(("Retry-After", str(int(options["retry-after"]))))
    body = options["body"]
    text = f"a scenario refuses this handshake with {status}\n" if body is None else body
    if options["keep"]:
        await opening.respond_and_keep(status, fields, text.encode())
    else:
        await opening.respond(status, fields, text.encode())


async def redirect(opening: Opening, status: str) -> None:
    """Answer with a redirect to a path of this server."""
    fields = [("Location", opening.options["to"]), _TEXT, ("Cache-Control", "no-store")]
    await opening.respond(int(status), fields, f"a scenario redirects to {opening.options['to']}\n".encode())


OPTIONS = (
    Argument("body", Text(described="text"), "the body of the refusal"),
    Argument("retry-after", Duration(is_whole=True), "the seconds in the Retry-After field"),
    Argument("keep", Switch(), "keep the connection open after the refusal, for another request", default=False),
    Argument(
        "to",
        Text(pattern=r"/(?!/)[!$&-;=?-Z_a-z~%]*", described="a path of this server, beginning with one /"),
        "where a redirect leads",
        default="/ws/",
    ),
)

WORDS = (
    Word(
        name="reject",
        number="21.1",
        group="B",
        server="Answers the handshake with status {status} and a body, and ends TCP unless it says keep.",
        client="Fails the connection, and lets the application read status, fields and body.",
        rfc="RFC 6455 section 4.1",
        run=reject,
        stage="opening",
        arguments=(Argument("status", Count(200, 599), "a status code, but 101"),),
        options=("body", "retry-after", "keep"),
        ends=True,
        rows=(
            Row(
                "21.1.1",
                "/ws/reject/503?body=maintenance&retry-after=2s",
                act="wait",
                expect={"opened": False, "status": 503, "body": "maintenance", "within": 5},
                cases=("JW#238", "JW#1454", "wsc#900", "postmanlabs/postman-app-support#10399", "jetty#13227"),
            ),
            Row(
                "21.1.2",
                "/ws/reject/200",
                act="wait",
                expect={"opened": False, "status": 200, "within": 5},
                cases=("netty#4528", "openresty/lua-resty-websocket#104"),
            ),
            Row(
                "21.1.3",
                "/ws/reject/429?retry-after=2s",
                act="wait",
                expect={"opened": False, "status": 429, "within": 5},
                cases=("pyws#712", "langchain-ai/langsmith-sdk#3493"),
            ),
        ),
    ),
    Word(
        name="redirect",
        number="21.2",
        group="B",
        server="Answers the handshake with status {status} and a Location on this host, and ends TCP.",
        client="May follow the redirect; if it does not, it fails the connection and reports the status.",
        rfc="RFC 6455 section 4.1, RFC 9110 section 15.4",
        run=redirect,
        stage="opening",
        arguments=(Argument("status", Choice(_REDIRECTS), "301, 302, 303, 307 or 308"),),
        options=("to",),
        ends=True,
        rows=(
            Row(
                "21.2.1",
                "/ws/redirect/302?to=/ws/echo",
                act="wait",
                expect={"opened": [True, False], "status": [101, 302], "within": 5},
                demand="unspecified",
                cases=("ws#812", "wsc#257", "JW#602", "AHC#102", "vi/websocat#173", "pyws#293"),
            ),
            Row(
                "21.2.2",
                "/ws/redirect/307?to=/ws/echo",
                act="wait",
                expect={"opened": [True, False], "status": [101, 307], "within": 5},
                demand="unspecified",
                cases=("wsc#952", "pyws#528"),
            ),
        ),
    ),
)
