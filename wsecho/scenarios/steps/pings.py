"""Groups C and F: Ping and Pong frames."""

from typing import Any

from wsecho.scenarios.language.arguments import Bytes, Count, Duration, Either
from wsecho.scenarios.language.data import Data
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Peer, Receiving
from wsecho.websocket.echo import CONTINUATION, PING, PONG, TEXT

_LONGEST = 125  # RFC 6455 section 5.5
# Pings of a flood that are sent with one write. Between two writes, other connections are served.
_AT_ONCE = 100
_LONGEST_NUMBER = 7


async def ping(peer: Peer, payload: Data) -> None:
    """Send a Ping frame."""
    await peer.send(PING, payload.payload(peer.messages_sent + 1))


async def pong(peer: Peer, payload: Data) -> None:
    """Send a Pong frame for which there was no ping."""
    await peer.send(PONG, payload.payload(peer.messages_sent + 1))


async def ping_flood(peer: Peer, count: int) -> None:
    """Send Ping frames as fast as the client takes them. The payload of each is its number, from 1."""
    for number in range(1, count + 1):
        peer.collect()
        await peer.send(PING, b"%d" % number)
        if number % _AT_ONCE == 0:
            await peer.sleep(0)


async def ping_between(peer: Peer) -> None:
    """Send a text message of two fragments with a Ping frame between them."""
    peer.collect()
    await peer.send(TEXT, b"Hel", final=False)
    await peer.send(PING, b"between")
    await peer.send(CONTINUATION, b"lo")
    await peer.sleep(0)


async def on_ping(peer: Peer) -> None:
    """Echo until a Ping frame arrives."""
    peer.receive(Receiving.ECHO)
    await peer.ping_arrives()


def _flood(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(0.0, values[0] * (2 + _LONGEST_NUMBER), values[0])


def _between(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(0.0, 32, 3)


_PAYLOAD = Argument("payload", Bytes(most=_LONGEST), "empty if left out", optional=True, default=Data("hex", b"", 0))

OPTIONS = (
    Argument(
        "pong",
        Either(("off", "wrong", "empty"), Duration()),
        "how the client's pings are answered: not at all, so late, with another payload, or without one; at most 64 "
        "wait for a late answer, and the oldest of more gets none",
    ),
)

WORDS = (
    Word(
        name="ping",
        number="22.6",
        group="C",
        server="Sends a Ping frame with payload {payload}, and goes on at once.",
        client="Answers with a Pong frame of the same payload, and shows the application nothing.",
        rfc="RFC 6455 sections 5.5.2 and 5.5.3",
        run=ping,
        arguments=(_PAYLOAD,),
        rows=(
            Row(
                "22.6.1",
                "/ws/ping/hello/message/after",
                act="wait",
                expect={"opened": True, "messages": ["after"], "within": 5},
                judge=("pong hello",),
                cases=("eidheim/Simple-WebSocket-Server#103", "dotnet#60171", "Devristo/phpws#94", "bun#5588"),
            ),
            Row(
                "22.6.2",
                "/ws/ping/hex:/message/after",
                act="wait",
                expect={"opened": True, "messages": ["after"], "within": 5},
                judge=("pong hex:",),
                cases=("curl#19554",),
            ),
            Row(
                "22.6.3",
                "/ws/ping/size:125/message/after",
                act="wait",
                expect={"opened": True, "messages": ["after"], "within": 5},
                judge=("pong size:125",),
                cases=("eclipse-threadx/netxduo#411",),
            ),
            Row(
                "22.6.4",
                "/ws/ping/hello/after/1/close/1000",
                act="send hello",
                expect={"opened": True, "messages": ["hello"], "close_code": 1000, "clean": True, "within": 5},
                judge=("pong hello", "close 1000"),
                cases=("curl#10615", "curl#10289", "ryo-ma/deno-websocket#5"),
            ),
        ),
    ),
    Word(
        name="pong",
        number="22.7",
        group="C",
        server="Sends a Pong frame with payload {payload} that answers no ping.",
        client="Ignores it.",
        rfc="RFC 6455 section 5.5.3",
        run=pong,
        arguments=(_PAYLOAD,),
        rows=(
            Row(
                "22.7.1",
                "/ws/pong/unasked/message/after",
                act="wait",
                expect={"opened": True, "messages": ["after"], "within": 5},
                judge=("echo equal",),
            ),
            Row(
                "22.7.2",
                "/ws?pong=off",
                act="send hello",
                expect={"opened": True, "messages": ["hello"], "within": 60},
                demand="unspecified",
                slow=60,
                cases=("sdk#37446", "dart-archive/web_socket_channel#49", "unbit/uwsgi#1690"),
                browser={"visible": False},
            ),
            Row(
                "22.7.3",
                "/ws?pong=wrong",
                act="send hello",
                expect={"opened": True, "messages": ["hello"], "within": 60},
                demand="unspecified",
                slow=60,
                cases=("ASPLes/nopoll#17", "Devristo/phpws#94"),
                browser={"visible": False},
            ),
            Row(
                "22.7.4",
                "/ws?pong=empty",
                act="send hello",
                expect={"opened": True, "messages": ["hello"], "within": 60},
                demand="unspecified",
                slow=60,
                cases=("pyws#315", "eidheim/Simple-WebSocket-Server#103"),
                browser={"visible": False},
            ),
            Row(
                "22.7.5",
                "/ws?pong=2s",
                act="send hello",
                expect={"opened": True, "messages": ["hello"], "within": 5},
                demand="unspecified",
                cases=("WSN#229",),
                browser={"visible": False},
            ),
        ),
    ),
    Word(
        name="ping-flood",
        number="22.8",
        group="C",
        server="Sends {count} Ping frames, as fast as the client takes them. The payload of each is its number.",
        client="Answers all of them, or at least the last of those that have arrived, and shows the application "
        "nothing. It may end a connection with more pings than it allows.",
        rfc="RFC 6455 section 5.5.3",
        run=ping_flood,
        arguments=(Argument("count", Count(), "how many"),),
        cost=_flood,
        rows=(
            Row(
                "22.8.1",
                "/ws/ping-flood/50/message/after",
                act="wait",
                expect={"opened": True, "messages": ["after"], "within": 5},
                judge=("pong 50",),
                cases=("curl#16706",),
            ),
            Row(
                "22.8.2",
                "/ws/ping-flood/100000/message/after",
                act="wait",
                expect={"opened": True, "messages": ["after"], "within": 30},
                demand="load",
                slow=5,
            ),
        ),
    ),
    Word(
        name="on-ping",
        number="22.9",
        group="C",
        server="Echoes until a Ping frame arrives, which is answered as the option pong says, then goes on.",
        client="Sends pings if its application asks for them.",
        rfc="RFC 6455 section 5.5.2",
        run=on_ping,
        options=(),
        rows=(
            Row(
                "22.9.1",
                "/ws/on-ping/message/pinged",
                act="ping",
                expect={"opened": True, "messages": ["pinged"], "within": 5},
                cases=("vapor/websocket-kit#114",),
            ),
            Row(
                "22.9.2",
                "/ws/on-ping/close/1001?pong=off",
                act="ping",
                expect={"opened": True, "messages": [], "close_code": 1001, "clean": True, "within": 5},
                judge=("close 1001",),
            ),
        ),
    ),
    Word(
        name="ping-between",
        number="25.6",
        group="F",
        server="Sends the text message Hello in the fragments Hel and lo, with a Ping frame between them.",
        client="Answers the ping at once, and gives the message to the application as one.",
        rfc="RFC 6455 sections 5.4 and 5.5",
        run=ping_between,
        cost=_between,
        rows=(
            Row(
                "25.6.1",
                "/ws/ping-between",
                act="wait",
                expect={"opened": True, "messages": ["Hello"], "within": 5},
                judge=("pong between",),
                cases=(
                    *("ninjasource/embedded-websocket#31", "eclipse-threadx/netxduo#411", "netty#14122"),
                    *("actor-framework/actor-framework#1470", "curl#17136", "undici#1809"),
                ),
            ),
        ),
    ),
)
