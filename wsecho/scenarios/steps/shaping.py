"""Options that hold for the whole connection."""

from wsecho.scenarios.language.arguments import Choice, Count, Duration, Key, Size
from wsecho.scenarios.language.word import Argument

# The server aborts a connection whose client reads less than 240 bytes per second.
_SLOWEST = 1 << 10

WORDS = ()

OPTIONS = (
    Argument(
        "key",
        Key(),
        "connections with the same key are counted together; without one, those with the same URL and address are",
    ),
    Argument("seed", Count(0, 2**31 - 1), "what random decisions and payloads are drawn from; without one, chance"),
    Argument("pings", Choice(("on", "off")), "whether a silent client gets pings", default="on"),
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
