"""What a scenario may take: each limit at its bound and one over, before the handshake is answered and afterwards.

Modules: `budget`, `limits`.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.scenarios.scenes import request, scene
from tests.scenarios.test_grammar import error_of, plan_of
from tests.shared.raw import RawConnection, exchange
from tests.shared.server import RunningServer
from wsecho.scenarios.language.limits import LOCAL, PUBLIC, Limits

# The limits of a local server and of a public one: what is just allowed, what is not, and the line that refuses it.
# A flood sends ten bytes more for each message than its payload.
BOUNDS: dict[str, list[tuple[str, str, str]]] = {
    "local": [
        ("/ws/" + "ping/a/" * 31 + "echo", "/ws/" + "ping/a/" * 32 + "echo", "more than 32 steps"),
        ("/ws/" + "next/" * 7 + "close", "/ws/" + "next/" * 8 + "close", "more than 8 phases"),
        ("/ws/message/" + "a" * 4096, "/ws/message/" + "a" * 4097, "longer than 4096 bytes"),
        ("/ws/delay/15m", "/ws/delay/900001ms", "at most 15m is allowed here"),
        ("/ws/delay/15m" + "/delay/15m" * 3, "/ws/delay/15m" + "/delay/15m" * 3 + "/delay/1ms", "at most 60m"),
        ("/ws/wait/15m" + "/delay/15m" * 3, "/ws/wait/15m" + "/delay/15m" * 3 + "/delay/1ms", "at most 60m"),
        ("/ws/flood/1/1073741814", "/ws/flood/1/1073741815", "at most 1GiB are allowed"),
        ("/ws/flood/1000000/1", "/ws/flood/1000000/1/flood/1/1", "at most 1000000 are allowed"),
        ("/ws/bytes/size:65536", "/ws/bytes/size:65537", "at most 65536"),
        ("/ws/close?key=a", "/ws/close?key=", "is not 1 to 64 of"),
        ("/ws/close?key=" + "a" * 64, "/ws/close?key=" + "a" * 65, "is not 1 to 64 of"),
    ],
    "public": [
        ("/ws/" + "ping/a/" * 15 + "echo", "/ws/" + "ping/a/" * 16 + "echo", "more than 16 steps"),
        ("/ws/" + "next/" * 3 + "close", "/ws/" + "next/" * 4 + "close", "more than 4 phases"),
        ("/ws/message/" + "a" * 1024, "/ws/message/" + "a" * 1025, "longer than 1024 bytes"),
        ("/ws/delay/60", "/ws/delay/60001ms", "at most 1m is allowed here"),
        ("/ws/delay/60/delay/60", "/ws/delay/60/delay/60/delay/1ms", "at most 2m"),
        ("/ws/wait/60/delay/60", "/ws/wait/60/delay/60/delay/1ms", "at most 2m"),
        ("/ws/flood/1/8388598", "/ws/flood/1/8388599", "at most 8MiB are allowed"),
        ("/ws/flood/10000/1", "/ws/flood/10000/1/flood/1/1", "at most 10000 are allowed"),
        ("/ws/bytes/size:4096", "/ws/bytes/size:4097", "at most 4096"),
        ("/ws/on/size:4096", "/ws/on/size:4097", "at most 4096"),
        ("/ws/close?key=sixteen-letters-", "/ws/close?key=fifteen-letters", "at least 16 characters are needed"),
        ("/ws/header/X-One/a", "/ws/set-cookie/a/b", "a public server sets no cookies"),
    ],
}
CASES = [(name, *case) for name, cases in BOUNDS.items() for case in cases]
LIMITS: dict[str, Limits] = {"local": LOCAL, "public": PUBLIC}
# Steps without an end, before the 101 response and after it.
ENDLESS = (
    *("/ws/wait/forever", "/ws/handshake/truncated?keep", "/ws/freeze", "/ws/stall", "/ws/mute", "/ws/sink"),
    *("/ws/tick/400ms", "/ws/close-hold/1000"),
)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, RunningServer]]:
    both = {"local": RunningServer(), "public": RunningServer("--public")}
    yield both
    for server in both.values():
        server.stop()
        assert not server.complaints()
        server.close()


@pytest.mark.parametrize(("name", "at", "over", "line"), CASES)
def test_a_limit_is_inclusive_and_refuses_what_is_over(name: str, at: str, over: str, line: str) -> None:
    plan_of(at, LIMITS[name])
    assert line in error_of(over, LIMITS[name])


@pytest.mark.parametrize(("name", "at", "over", "line"), CASES)
def test_a_limit_is_checked_before_the_handshake_is_answered(
    servers: dict[str, RunningServer], name: str, at: str, over: str, line: str
) -> None:
    answer, _, body = exchange(servers[name], request(over)).partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert line in body.decode()
    if "/wait/" not in at:
        with RawConnection(servers[name].port) as connection:
            connection.send(request(at))
            assert connection.receive(12) == b"HTTP/1.1 101"
            connection.reset()


def test_a_step_without_an_end_ends_with_the_time_of_a_connection(serve: Serve, codec_name: str) -> None:
    change = "from wsecho.scenarios.language import limits; limits.LOCAL = limits.LOCAL._replace(seconds=1.0)"
    server = serve("--codec", codec_name, command=patched(change))
    began = monotonic()
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(server.port)) for _ in ENDLESS]
        for connection, url in zip(connections, ENDLESS, strict=True):
            connection.send(request(url))
        for connection in connections:
            connection.is_reset()
            # The event loop counts from the begin of its iteration.
            assert monotonic() - began >= 0.99
    server.wait_for_metrics(websocket_active_connections=0)


@pytest.mark.parametrize(("options", "most"), [((), 6), (("--public",), 3)])
def test_scenarios_get_a_share_of_all_connections(serve: Serve, options: tuple[str, ...], most: int) -> None:
    server = serve("--max-connections", "12", *options)
    connections = [RawConnection(server.port) for _ in range(most)]
    for connection in connections:
        connection.send(request("/ws/delay/60"))
        assert connection.receive(12) == b"HTTP/1.1 101"
    refusal = exchange(server, request("/ws/delay/60"))
    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 5\r\n" in refusal
    # All others may have the rest, and a plain echo below /ws needs no share.
    with RawConnection(server.port).open(), scene_of_echo(server):
        pass
    connections.pop().reset()
    server.wait_for_metrics(websocket_active_connections=most - 1)
    with scene(server, "/ws/delay/60"):
        pass
    for connection in connections:
        connection.socket.close()


def scene_of_echo(server: RunningServer) -> RawConnection:
    return RawConnection(server.port).open(request("/ws/echo"))
