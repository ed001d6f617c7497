"""Options that hold for the whole connection."""

from wsecho.scenarios.language.arguments import Choice, Count, Duration, Key, Size, Text
from wsecho.scenarios.language.word import Argument, Row

# The server aborts a connection whose client reads less than 240 bytes per second.
_SLOWEST = 1 << 10
# RFC 9110 section 5.6.2.
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_NAMES = f"{_TOKEN}(?:,{_TOKEN})*"

WORDS = ()

OPTIONS = (
    Argument(
        "key",
        Key(),
        "connections with the same key are counted together; without one, those with the same URL and address are",
    ),
    Argument("seed", Count(0, 2**31 - 1), "what random decisions and payloads are drawn from; without one, chance"),
    Argument("pings", Choice(("on", "off")), "whether a silent client gets pings", default="on"),
    Argument(
        "subprotocol",
        Text(pattern=_NAMES, described="none, first, or a list of names with commas between them"),
        "which of the client's subprotocols the 101 response names: none, the first, or the first of the list that the "
        "client offers",
    ),
    Argument("max-message", Size(1), "the longest message that the server accepts; its own limit holds as well"),
    Argument("latency", Duration(), "how much later everything behind the 101 response is sent", default=0.0),
    Argument("jitter", Duration(), "up to how much is added to the latency, by chance for each message", default=0.0),
    Argument(
        "rate",
        Size(_SLOWEST),
        "bytes per second that the server sends at most; fewer would count as a client that does not read",
    ),
    Argument("drop", Count(1, 100), "how many of 100 messages are not sent, by chance for each message"),
    Argument("fragment", Size(1), "the longest payload of a frame: messages are cut into fragments of this size"),
    Argument("chunk", Size(1), "bytes that are written at once; the next ones follow a millisecond later"),
)

# Rows of options, which are about the echo.
ROWS = (
    Row(
        "25.5.1",
        "/ws?chunk=1",
        act="send 2 of size 300",
        expect={"opened": True, "echoes": 2, "within": 10},
        judge=("echo equal",),
        slow=1,
        cases=(
            *("vjt/grappa-irc#453", "aiohttp#1951", "espressif/esp-idf#14704", "bun#9027", "curl#10962"),
            "curl#10438",
        ),
    ),
    Row(
        "25.5.2",
        "/ws?fragment=1",
        act="send café, κόσμε, 🙂",
        expect={"opened": True, "echoes": 3, "within": 5},
        judge=("echo equal",),
        cases=(
            *("ballerina-platform/ballerina-lang#12695", "pyws#1711", "akka/akka-core#18127", "AHC#655"),
            *("status-im/nim-websock#90", "PingmanTools/System.Net.WebSockets.Client.Managed#6"),
            *("aws/aws-appsync-community#245", "denoland/fastwebsockets#123"),
        ),
    ),
    Row(
        "27.6.1",
        "/ws?latency=200ms&jitter=100ms",
        act="send one, two, three",
        expect={"opened": True, "echoes": 3, "within": 10},
        judge=("echo equal",),
    ),
    Row(
        "27.7.1",
        "/ws?max-message=1KiB",
        act="send 1 of size 2KiB",
        expect={"opened": True, "messages": [], "close_code": 1009, "within": 5},
        judge=("close 1009",),
    ),
    Row(
        "28.40.1",
        "/ws?subprotocol=none",
        act="send hello",
        expect={"opened": True, "echoes": 1, "within": 5},
        judge=("echo equal",),
        needs=("subprotocols",),
        cases=("wsc#1027", "ws#192"),
    ),
)
