"""Real clients that open a WebSocket, and what each tells its application when it opens or fails."""

import asyncio
import base64
import json
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import websockets

from tests.connections.test_compression import CLIENTS
from tests.shared.server import PATIENCE, RunningServer
from wsecho.scenarios.language.word import Row

# Seconds that a client gives a handshake that may never be answered.
_SHORT_PATIENCE = 3.0
_MOST_TRIES = 10


@dataclass
class Outcome:
    """What a client tells its application. A connection that ended without a Close frame has the code 1006."""

    opened: bool = False
    status: int | None = None
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    close_code: int | None = None
    error: str = ""


@dataclass
class Act:
    """What a row lets the client do."""

    url: str
    subprotocols: list[str]
    credentials: tuple[str, str] | None
    headers: dict[str, str]
    sends: bool
    reads: bool
    patience: float
    tls: ssl.SSLContext | None


Client = Callable[[Act], Awaitable[Outcome]]


def act_of(row: Row, server: RunningServer) -> Act:
    """Return what the row lets a client of this server do."""
    offered = re.search(r"offer the subprotocols (\w+) and (\w+)", row.act)
    account = re.search(r"authenticate as (\w+) with (\w+)", row.act)
    token = re.search(r"send the token (\w+) in Authorization", row.act)
    sends = "send hello" in row.act or row.act.startswith("connect")
    return Act(
        server.ws_url + row.url,
        list(offered.groups()) if offered else [],
        (account[1], account[2]) if account else None,
        {"Authorization": f"Bearer {token[1]}"} if token else {},
        sends,
        sends or "/message/" in row.url,
        _SHORT_PATIENCE if row.slow > _SHORT_PATIENCE else PATIENCE,
        server.client_tls,
    )


def _once(client: str, act: Act) -> Outcome:
    return asyncio.run(asyncio.wait_for(OPENERS[client](act), PATIENCE))


def perform(client: str, server: RunningServer, row: Row) -> Outcome:
    """Let a client perform a row."""
    act = act_of(row, server)
    outcome = _once(client, act)
    tries = 1
    while row.act == "connect until it opens" and not outcome.opened and tries < _MOST_TRIES:
        # The client has been told when to come again.
        assert outcome.status == 503
        time.sleep(int(outcome.headers["retry-after"]))
        outcome = _once(client, act)
        tries += 1
    return outcome


def differences(row: Row, outcome: Outcome) -> list[str]:
    """Return where an outcome is not what the row expects. What holds after the opening is compared if it opened."""
    expected = dict(row.expect)
    found = [] if _is(outcome.opened, expected["opened"]) else [f"opened is {outcome.opened}"]
    if outcome.opened:
        names = ("messages", "close_code") if expected["opened"] else ()
    else:
        # A client reports a status, or no response that it could read.
        names = ("status",) if outcome.status is not None else ()
        names += ("body",) if outcome.body else ()
        for name, value in expected.get("headers", {}).items():
            assert outcome.headers.get(name.lower()) == value
    return found + [
        f"{name} is {getattr(outcome, name)!r}"
        for name in names
        if name in expected and not _is(getattr(outcome, name), expected[name], whole=name == "messages")
    ]


def _is(value: Any, expected: Any, *, whole: bool = False) -> bool:
    """Return whether a value is the expected one, or one of them."""
    return bool(value in expected if isinstance(expected, list) and not whole else value == expected)


def _authorization(act: Act) -> dict[str, str]:
    if act.credentials is None:
        return act.headers
    return {"Authorization": "Basic " + base64.b64encode(":".join(act.credentials).encode()).decode()}


async def with_websockets(act: Act) -> Outcome:
    """Open with `websockets`."""
    outcome = Outcome()
    try:
        async with websockets.connect(
            act.url,
            subprotocols=[websockets.Subprotocol(name) for name in act.subprotocols] or None,
            additional_headers=_authorization(act),
            open_timeout=act.patience,
            proxy=None,
            ssl=act.tls,
        ) as connection:
            outcome.opened = True
            if act.sends:
                await connection.send("hello")
            if act.reads:
                outcome.messages.append(str(await connection.recv()))
        outcome.close_code = connection.close_code
    except websockets.InvalidStatus as refused:
        outcome.status = refused.response.status_code
        outcome.headers = {name.lower(): value for name, value in refused.response.headers.raw_items()}
        outcome.body = (refused.response.body or b"").decode()
    except (websockets.WebSocketException, OSError) as error:
        outcome.error = repr(error)
    return outcome


async def with_aiohttp(act: Act) -> Outcome:
    """Open with `aiohttp`, which reports no body."""
    outcome = Outcome()
    try:
        async with (
            # It has no time limit of its own for a handshake.
            asyncio.timeout(act.patience),
            aiohttp.ClientSession() as session,
            session.ws_connect(
                act.url, protocols=act.subprotocols, headers=_authorization(act), compress=15
            ) as connection,
        ):
            outcome.opened = True
            if act.sends:
                await connection.send_str("hello")
            if act.reads:
                outcome.messages.append(await connection.receive_str())
            await connection.close()
            outcome.close_code = connection.close_code
    except aiohttp.WSServerHandshakeError as refused:
        outcome.status = refused.status
        outcome.headers = {name.lower(): value for name, value in (refused.headers or {}).items()}
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        outcome.error = repr(error)
    return outcome


async def with_ws(act: Act) -> Outcome:
    """Open with `ws` on Node.js."""
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "ws").is_dir():
        pytest.skip("node or its package ws is not installed (Debian packages: nodejs, npm; then `make test`)")
    settings = {
        **{"subprotocols": act.subprotocols, "headers": act.headers, "send": act.sends, "read": act.reads},
        "rejectUnauthorized": act.tls is None,
        **{"auth": ":".join(act.credentials) if act.credentials else None, "patience": round(act.patience * 1000)},
    }
    done = subprocess.run(
        [node, str(CLIENTS / "ws_opens.js"), act.url, json.dumps(settings)],
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
        check=True,
    )
    return Outcome(**json.loads(done.stdout))


OPENERS: dict[str, Client] = {"websockets": with_websockets, "aiohttp": with_aiohttp, "ws": with_ws}
