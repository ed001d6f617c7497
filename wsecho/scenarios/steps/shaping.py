"""Options that hold for the whole connection."""

from wsecho.scenarios.language.arguments import Choice, Count, Key
from wsecho.scenarios.language.word import Argument

WORDS = ()

OPTIONS = (
    Argument(
        "key",
        Key(),
        "connections with the same key are counted together; without one, those with the same URL and address are",
    ),
    Argument("seed", Count(0, 2**31 - 1), "what random decisions and payloads are drawn from; without one, chance"),
    Argument("pings", Choice(("on", "off")), "whether a silent client gets pings", default="on"),
)
