"""Group F: messages in fragments, and messages at the limits of the forms in which a length is written."""

from typing import Any

from wsecho.scenarios.language.data import generated
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Peer
from wsecho.websocket.echo import CONTINUATION, TEXT

# The fragments of two messages. Each is sent as it stands, and the last one of a message has the FIN bit.
_MESSAGES = ((b"", b"empty", b"", b" ends", b""), (b"", b"", b""))
# The longest payload of each form of the length, and the shortest of the next (RFC 6455 section 5.2); 127 is a marker.
SIZES = (125, 126, 127, 65_535, 65_536)
_HEADER = 10


async def empty_fragments(peer: Peer) -> None:
    """Send two messages with empty fragments."""
    for fragments in _MESSAGES:
        for index, fragment in enumerate(fragments):
            await peer.send(CONTINUATION if index else TEXT, fragment, final=index == len(fragments) - 1)


async def sizes(peer: Peer) -> None:
    """Send one text message of each size."""
    for size in SIZES:
        await peer.send(TEXT, generated(peer.messages_sent + 1, size))


def _fragments(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    fragments = [fragment for message in _MESSAGES for fragment in message]
    return Cost(0.0, sum(2 + len(fragment) for fragment in fragments), len(fragments))


def _sizes(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(0.0, sum(SIZES) + _HEADER * len(SIZES), len(SIZES))


OPTIONS = ()

WORDS = (
    Word(
        name="sizes",
        number="25.2",
        group="F",
        server=f"Sends a text message of each of {', '.join(map(str, SIZES[:-1]))} and {SIZES[-1]} bytes, around which "
        "the form of the length changes.",
        client="Gives each message to the application.",
        rfc="RFC 6455 section 5.2",
        run=sizes,
        cost=_sizes,
        rows=(
            Row(
                "25.2.1",
                "/ws/sizes",
                act="wait",
                expect={"opened": True, "messages": [f"size:{size}" for size in SIZES], "within": 5},
                judge=("echo equal",),
                cases=("dandeliondeathray/DandelionWebSockets.jl#13", "eidheim/Simple-WebSocket-Server#42"),
            ),
            Row(
                "25.2.2",
                "/ws/sizes/sink/5/close/1000",
                act="echo",
                expect={
                    **{"opened": True, "messages": [f"size:{size}" for size in SIZES], "close_code": 1000},
                    **{"clean": True, "within": 5},
                },
                judge=("echo equal", "close 1000"),
                cases=("dandeliondeathray/DandelionWebSockets.jl#13", "eidheim/Simple-WebSocket-Server#42"),
            ),
        ),
    ),
    Word(
        name="empty-fragments",
        number="25.3",
        group="F",
        server="Sends the text message 'empty ends' in five fragments, of which the first, the third and the last are "
        "empty; then an empty text message in three fragments.",
        client="Gives both messages to the application.",
        rfc="RFC 6455 section 5.4",
        run=empty_fragments,
        cost=_fragments,
        rows=(
            Row(
                "25.3.1",
                "/ws/empty-fragments",
                act="wait",
                expect={"opened": True, "messages": ["empty ends", ""], "within": 5},
                judge=("echo equal",),
                cases=("bun#3488",),
            ),
        ),
    ),
)
