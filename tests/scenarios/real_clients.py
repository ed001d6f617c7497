"""Real clients that perform the rows of the catalogue: what each reports, and where that is not what a row expects.

`act` of a row is a list of actions: `wait` reads until the connection has ended, or until all expected messages are in;
`echo` sends back each message meanwhile; `send a, b` sends text messages first; `close` closes then.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import websockets

from tests.shared.server import RunningServer
from wsecho.scenarios.language.arguments import Size
from wsecho.scenarios.language.data import generated
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.language.word import Row


@dataclass
class Outcome:
    """What a client reports to its application. Messages are written as in the rows."""

    opened: bool = False
    messages: list[str] = field(default_factory=list)
    close_code: int | None = None
    reason: str = ""
    clean: bool = False


Client = Callable[[str, "Act", float, Outcome], Awaitable[None]]


class Act:
    """What a row lets the client do."""

    def __init__(self, row: Row) -> None:
        verb, _, rest = row.act.partition(" ")
        items = [item.strip() for item in rest.split(",")] if rest else []
        self.messages = [item for item in items if item != "close"] if verb == "send" else []
        self.echoes = verb == "echo"
        self.closes = row.act == "close" or "close" in items
        # How many messages are read before the client closes; None: it reads until the connection ends.
        goes_on = self.closes or "close_code" not in row.expect
        self.expected = len(row.expect.get("messages", ())) if goes_on else None


def differences(row: Row, outcome: Outcome) -> list[str]:
    """Return where an outcome is not what the row expects."""
    found = []
    for name in ("opened", "reason", "clean"):
        if name in row.expect and getattr(outcome, name) != row.expect[name]:
            found.append(f"{name} is {getattr(outcome, name)}")
    codes = row.expect.get("close_code")
    if codes is not None and outcome.close_code not in (codes if isinstance(codes, list) else [codes]):
        found.append(f"close_code is {outcome.close_code}")
    expected = row.expect.get("messages")
    if expected is not None and outcome.messages != [_written(text, at) for at, text in enumerate(expected, start=1)]:
        found.append(f"messages are {outcome.messages!r:.200}")
    return found


def _written(text: str, number: int) -> str:
    """Return a message of a row. One that is given by its size contains its number."""
    size = text.removeprefix("size:")
    return generated(number, Size().parse(size, LOCAL)).decode() if size != text else text


def _text(data: str | bytes | bytearray) -> str:
    return data if isinstance(data, str) else f"hex:{bytes(data).hex()}"


def perform(client: Client, server: RunningServer, row: Row) -> Outcome:
    """Let a client perform a row. What it has not reported within the time of the row, it does not report at all."""
    outcome = Outcome()
    asyncio.run(client(f"ws://127.0.0.1:{server.port}{row.url}", Act(row), row.expect["within"], outcome))
    return outcome


async def with_websockets(url: str, act: Act, within: float, outcome: Outcome) -> None:
    """Perform a row with `websockets`."""
    connection = await websockets.connect(url, max_size=64 << 20, close_timeout=2, ping_interval=None, proxy=None)
    outcome.opened = True
    try:
        async with asyncio.timeout(within):
            for text in act.messages:
                await connection.send(text)
            while act.expected is None or len(outcome.messages) < act.expected:
                data = await connection.recv()
                outcome.messages.append(_text(data))
                if act.echoes:
                    await connection.send(data)
            await connection.close()
    except websockets.ConnectionClosed as closed:
        await connection.wait_closed()
        outcome.clean = bool(closed.rcvd and closed.sent and closed.rcvd.code == closed.sent.code)
    except TimeoutError:
        connection.transport.abort()
        return
    else:
        outcome.clean = connection.close_code != 1006
    outcome.close_code, outcome.reason = connection.close_code, connection.close_reason or ""


async def with_aiohttp(url: str, act: Act, within: float, outcome: Outcome) -> None:
    """Perform a row with `aiohttp`."""
    limits = aiohttp.ClientWSTimeout(ws_close=2)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, max_msg_size=64 << 20, compress=15, timeout=limits) as connection,
    ):
        outcome.opened = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                for text in act.messages:
                    await connection.send_str(text)
                await _receive(connection, act, outcome)
                outcome.close_code = connection.close_code


async def _receive(connection: aiohttp.ClientWebSocketResponse, act: Act, outcome: Outcome) -> None:
    while act.expected is None or len(outcome.messages) < act.expected:
        message = await connection.receive()
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            outcome.clean = message.type is aiohttp.WSMsgType.CLOSE
            outcome.reason = message.extra or "" if outcome.clean else ""
            return
        outcome.messages.append(_text(message.data))
        if act.echoes:
            await (
                connection.send_str(message.data)
                if message.type is aiohttp.WSMsgType.TEXT
                else connection.send_bytes(message.data)
            )
    outcome.clean = await connection.close()


CLIENTS: dict[str, Client] = {"websockets": with_websockets, "aiohttp": with_aiohttp}
