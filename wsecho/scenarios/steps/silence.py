"""Group C: peers that are half dead. They do not read, do not answer, or do not send."""

import math
from typing import Any

from wsecho.scenarios.language.arguments import FOREVER, Duration
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps.peer import Peer, Receiving


async def freeze(peer: Peer) -> None:
    """Neither read nor send, and leave TCP open."""
    peer.pause_reading()
    await peer.ended()


async def vanish(peer: Peer) -> None:
    """End TCP without a packet, so that the client learns of it when it sends."""
    await peer.vanish()


async def mute(peer: Peer) -> None:
    """Take messages and send none. Pings are answered."""
    peer.receive(Receiving.DISCARD)
    await peer.ended()


async def idle(peer: Peer, duration: float) -> None:
    """Echo until the client has sent nothing for a while."""
    peer.receive(Receiving.ECHO)
    await peer.falls_silent(duration)


async def stall(peer: Peer, duration: float) -> None:
    """Do not read for a while."""
    peer.pause_reading()
    try:
        await peer.sleep(duration)
    finally:
        peer.resume_reading()


def _without_end(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(math.inf)


def _duration(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(values[0])


OPTIONS = ()

_LOST = {"opened": True, "close_code": 1006, "clean": False}

WORDS = (
    Word(
        name="freeze",
        number="22.1",
        group="C",
        server="Stops reading and sending: no echo, no pong, no Close frame, and no end of TCP. The kernel still "
        "acknowledges what the client sends, until its buffer is full.",
        client="Notices it by pings of its own or by a time limit of the application, ends TCP and reports 1006.",
        rfc="RFC 6455 sections 5.5.2 and 7.1.5",
        run=freeze,
        cost=_without_end,
        ends=True,
        rows=(
            Row(
                "22.1.1",
                "/ws/freeze",
                act="wait",
                expect={"opened": True, "messages": [], "clean": False, "within": 60},
                demand="unspecified",
                slow=60,
                cases=("clj-commons/aleph#311", "boostorg/beast#2284", "sdk#37446", "okhttp#3042", "pyws#1128"),
                browser={"visible": False},
            ),
            Row(
                "22.1.2",
                "/ws/after/1/freeze",
                act="send hello, close",
                expect={**_LOST, "messages": ["hello"], "within": 45},
                demand="should",
                slow=30,
                cases=("Starscream#127", "dotnet#51590", "wsc#592"),
                browser={"within": 75},
            ),
            Row(
                "22.1.3",
                "/ws/message/last/freeze",
                act="send hello",
                expect={"opened": True, "messages": ["last"], "clean": False, "within": 60},
                demand="unspecified",
                slow=60,
                cases=("sdk#33362", "sdk#33379", "custom-components/remote_homeassistant#394"),
                browser={"visible": False},
            ),
        ),
    ),
    Word(
        name="vanish",
        number="22.2",
        group="C",
        server="Ends TCP without a packet, as a host does that loses its power: the next bytes of the client are "
        "answered with RST. This takes CAP_NET_ADMIN on Linux. Without it, the server does the same as 'freeze'. The "
        "field Wsecho-Privilege of the 101 response says granted or lacking.",
        client="Notices it when it sends a message or a ping, and reports 1006.",
        rfc="RFC 6455 section 7.1.5, RFC 9293 section 3.5.1",
        run=vanish,
        cost=_without_end,
        ends=True,
        needs_privilege=True,
        rows=(
            Row(
                "22.2.1",
                "/ws/vanish",
                act="wait",
                expect={"opened": True, "messages": [], "clean": False, "within": 60},
                demand="unspecified",
                slow=60,
                needs=("privilege",),
                cases=("TrussC-org/TrussC#220", "okhttp#4004", "hahn-th/homematicip-rest-api#657"),
            ),
            Row(
                "22.2.2",
                "/ws/message/last/vanish",
                act="send hello each second",
                expect={**_LOST, "messages": ["last"], "within": 10},
                needs=("privilege",),
                cases=("ibasebcast/ha-alarmdotcom#35", "Starscream#127"),
            ),
        ),
    ),
    Word(
        name="mute",
        number="22.3",
        group="C",
        server="Takes messages and sends none. Ping frames are answered, and so are Close frames, unless on-close is "
        "in the scenario.",
        client="Keeps the connection, because it is alive; a time limit for an answer is the application's affair.",
        rfc="RFC 6455 section 5.5.3",
        run=mute,
        cost=_without_end,
        ends=True,
        may_deflate=False,
        rows=(
            Row(
                "22.3.1",
                "/ws/mute",
                act="send hello, close",
                expect={"opened": True, "messages": [], "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000",),
                cases=(
                    *("hahn-th/homematicip-rest-api#672", "k-the-hidden-hero/bticino_intercom#63"),
                    *("enisdenjo/graphql-ws#228", "smallrye/smallrye-graphql#1254"),
                ),
            ),
            Row(
                "20.9.5",
                "/ws/on-close/mute",
                act="close",
                expect={**_LOST, "messages": [], "within": 45},
                demand="should",
                judge=("close 1000", "nothing after close", "ends TCP"),
                slow=30,
                cases=("wsc#592", "vertx#5610", "pgriess/node-websocket-client#6", "dotnet#118471", "Starscream#526"),
                browser={"within": 75},
            ),
        ),
    ),
    Word(
        name="idle",
        number="22.4",
        group="C",
        server="Echoes until the client has sent nothing for {duration}, not even a ping or pong, then goes on. The "
        "server sends no ping.",
        client="Keeps the connection busy with pings, or takes the end for what it is.",
        rfc="RFC 6455 section 5.5.2",
        run=idle,
        arguments=(Argument("duration", Duration(), "how long"),),
        cost=_duration,
        rows=(
            Row(
                "22.4.1",
                "/ws/idle/2s/abort",
                act="send hello",
                expect={**_LOST, "messages": ["hello"], "within": 10},
                slow=2,
                cases=("ws#1254", "ws#536"),
            ),
            Row(
                "22.4.2",
                "/ws/idle/2s/close/1001",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": 1001, "clean": True, "within": 10},
                judge=("close 1001",),
                slow=2,
            ),
        ),
    ),
    Word(
        name="stall",
        number="22.5",
        group="C",
        server="Stops reading for {duration}. The kernels of both sides keep some megabytes before the client notices.",
        client="Stops sending when its socket takes no more, shows the application how much waits, and loses nothing.",
        rfc="RFC 9293 section 3.8.6",
        run=stall,
        arguments=(
            Argument("duration", Duration(or_forever=True), "forever if left out", optional=True, default=FOREVER),
        ),
        cost=_duration,
        rows=(
            Row(
                "22.5.1",
                "/ws/stall/2s",
                act="send 8 of size 1MiB",
                expect={"opened": True, "echoes": 8, "within": 30},
                judge=("echo equal",),
                slow=2,
                cases=("bun#31760", "bun#31761", "ws#492", "feross/simple-websocket#4", "okhttp#3317"),
            ),
        ),
    ),
)
