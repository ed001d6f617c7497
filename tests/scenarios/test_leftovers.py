"""A client that leaves a scenario, in any state of any row of the catalogue, leaves nothing behind in the server."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.scenarios.scenes import request, scene
from tests.shared.collectors import eventually
from tests.shared.frames import CLOSE, PING, TEXT, client_frame
from tests.shared.processes import descriptors, wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from wsecho.scenarios.catalogue import SEQUENCES, WORDS

URLS = [row.url for rows in (*(word.rows for word in WORDS), SEQUENCES) for row in rows]

# `/ready` returns how many tasks, connections, watched connections and scenarios there are, and how many objects of
# scenarios are in memory: a timer that still runs keeps those of its connection.
TELLING = """
import asyncio, gc, json
from wsecho.http.response import plain
from wsecho.routes.health import Health
from wsecho.scenarios.service import Service
services = []
begin = Service.__init__
Service.__init__ = lambda self, setting: (begin(self, setting), services.append(self))[0]
def left(self, request):
    connections = [len(each._setting.websockets.connections) for each in services]
    watched = [len(each._setting.websockets.connections._watched) for each in services]
    running = [each._open.count for each in services]
    if not any(running):
        gc.collect()
    kinds = ("Scenario", "OpeningConnection", "ScenarioConnection", "Shaper")
    kept = sum(type(one).__name__ in kinds for one in gc.get_objects())
    return plain(200, json.dumps([len(asyncio.all_tasks()), connections, watched, running, kept]))
Health._ready = left
"""

# Some rows need it, and none refuses it.
OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
MESSAGE = client_frame(TEXT, b"bye")
Leave = Callable[[RawConnection], None]


def nothing(connection: RawConnection) -> None:
    """Leave as soon as the handshake is sent."""


def first_byte(connection: RawConnection) -> None:
    """Leave when the answer arrives."""
    connection.receive(1)


def sending(data: bytes) -> Leave:
    """Leave while the server reads these bytes."""

    def send(connection: RawConnection) -> None:
        connection.send(data)

    return send


DOINGS = {
    "nothing": nothing,
    "the first byte": first_byte,
    "a message": sending(MESSAGE),
    "half a frame": sending(client_frame(TEXT, b"x" * 100)[:50]),
    "a ping and a fragment": sending(client_frame(PING, b"") + client_frame(TEXT, b"a", fin=False)),
    "a close frame": sending(client_frame(CLOSE, b"\x03\xe8")),
    "two messages and a close frame": sending(MESSAGE * 2 + client_frame(CLOSE, b"")),
    "no frame": sending(b"\xff" * 20),
}
LEAVINGS: tuple[Leave, ...] = (RawConnection.half_close, RawConnection.reset)


def may_be_gone(leave: Leave, connection: RawConnection) -> None:
    """Leave a connection that the server may have ended."""
    try:
        leave(connection)
    except OSError:
        connection.socket.close()


def left(server: RunningServer) -> list[Any]:
    told: list[Any] = json.loads(server.get("/ready")[2])
    return told


def at_rest(server: RunningServer) -> list[Any]:
    """Return what `/ready` tells once the connection that asks is the only one."""

    def check() -> list[Any]:
        told = left(server)
        assert (told[1], told[3:]) == ([1], [[0], 0])
        return told

    return eventually(check)


def require_rest(server: RunningServer, counts: list[Any], what: str = "") -> None:
    """Wait until no more is left than `at_rest` has returned."""

    def check() -> None:
        assert left(server) == counts, what

    eventually(check)


def test_nothing_is_left_of_a_client_that_leaves(serve: Serve, codec_name: str) -> None:
    limits = ("--stall-timeout", "2s", "--close-timeout", "2s", "--codec", codec_name)
    server = serve(*limits, command=patched(TELLING))
    with scene(server, "/ws/close"):
        pass
    counts, files = at_rest(server), descriptors(server.pid)
    for number, (name, do) in enumerate(DOINGS.items()):
        for leave in LEAVINGS:
            with ExitStack() as stack:
                for index, url in enumerate(URLS):
                    if do is first_byte and "/wait/" in url:
                        continue
                    # Under a key, other code sees the connection.
                    key = f"{'&' if '?' in url else '?'}key=row{index}" if number % 2 else ""
                    connection = stack.enter_context(RawConnection(server.port))
                    connection.send(request(url + key, OFFER))
                    may_be_gone(do, connection)
                    may_be_gone(leave, connection)
                require_rest(server, counts, name)
    wait_until(lambda: descriptors(server.pid) <= files)
    for index, url in enumerate(URLS):
        seen = json.loads(server.get(f"/seen?key=row{index}")[2])
        # A reset can overtake the handshake.
        assert 0 < seen["attempts"] <= len(DOINGS), url
        assert not [one for one in seen["connections"] if one["over"] is None], url


@pytest.mark.parametrize("name", ["nothing", "a message", "a ping and a fragment", "a close frame"])
def test_nothing_is_left_of_a_client_that_falls_silent(serve: Serve, codec_name: str, name: str) -> None:
    """It neither reads nor ends TCP, so the limits of the server end each connection, unanswered handshakes too."""
    limits = ("--stall-timeout", "2s", "--close-timeout", "1s", "--max-lifetime", "3s", "--keep-alive-timeout", "2s")
    server = serve(*limits, "--codec", codec_name, command=patched(TELLING))
    with scene(server, "/ws/close"):
        pass
    counts, files = at_rest(server), descriptors(server.pid)
    with ExitStack() as stack:
        for url in URLS:
            connection = stack.enter_context(RawConnection(server.port))
            connection.send(request(url, OFFER))
            may_be_gone(DOINGS[name], connection)
        require_rest(server, counts)
        wait_until(lambda: descriptors(server.pid) <= files)


def test_nothing_is_left_of_the_first_client_that_leaves_while_the_scenarios_are_imported(serve: Serve) -> None:
    server = serve(command=patched(TELLING))
    with RawConnection(server.port) as connection:
        connection.send(request("/ws/freeze"))
        connection.reset()
    # Both handshakes may have asked for them.
    wait_until(lambda: not any(left(server)[3]))
    with scene(server, "/ws/delay/60"):
        wait_until(lambda: left(server)[3] == [1])


@pytest.mark.parametrize("leave", LEAVINGS)
def test_a_public_server_has_room_for_the_same_address_again(serve: Serve, leave: Leave) -> None:
    server = serve("--public", "--stall-timeout", "2s", "--close-timeout", "2s")
    for url in ("/ws/wait/60", "/ws/freeze", "/ws/delay/60", "/ws/flood/100/1KiB", "/ws/reject/503"):
        with ExitStack() as stack:
            for _ in range(5):
                connection = stack.enter_context(RawConnection(server.port))
                connection.send(request(url))
                may_be_gone(leave, connection)

            def is_free() -> bool:
                with RawConnection(server.port) as another:
                    another.send(request("/ws/close"))
                    return b" 101 " in another.receive(15)

            wait_until(is_free)
