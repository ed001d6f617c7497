"""Group B: the handshake is refused."""

import math
from typing import Any

from wsecho.scenarios.language.arguments import Choice, Count, Duration, Switch, Text
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Opening

_TEXT = ("Content-Type", "text/plain; charset=utf-8")
NOT_STORED = ("Cache-Control", "no-store")
# Responses that have no body (RFC 9110 sections 6.4.1 and 15.3.6).
_WITHOUT_BODY = (204, 205, 304)
_LARGEST_CHUNK = 8
_SLOW_PIECES = 10
_SLOW_PAUSE = 0.2


async def reject(opening: Opening, status: int) -> None:
    """Answer with a status other than 101."""
    options = opening.options
    fields = [NOT_STORED]
    if options["retry-after"] is not None:
        fields.append(("Retry-After", str(int(options["retry-after"]))))
    text = f"a scenario refuses this handshake with {status}\n" if options["body"] is None else options["body"]
    await respond(opening, status, fields, text, options["framing"], keep=options["keep"])


async def respond(
    opening: Opening,
    status: int,
    fields: list[tuple[str, str]],
    text: str,
    framing: str = "length",
    *,
    keep: bool = False,
) -> None:
    """Answer with a response. `framing` says how the client learns where the body ends."""
    if status in _WITHOUT_BODY:
        lengths = [("Content-Length", "0")] if status == 205 else []
        await opening.respond(status, [*fields, *lengths], keep=keep)
        return
    body = text.encode()
    length = ("Content-Length", str(len(body)))
    match framing:
        case "chunked":
            await opening.respond(
                status, [*fields, _TEXT, ("Transfer-Encoding", "chunked")], [chunked(body)], keep=keep
            )
        case "close":
            await opening.respond(status, [*fields, _TEXT], [body])
        case "slow":
            pieces = [b"", *cut(body, -(-len(body) // _SLOW_PIECES))]
            await opening.respond(status, [*fields, _TEXT, length], pieces, pause=_SLOW_PAUSE, keep=keep)
        case _:
            await opening.respond(status, [*fields, _TEXT, length], [body], keep=keep)


def chunked(body: bytes) -> bytes:
    """Return a body in chunks of at most 8 bytes (RFC 9112 section 7.1)."""
    chunks = (b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut(body, _LARGEST_CHUNK))
    return b"".join(chunks) + b"0\r\n\r\n"


def cut(data: bytes, size: int) -> list[bytes]:
    """Return pieces of `size` bytes; the last one may be shorter."""
    return [data[start : start + size] for start in range(0, len(data), max(1, size))]


def _cost_of_reject(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    body = len((options["body"] or "").encode())
    return Cost(_SLOW_PIECES * _SLOW_PAUSE if options["framing"] == "slow" else 0.0, 1024 + 8 * body)


def _fault_of_reject(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    if values[0] in _WITHOUT_BODY and (options["body"] is not None or options["framing"] != "length"):
        return f"a response with status {values[0]} has no body"
    if options["keep"] and options["framing"] == "close":
        return "with 'framing=close' the body ends with the connection, so 'keep' is impossible"
    return ""


async def flap(opening: Opening, up: float, down: float) -> None:
    """Accept handshakes for a while, then refuse them for a while, and so on, by the wall clock."""
    since = opening.wall_clock() % (up + down)
    if since >= up:
        wait = math.ceil(up + down - since)
        await respond(
            opening, 503, [NOT_STORED, ("Retry-After", str(wait))], f"the scenario is down for {wait} seconds\n"
        )


def _fault_of_flap(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    return "" if all(values) else "both durations of 'flap' must be longer than nothing"


OPTIONS = (
    Argument("body", Text(described="text"), "the body of the refusal"),
    Argument("retry-after", Duration(is_whole=True), "the seconds in the Retry-After field"),
    Argument(
        "keep",
        Switch(),
        "keep the connection open after the refusal, for another request, or after half an answer",
        default=False,
    ),
    Argument(
        "framing",
        Choice(("length", "chunked", "close", "slow")),
        "how the body of the refusal ends: by Content-Length; by chunks, of at most 8 bytes; by the end of TCP; or by "
        "Content-Length, but sent in ten pieces 200 ms apart",
        default="length",
    ),
)

WORDS = (
    Word(
        name="reject",
        number="21.1",
        group="B",
        server="Answers the handshake with status {status} and, if that status allows one, a body. Ends TCP, unless "
        "the option keep is on.",
        client="Fails the connection, and lets the application read status, fields and body.",
        rfc="RFC 6455 section 4.1",
        run=reject,
        stage="opening",
        arguments=(Argument("status", Count(200, 599), "a status code, but 101"),),
        options=("body", "framing", "retry-after", "keep"),
        cost=_cost_of_reject,
        fault=_fault_of_reject,
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
            Row(
                "21.1.4",
                "/ws/reject/503?body=maintenance&framing=chunked",
                act="wait",
                expect={"opened": False, "status": 503, "body": "maintenance", "within": 5},
                cases=("pyws#1550", "bun#28114", "bun#31800"),
            ),
            Row(
                "21.1.5",
                "/ws/reject/403?body=no&framing=close",
                act="wait",
                expect={"opened": False, "status": 403, "body": "no", "within": 5},
                cases=("ws#1872", "wsharp#730", "denoland/deno#7604"),
            ),
            Row(
                "21.1.6",
                "/ws/reject/502?body=bad%20gateway&framing=slow",
                act="wait",
                expect={"opened": False, "status": 502, "body": "bad gateway", "within": 10},
                slow=2,
                cases=("traefik/traefik#199", "gusavila92/java-android-websocket-client#25"),
            ),
        ),
    ),
    Word(
        name="flap",
        number="21.9",
        group="B",
        server="By the server's clock, accepts handshakes for {up}, then answers with 503 and Retry-After for {down}, "
        "and so on. All servers and workers with the same time agree.",
        client="Fails the connection while it gets 503, and tries again later.",
        rfc="RFC 6455 section 7.2.3, RFC 9110 section 10.2.3",
        run=flap,
        stage="opening",
        arguments=(
            Argument("up", Duration(), "how long handshakes are accepted"),
            Argument("down", Duration(), "how long they are refused"),
        ),
        fault=_fault_of_flap,
        rows=(
            Row(
                "21.9.1",
                "/ws/flap/2s/2s",
                act="connect until it opens",
                expect={"opened": True, "status": [101, 503], "within": 10},
                demand="should",
                slow=2,
                cases=("bodyscape/cielo_home#116", "superplanehq/superplane#6421", "jsfiddle/togetherjs#359"),
            ),
        ),
    ),
)
