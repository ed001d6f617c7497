"""Real clients that act on an open WebSocket as a row of the catalogue says, and what each tells its application."""

import asyncio
import contextlib
import json
import re
import shutil
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
import pytest
import websockets

from tests.connections.test_compression import CLIENTS
from tests.shared.server import PATIENCE, RunningServer
from wsecho.scenarios.language.arguments import Size
from wsecho.scenarios.language.data import generated
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.language.word import Row

# Seconds that clients wait for the answer to their Close frame, and for the end of TCP.
_CLOSE_TIMEOUT = 4
_ABNORMAL = 1006
# The longest message that a client accepts; that of `ws` is of the same order.
_LONGEST = 64 << 20
# Rows of so many seconds are about clients that may never end.
_LONG = 10


@dataclass
class Outcome:
    """What a client tells its application. A connection that ended without a Close frame has the code 1006."""

    opened: bool = False
    messages: list[str] = field(default_factory=list)
    close_code: int | None = None
    reason: str = ""

    @property
    def clean(self) -> bool:
        return self.close_code not in (None, _ABNORMAL)


@dataclass
class Act:
    """What a row lets the client do: send messages, again after so many milliseconds, send a ping, send back what it
    receives, and close.

    It closes or leaves after so many messages as `reads` says; None: it reads until the connection has ended.
    """

    messages: list[str]
    every: int
    ping: bool
    back: bool
    close: bool
    reads: int | None


def act_of(row: Row) -> Act:
    """Return what a row lets the client do."""
    words = row.act.removeprefix("send ").removesuffix(" each second")
    many = re.fullmatch(r"(\d+) of size (\w+)", words)
    items = [] if many else words.split(", ")
    messages = [item for item in items if item not in ("wait", "ping", "echo", "close")]
    if many:
        messages = [generated(number, Size().parse(many[2], LOCAL)).decode() for number in range(1, int(many[1]) + 1)]
    closes = "close" in items
    ends = {"close_code", "clean"} & row.expect.keys() and row.demand != "unspecified"
    reads = None if ends and not closes else row.expect.get("echoes", len(row.expect.get("messages", ())))
    return Act(
        messages, 1000 if row.act.endswith("each second") else 0, "ping" in items, "echo" in items, closes, reads
    )


Client = Callable[[str, Act, Outcome], Awaitable[None]]


def perform(client: str, server: RunningServer, row: Row, *, is_impatient: bool = False) -> Outcome:
    """Let a client perform a row. A client that does not end in time has told its application nothing of the end.

    With `is_impatient`, it has no more time than the row gives it, however busy the machine is.
    """
    limit = row.expect["within"] if row.slow >= _LONG or is_impatient else PATIENCE
    outcome = Outcome()
    with contextlib.suppress(TimeoutError):
        asyncio.run(asyncio.wait_for(ACTORS[client](server.ws_url + row.url, act_of(row), outcome), limit))
    return outcome


def differences(row: Row, outcome: Outcome) -> list[str]:
    """Return where an outcome is not what the row expects."""
    expected = dict(row.expect)
    if "echoes" in expected:
        expected["messages"] = act_of(row).messages
    elif "messages" in expected:
        expected["messages"] = [_expected(text, number) for number, text in enumerate(expected["messages"], start=1)]
    found = []
    for name in {"opened", "messages", "close_code", "reason", "clean"} & expected.keys():
        value = getattr(outcome, name)
        is_one_of_several = name == "close_code" and isinstance(expected[name], list)
        if name == "clean" and outcome.close_code is None:
            # The client has left.
            continue
        if (value not in expected[name]) if is_one_of_several else (value != expected[name]):
            found.append(f"{name} is {value!r:.200}")
    return found


def _expected(text: str, number: int) -> str:
    """Return a message of a row. One that is given by its size contains its number."""
    size = text.removeprefix("size:")
    return generated(number, Size().parse(size, LOCAL)).decode() if size != text else text


async def with_websockets(url: str, act: Act, outcome: Outcome) -> None:
    """Act with `websockets`."""
    settings: dict[str, Any] = {
        "max_size": _LONGEST,
        "close_timeout": _CLOSE_TIMEOUT,
        "ping_interval": None,
        "proxy": None,
    }
    connection = await websockets.connect(url, ssl=_trusting(url), **settings)
    outcome.opened = True

    async def send() -> None:
        for message in act.messages:
            await connection.send(message)

    try:
        with contextlib.suppress(websockets.ConnectionClosed):
            if act.ping:
                await connection.ping()
            async with _sending(act, send):
                while len(outcome.messages) != act.reads:
                    data = await connection.recv()
                    outcome.messages.append(_written(data))
                    if act.back:
                        await connection.send(data)
        if act.close or act.reads is None:
            await connection.close()
            outcome.close_code, outcome.reason = connection.close_code, connection.close_reason or ""
    finally:
        connection.transport.abort()
        await connection.wait_closed()


async def with_aiohttp(url: str, act: Act, outcome: Outcome) -> None:
    """Act with `aiohttp`."""
    limits = aiohttp.ClientWSTimeout(ws_close=_CLOSE_TIMEOUT)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            url, max_msg_size=_LONGEST, compress=15, timeout=limits, ssl=_trusting(url) or True
        ) as connection,
    ):
        outcome.opened = True

        async def send() -> None:
            for message in act.messages:
                await connection.send_str(message)

        if act.ping:
            await connection.ping()
        async with _sending(act, send):
            while len(outcome.messages) != act.reads:
                message = await connection.receive()
                if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    outcome.reason = message.extra or "" if message.type is aiohttp.WSMsgType.CLOSE else ""
                    break
                outcome.messages.append(_written(message.data))
                if act.back:
                    await connection.send_frame(message.data.encode(), message.type)
        if act.close or act.reads is None:
            await connection.close()
            outcome.close_code = connection.close_code


async def with_ws(url: str, act: Act, outcome: Outcome) -> None:
    """Act with `ws` on Node.js."""
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "ws").is_dir():
        pytest.skip("node or its package ws is not installed (Debian packages: nodejs, npm; then `make test`)")
    process = await asyncio.create_subprocess_exec(
        *(node, str(CLIENTS / "ws_acts.js"), url), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        printed, _ = await process.communicate(json.dumps(asdict(act)).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    for name, value in json.loads(printed).items():
        setattr(outcome, name, value)


@contextlib.asynccontextmanager
async def _sending(act: Act, send: Callable[[], Awaitable[None]]) -> Any:
    """Send the messages meanwhile, once or again and again. The end of the connection is no error here."""

    async def all_of_them() -> None:
        with contextlib.suppress(ConnectionError, websockets.ConnectionClosed, aiohttp.ClientError):
            await send()
            while act.every:
                await asyncio.sleep(act.every / 1000)
                await send()

    task = asyncio.create_task(all_of_them())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _trusting(url: str) -> ssl.SSLContext | None:
    return ssl._create_unverified_context() if url.startswith("wss:") else None


def _written(data: str | bytes | bytearray) -> str:
    return data if isinstance(data, str) else f"hex:{bytes(data).hex()}"


ACTORS: dict[str, Client] = {"websockets": with_websockets, "aiohttp": with_aiohttp, "ws": with_ws}
