"""Waits and triggers: what happens before the next step."""

from typing import Any

from wsecho.scenarios.language.arguments import Amount, Bytes, Duration, Until
from wsecho.scenarios.language.data import Data
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Row, Word
from wsecho.scenarios.steps import deflate, shaping
from wsecho.scenarios.steps.peer import Opening, Peer, Receiving


async def wait(opening: Opening, duration: float) -> None:
    """Leave the handshake unanswered for a while."""
    await opening.sleep(duration)


async def delay(peer: Peer, duration: float) -> None:
    """Wait without echo."""
    await peer.sleep(duration)


async def echo(peer: Peer) -> None:
    """Do nothing: the server echoes after the last step."""


async def after(peer: Peer, amount: Amount) -> None:
    """Echo until so much has happened."""
    peer.receive(Receiving.ECHO)
    await peer.happens(amount)


async def on(peer: Peer, text: Data) -> None:
    """Echo until a certain text message has arrived."""
    peer.receive(Receiving.ECHO)
    await peer.text_arrives(text.payload(1))


async def on_close(peer: Peer) -> None:
    """Echo until the client's Close frame arrives, and leave it unanswered."""
    peer.receive(Receiving.ECHO)
    await peer.client_closes()


def _first_duration(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(seconds=values[0])


def _amount(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    amount: Amount = values[0]
    return Cost(seconds=amount.value) if amount.unit == "seconds" else Cost()


def _nothing(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost()


OPTIONS = ()

WORDS = (
    Word(
        name="wait",
        number="29.1",
        group="K",
        server="Leaves the handshake unanswered for {duration}.",
        client="Gives up after a time that the application can set.",
        rfc="RFC 6455 section 4.1 sets no time limit",
        run=wait,
        stage="opening",
        arguments=(Argument("duration", Duration(or_forever=True), "how long"),),
        cost=_first_duration,
        rows=(
            Row(
                "29.1.1",
                "/ws/wait/forever",
                act="wait",
                expect={"opened": False, "within": 60},
                demand="should",
                slow=60,
                cases=("crossbario/autobahn-python#50", "bun#35167", "clj-commons/aleph#346", "netty#8841"),
                browser={"within": 250},
            ),
            Row(
                "29.1.2",
                "/ws/wait/2s/message/hello",
                act="wait",
                expect={"opened": True, "messages": ["hello"], "within": 10},
                judge=("echo equal",),
                slow=2,
            ),
        ),
    ),
    Word(
        name="delay",
        number="31.1",
        group="M",
        server="Waits for {duration} without echo. Messages are echoed later. Ping frames are answered, and so are "
        "Close frames, unless on-close is in the scenario.",
        client="Waits.",
        rfc="RFC 6455 section 5.5.2",
        run=delay,
        arguments=(Argument("duration", Duration(), "how long"),),
        cost=_first_duration,
        rows=(
            Row(
                "31.1.1",
                "/ws/delay/2s/message/hello",
                act="wait",
                expect={"opened": True, "messages": ["hello"], "within": 10},
                judge=("echo equal",),
                slow=2,
                cases=("enisdenjo/graphql-ws#228",),
            ),
        ),
    ),
    Word(
        name="after",
        number="31.2",
        group="M",
        server="Echoes until {amount} have passed or arrived, then goes on. What comes behind is not echoed before the "
        "steps that follow.",
        client="Reads its echoes.",
        rfc="RFC 6455 section 5.4",
        run=after,
        arguments=(Argument("amount", Until(), "messages, a duration or bytes"),),
        cost=_amount,
        rows=(
            Row(
                "31.2.1",
                "/ws/after/3/close/1000",
                act="send one, two, three, four",
                expect={
                    **{"opened": True, "messages": ["one", "two", "three"], "close_code": 1000, "clean": True},
                    "within": 5,
                },
                judge=("close 1000",),
                cases=("fabric8io/mockwebserver#54", "Ilmar7786/marzban-sdk#85"),
            ),
        ),
    ),
    Word(
        name="echo",
        number="31.3",
        group="M",
        server="Echoes for as long as the client likes.",
        client="Reads its echoes.",
        rfc="RFC 6455 section 5.6",
        run=echo,
        cost=_nothing,
        ends=True,
        rows=(
            Row(
                "31.3.1",
                "/ws/echo",
                act="send hello, close",
                expect={"opened": True, "messages": ["hello"], "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000",),
            ),
            # Rows of options, which are about the echo.
            *shaping.ROWS,
            *deflate.ROWS,
        ),
    ),
    Word(
        name="on",
        number="31.7",
        group="M",
        server="Echoes until the client has sent a text message that is exactly this: {text}. Then it goes on. What "
        "comes behind is not echoed before the steps that follow.",
        client="Reads its echoes.",
        rfc="RFC 6455 section 5.6",
        run=on,
        arguments=(
            Argument("text", Bytes(as_text=True, is_short=True), "text, or hex:, b64:, size:; shorter than other data"),
        ),
        may_deflate=False,
        rows=(
            Row(
                "31.7.1",
                "/ws/on/bye/close/4000",
                act="send hello, bye, late",
                expect={
                    **{"opened": True, "messages": ["hello", "bye"], "close_code": 4000, "clean": True},
                    "within": 5,
                },
                judge=("close 4000",),
                cases=("gitlab-org/gitlab!247786",),
            ),
        ),
    ),
    Word(
        name="on-close",
        number="31.8",
        group="M",
        server="Echoes until the client's Close frame arrives, then goes on without an answer to it. After the last "
        "step, the server answers it.",
        client="Waits for the answer for a time that the application can set, then ends TCP and reports 1006. It gives "
        "no message to the application any more, or only those that arrive before the answer.",
        rfc="RFC 6455 sections 5.5.1, 7.1.1 and 7.1.5",
        run=on_close,
        keeps_close=True,
        rows=(
            Row(
                "20.9.1",
                "/ws/on-close/delay/2s/close",
                act="close",
                expect={"opened": True, "close_code": 1000, "clean": True, "within": 10},
                demand="should",
                judge=("close 1000", "nothing after close"),
                slow=2,
                cases=("vertx#5592", "wsc#592"),
            ),
            Row(
                "20.9.2",
                "/ws/on-close/message/one/message/two/close",
                act="close",
                expect={"opened": True, "close_code": 1000, "clean": True, "within": 5},
                judge=("close 1000", "nothing after close"),
                cases=("aiohttp#1002", "wsharp#753", "cometd/cometd#513"),
            ),
            Row(
                "20.9.3",
                "/ws/on-close/end",
                act="close",
                expect={"opened": True, "messages": [], "close_code": 1006, "clean": False, "within": 5},
                judge=("close 1000", "nothing after close"),
                cases=("okhttp#8262", "vertx#5610"),
            ),
            Row(
                "20.9.4",
                "/ws/on-close/abort",
                act="close",
                expect={"opened": True, "messages": [], "close_code": 1006, "clean": False, "within": 5},
                judge=("close 1000", "nothing after close"),
                cases=("dotnet#51590",),
            ),
        ),
    ),
)
