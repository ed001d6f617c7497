"""Group H: many messages, with one write, as fast as the client reads, or one after the other in time."""

import math
from typing import Any

from wsecho.scenarios.language.arguments import FOREVER, Amount, Count, Duration, Size, Switch, Until, written_size
from wsecho.scenarios.language.budget import LONGEST_WRITE
from wsecho.scenarios.language.data import generated_pieces
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Peer, Receiving
from wsecho.websocket.echo import PING, TEXT

_HEADER = 10
# What a flood hands over with one write.
_FLOOD_AT_ONCE = 16 << 10
_LONGEST_NUMBER = 8


async def burst(peer: Peer, count: int, size: int) -> None:
    """Send text messages with one write, together with what the next step sends without a wait."""
    peer.collect()
    for _ in range(count):
        await peer.send_long(TEXT, size, generated_pieces(peer.messages_sent + 1, size), at_once=True)


async def flood(peer: Peer, count: int, size: int) -> None:
    """Send text messages as fast as the client reads. What it sends meanwhile is dropped."""
    peer.receive(Receiving.DISCARD)
    interval = peer.options["ping"]
    collected = 0
    for number in range(1, count + 1):
        peer.collect()
        await peer.send_long(TEXT, size, generated_pieces(peer.messages_sent + 1, size))
        if interval and number % interval == 0:
            await peer.send(PING, b"%d" % number)
        collected += size + _HEADER
        if collected > _FLOOD_AT_ONCE:
            collected = 0
            await peer.sleep(0)


async def tick(peer: Peer, interval: float, count: int | None) -> None:
    """Send numbers at intervals, and echo meanwhile."""
    peer.receive(Receiving.ECHO)
    resumes = peer.options["resume"]
    number = before = peer.ticks.last if resumes else 0
    while count is None or number < before + count:
        number += 1
        await peer.sleep(interval)
        await peer.send(TEXT, b"%d" % number)
        if resumes:
            peer.ticks.last = number


async def sink(peer: Peer, amount: Amount | None) -> None:
    """Read, and send nothing back."""
    peer.receive(Receiving.DISCARD)
    await (peer.sleep(FOREVER) if amount is None else peer.happens(amount))


def _too_long(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    size = _messages(values, options, limits).bytes
    if size <= LONGEST_WRITE:
        return ""
    return f"'burst' sends {size} bytes: at most {written_size(LONGEST_WRITE)} fit in one write; 'flood' sends more"


def _flood(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    pings = values[0] // options["ping"] if options["ping"] else 0
    return _messages(values, options, limits) + Cost(0.0, pings * (2 + _LONGEST_NUMBER), pings)


def _messages(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    count, size = values
    return Cost(0.0, count * (size + _HEADER), count)


def _tick(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    interval, count = values
    seconds = FOREVER if count is None else interval * count
    if count is None:
        # As many as there is time for.
        count = math.ceil(limits.seconds / interval) if interval else limits.frames_out + 1
    return Cost(seconds, count * (2 + _LONGEST_NUMBER), count)


def _sink(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    amount: Amount | None = values[0]
    if amount is None:
        return Cost(FOREVER)
    return Cost(amount.value) if amount.unit == "seconds" else Cost()


_COUNT = Argument("count", Count(), "how many messages")
_SIZE = Argument("size", Size(), "payload bytes of each")

OPTIONS = (
    Argument("ping", Count(), "after how many messages of a flood each Ping frame is sent"),
    Argument(
        "resume",
        Switch(),
        "the numbers go on behind the last one that was sent, on this connection or on an earlier one under its key, "
        "however that has ended",
        default=False,
    ),
)

WORDS = (
    Word(
        name="burst",
        number="27.2",
        group="H",
        server="Sends {count} text messages of {size} with one write, together with what the next step sends.",
        client="Gives all messages to the application, before a Close frame behind them.",
        rfc="RFC 6455 sections 5.2 and 7.1.5",
        run=burst,
        arguments=(_COUNT, _SIZE),
        cost=_messages,
        fault=_too_long,
        collects=True,
        rows=(
            Row(
                "20.60.1",
                "/ws/burst/1000/100/close/4000",
                act="wait",
                expect={
                    **{"opened": True, "messages": ["size:100"] * 1000, "close_code": 4000, "clean": True},
                    "within": 10,
                },
                judge=("close 4000", "nothing after close"),
                cases=(
                    *("wsharp#641", "wsharp#662", "wspp#819", "socketio/engine.io#293", "gimite/web-socket-js#166"),
                    *("ws#678", "vjt/grappa-irc#453"),
                ),
            ),
            Row(
                "20.60.2",
                "/ws/burst/2/1MiB/close/1000",
                act="wait",
                expect={
                    **{"opened": True, "messages": ["size:1MiB"] * 2, "close_code": 1000, "clean": True},
                    "within": 10,
                },
                judge=("close 1000", "nothing after close"),
                cases=("ws#678", "gimite/web-socket-js#166"),
            ),
            Row(
                "25.4.1",
                "/ws/burst/20/2",
                act="wait",
                expect={"opened": True, "messages": ["size:2"] * 20, "within": 5},
                judge=("echo equal",),
                cases=("jeremyong/websocket_client#22", "aiohttp#1951", "curl#10438"),
            ),
        ),
    ),
    Word(
        name="flood",
        number="27.3",
        group="H",
        server="Sends {count} text messages of {size}, as fast as the client reads. What the client sends meanwhile is "
        "dropped.",
        client="Reads no more than its application takes, so that memory stays bounded.",
        rfc="RFC 6455 section 10.4",
        run=flood,
        arguments=(_COUNT, _SIZE),
        options=("ping",),
        cost=_flood,
        may_deflate=False,
        rows=(
            Row(
                "27.3.1",
                "/ws/flood/100/64KiB/close/1000",
                act="wait",
                expect={
                    **{"opened": True, "messages": ["size:64KiB"] * 100, "close_code": 1000, "clean": True},
                    "within": 20,
                },
                judge=("close 1000",),
                cases=("machinezone/IXWebSocket#140",),
            ),
            Row(
                "27.3.2",
                "/ws/flood/100000/1KiB",
                act="read one message a second",
                expect={"opened": True, "within": 60},
                demand="load",
                slow=60,
                cases=("pyws#105", "tornado#2341", "mrniko/netty-socketio#218", "undici#4899", "mliarakos/lagom-js#19"),
            ),
            Row(
                "27.3.3",
                "/ws/flood/200/64KiB/close/1000?ping=10",
                act="wait",
                expect={
                    **{"opened": True, "messages": ["size:64KiB"] * 200, "close_code": 1000, "clean": True},
                    "within": 20,
                },
                judge=("pong 200", "close 1000"),
                cases=("pyws#1005", "wsc#236", "snapview/tokio-tungstenite#333", "gammazero/nexus#247", "WSN#229"),
            ),
            Row(
                "20.61.1",
                "/ws/on-close/flood/10/1KiB/close",
                act="close",
                expect={"opened": True, "close_code": 1000, "clean": True, "within": 10},
                judge=("close 1000", "nothing after close"),
                cases=("aiohttp#1002", "wsharp#753", "cometd/cometd#513", "ratchetphp/Pawl#94"),
            ),
        ),
    ),
    Word(
        name="tick",
        number="27.4",
        group="H",
        server="Sends numbers as text messages, one every {interval}: {count}. They begin with 1 or, with resume, "
        "where the ticks before have ended. It echoes meanwhile.",
        client="Gives each number to the application when it arrives.",
        rfc="RFC 6455 section 5.6",
        run=tick,
        arguments=(
            Argument("interval", Duration(), "the time before each number"),
            Argument("count", Count(), "as many as there is time for if left out", optional=True),
        ),
        options=("resume",),
        cost=_tick,
        rows=(
            Row(
                "27.4.1",
                "/ws/tick/100ms/5/close/1000",
                act="wait",
                expect={
                    **{"opened": True, "messages": ["1", "2", "3", "4", "5"], "close_code": 1000, "clean": True},
                    "within": 5,
                },
                judge=("close 1000",),
            ),
            Row(
                "24.10.1",
                "/ws/tick/100ms/3/abort/next/tick/100ms/3/close/1000?resume",
                act="wait, connect again",
                expect={
                    **{"opened": True, "messages": ["1", "2", "3", "4", "5", "6"], "close_code": 1000, "clean": True},
                    "within": 10,
                },
                judge=("2 attempts", "close 1000"),
                needs=("two connections",),
                cases=(
                    "apollographql/subscriptions-transport-ws#339",
                    "zachowj/node-red-contrib-home-assistant-websocket#1627",
                ),
            ),
        ),
    ),
    Word(
        name="sink",
        number="27.5",
        group="H",
        server="Reads what the client sends and sends nothing back: {amount}. Ping frames are answered, and so are "
        "Close frames, unless on-close is in the scenario.",
        client="Sends.",
        rfc="RFC 6455 section 5.4",
        run=sink,
        arguments=(Argument("amount", Until(), "for as long as the client likes if left out", optional=True),),
        cost=_sink,
        may_deflate=False,
        rows=(
            Row(
                "27.5.1",
                "/ws/sink/3/message/done",
                act="send one, two, three",
                expect={"opened": True, "messages": ["done"], "within": 5},
            ),
        ),
    ),
)
