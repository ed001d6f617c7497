"""Group B: the handshake is answered with a redirect that stays on this host."""

import re
from typing import Any
from urllib.parse import unquote_plus

from wsecho.http.request import Request
from wsecho.scenarios.language.arguments import Choice, Count, Text
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Options, Row, Word
from wsecho.scenarios.steps.opening.refusals import NOT_STORED, respond
from wsecho.scenarios.steps.peer import Opening

_DEFAULT_TO = "/ws/"
# What may stand in a Location: a name or an address, perhaps with a port.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?", re.ASCII)
_REDIRECTS = ("301", "302", "303", "307", "308")


async def redirect(opening: Opening, status: str) -> None:
    """Answer with a redirect to a path of this server."""
    options = opening.options
    form: str = options["form"]
    if form == "loop" and options["hops"] == 0:
        await respond(opening, 508, [NOT_STORED], "the loop of redirects ends here\n")
    host = opening.request.authority
    if form in ("absolute", "ws", "downgrade") and not _HOST.fullmatch(host):
        await respond(opening, 400, [NOT_STORED], "the redirect needs a Host field that is a name or an address\n")
    location = _location(form, opening.request, options)
    await respond(opening, int(status), [("Location", location), NOT_STORED], f"a scenario redirects to {location}\n")


def _location(form: str, request: Request, options: Options) -> str:
    encrypted = "s" if request.scheme in ("https", "wss") else ""
    prefixes = {
        "absolute": f"http{encrypted}://{request.authority}",
        "ws": f"ws{encrypted}://{request.authority}",
        "downgrade": f"ws://{request.authority}",
    }
    return _next_hop(request, options["hops"]) if form == "loop" else prefixes.get(form, "") + options["to"]


def _next_hop(request: Request, hops: int) -> str:
    """Return the target of the request with one hop less."""
    pairs = [pair for pair in request.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != "hops"]
    return f"{request.path}?{'&'.join([*pairs, f'hops={hops - 1}'])}"


def _fault_of_redirect(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    if options["form"] == "loop" and options["to"] != _DEFAULT_TO:
        return "a redirect with 'form=loop' leads to its own URL, so 'to' has no effect"
    return ""


OPTIONS = (
    Argument(
        "to",
        # Two slashes anywhere, and not only at the beginning: a client that removes dot segments from /.//host/ and
        # reads the rest again would leave this host.
        Text(pattern=r"/(?!.*//)(?!/)[!$&-;=?-Z_a-z~%]*", described="a path of this server, beginning with one /"),
        "where a redirect leads",
        default=_DEFAULT_TO,
    ),
    Argument(
        "form",
        Choice(("relative", "absolute", "ws", "loop", "downgrade")),
        "how the Location is written: a path; http or https; ws or wss; the URL itself; ws, also for a client that "
        "came by wss",
        default="relative",
    ),
    Argument("hops", Count(0, 100), "how many redirects of a loop remain; after the last one comes 508", default=50),
)

WORDS = (
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
        options=("to", "form", "hops"),
        fault=_fault_of_redirect,
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
            Row(
                "21.2.3",
                "/ws/redirect/301?to=/ws/echo&form=absolute",
                act="wait",
                expect={"opened": [True, False], "status": [101, 301], "within": 5},
                demand="unspecified",
                cases=("eclipse-paho/paho.mqtt.python#886", "snapview/tungstenite-rs#139"),
            ),
            Row(
                "21.2.4",
                "/ws/redirect/308?to=/ws/echo&form=ws",
                act="wait",
                expect={"opened": [True, False], "status": [101, 308], "within": 5},
                demand="unspecified",
                cases=("zwopple/PocketSocket#27",),
            ),
            Row(
                "21.2.5",
                "/ws/redirect/302?form=loop",
                act="wait",
                expect={"opened": False, "within": 5},
                cases=("wsc#952", "pyws#528"),
            ),
            Row(
                "21.2.6",
                "/ws/redirect/307?to=/ws/echo&form=downgrade",
                act="wait",
                expect={"opened": False, "within": 5},
                demand="should",
                needs=("tls",),
                cases=("pyws#528",),
            ),
        ),
    ),
)
