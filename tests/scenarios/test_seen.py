"""The page /seen: what the server saw of each connection under a key, against what the client did.

Modules: `page`, `observation`, `transport`, `summary`, `frames`, `head`.
"""

import json
import os
import random
import secrets
import signal
import ssl
import threading
import tracemalloc
from collections import Counter
from time import monotonic
from typing import Any

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import closes_cleanly, head, request, scene
from tests.shared.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, client_frame, server_close, server_frame
from tests.shared.processes import children
from tests.shared.raw import RawConnection, exchange
from tests.shared.server import PATIENCE, RunningServer
from tests.shared.workers import held_by, take_out
from wsecho.http.request import Request
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.seen import head as heads
from wsecho.scenarios.seen.frames import Frame, FrameReader
from wsecho.scenarios.seen.keys import Keys
from wsecho.scenarios.seen.observation import KeyObservation
from wsecho.scenarios.seen.page import _encoded


def new_key() -> str:
    return secrets.token_hex(8)


def look(server: RunningServer, key: str) -> dict[str, Any]:
    """Return the page of a key."""
    status, headers, body = server.get(f"/seen?key={key}")
    assert (status, headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = json.loads(body)
    assert document["key"] == key
    return document


def seen(server: RunningServer, key: str, count: int = 1) -> list[dict[str, Any]]:
    """Return the connections of a key once so many have ended."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline:
        connections: list[dict[str, Any]] = look(server, key)["connections"]
        if sum(connection["over"] is not None for connection in connections) == count:
            return connections
        threading.Event().wait(0.01)
    raise AssertionError(f"expected {count} connections that have ended, not {connections}")


def frames(connection: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [(event["from"], event["frame"], event["size"]) for event in connection["events"]]


def how(connection: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return how client and server have ended TCP."""
    client, server = connection["tcp"]["client"], connection["tcp"]["server"]
    return client and client["how"], server and server["how"]


def test_a_scenario_from_its_handshake_to_its_end(shared_server: RunningServer) -> None:
    key = new_key()
    early = client_frame(TEXT, b"hello")
    with scene(shared_server, f"/ws/after/1/close/1001?key={key}", "X-Test: 1", early=early) as connection:
        told = connection.told
        assert connection.receive(7) == server_frame(TEXT, b"hello")
        closes_cleanly(connection, server_close(1001, ""), b"\x03\xe9so")
    (one,) = seen(shared_server, key)
    assert (one["connection"], one["attempt"], one["status"]) == (told["connection"], 1, 101)
    assert one["request"] == f"GET /ws/after/1/close/1001?key={key} HTTP/1.1"
    assert one["fields"][0] == ["Host", "here"]
    assert one["fields"][-1] == ["X-Test", "1"]
    assert frames(one) == [
        ("client", "text", 5),
        ("server", "text", 5),
        ("server", "close", 2),
        ("client", "close", 4),
    ]
    assert one["received"]["frames"] == {"text": {"count": 1, "payload": 5}, "close": {"count": 1, "payload": 4}}
    assert one["received"]["bytes"] == len(early) + 10
    assert one["sent"]["bytes"] == 11
    received, sent = one["close"]["received"], one["close"]["sent"]
    assert (received["code"], received["size"], sent["code"], sent["size"]) == (1001, 4, 1001, 2)
    assert 0 <= one["answered"] <= sent["at"] <= received["at"] <= one["over"]
    assert how(one) == ("fin", "fin")
    assert one["tcp"]["server"]["at"] <= one["tcp"]["client"]["at"]
    assert not any((one["tcp"]["timeout"], one["lost"], one["events_not_kept"], one["fields_not_kept"]))


def test_a_plain_echo_with_a_key(shared_server: RunningServer) -> None:
    key = new_key()
    with scene(shared_server, f"/ws?key={key}&pings=off") as connection:
        connection.send(client_frame(PING, b"hi"))
        assert connection.receive(4) == server_frame(0xA, b"hi")
        connection.send(client_frame(BINARY, b"abc", fin=False) + client_frame(CONTINUATION, b"d"))
        assert connection.receive(8) == server_frame(BINARY, b"abc", fin=False) + server_frame(CONTINUATION, b"d")
        # What the client does is seen while it does it.
        assert [event["final"] for event in look(shared_server, key)["connections"][0]["events"][2:]] == [
            *(False, True, False, True)
        ]
        connection.reset()
    (one,) = seen(shared_server, key)
    assert frames(one)[:2] == [("client", "ping", 2), ("server", "pong", 2)]
    assert sorted(frames(one)[2:]) == sorted(
        (side, frame, size) for side in ("client", "server") for frame, size in (("binary", 3), ("continuation", 1))
    )
    assert how(one) == ("rst", None)
    assert one["close"] == {"received": None, "sent": None}


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("/ws/end", ("fin", "fin")),
        ("/ws/abort", (None, "rst")),
        ("/ws/close-abort/1008", (None, "rst")),
        ("/ws/cut", ("fin", "fin")),
        ("/ws/reject/503", ("fin", "fin")),
    ],
)
def test_how_the_server_ends_tcp(shared_server: RunningServer, path: str, ends: tuple[str | None, str]) -> None:
    key = new_key()
    with RawConnection(shared_server.port) as connection:
        connection.send(request(f"{path}?key={key}"))
        connection.is_reset()
    (one,) = seen(shared_server, key)
    assert how(one) == ends
    assert one["status"] == (503 if "reject" in path else 101)


@pytest.mark.parametrize("path", ["/ws", "/ws/wait/1m", "/ws/freeze", "/ws/delay/1m"])
def test_how_the_client_ends_tcp(shared_server: RunningServer, path: str) -> None:
    key = new_key()
    for number, leave in enumerate((RawConnection.half_close, RawConnection.reset), start=1):
        with RawConnection(shared_server.port) as connection:
            connection.send(request(f"{path}?key={key}"))
            if "wait" not in path:
                head(connection)
            leave(connection)
            seen(shared_server, key, number)
    first, second = seen(shared_server, key, 2)
    assert how(first)[0] == "fin"
    assert how(second) == ("rst", None)
    assert (first["status"] is None) is ("wait" in path)


def test_over_tls(tls_server: RunningServer) -> None:
    key = new_key()
    with scene(tls_server, f"/ws/close?key={key}") as connection:
        closes_cleanly(connection, server_close(1000, ""), b"\x03\xe8")
    with (
        scene(tls_server, f"/ws/abort?key={key}") as connection,
        pytest.raises((ConnectionResetError, ssl.SSLEOFError)),
    ):
        connection.receive_all()
    with scene(tls_server, f"/ws?key={key}") as connection:
        connection.reset()
    first, second, third = seen(tls_server, key, 3)
    assert first["close"]["received"]["code"] == 1000
    assert how(first)[1] == "fin"
    assert how(second)[1] == "rst"
    assert how(third) == ("rst", None)


def test_a_time_limit(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--close-timeout", "100ms")
    with scene(server, "/ws/close?key=late") as connection:
        connection.receive_all()
    (one,) = seen(server, "late")
    assert one["tcp"]["timeout"]
    assert how(one)[1] == "close"
    assert one["close"]["received"] is None


def test_what_comes_after_close_is_seen(shared_server: RunningServer) -> None:
    key = new_key()
    with scene(shared_server, f"/ws/close/1000?key={key}") as connection:
        assert connection.receive(4) == server_close(1000, "")
        connection.send(client_frame(CLOSE, b"\x03\xe8") + client_frame(TEXT, b"late") + client_frame(CLOSE, b""))
        connection.receive_all()
    (one,) = seen(shared_server, key)
    assert frames(one)[1:] == [("client", "close", 2), ("client", "text", 4), ("client", "close", 0)]
    assert [event.get("code") for event in one["events"]] == [1000, 1000, None, 1005]
    assert one["close"]["received"]["code"] == 1000


def test_what_is_wrong_is_seen(shared_server: RunningServer) -> None:
    key = new_key()
    with scene(shared_server, f"/ws/bytes/hex:c1816162636400/bytes/hex:81fe/end?key={key}") as connection:
        assert connection.receive(9) == b"\xc1\x81abcd\0\x81\xfe"
        connection.send(b"\x83\x02hi" + b"\x81\x85abcdefg")
        connection.half_close()
    (one,) = seen(shared_server, key)
    sent, received, cut = one["events"]
    assert (sent["reserved"], sent["masked"], sent["size"]) == (4, True, 1)
    assert (received["frame"], received["masked"], received["size"]) == ("0x3", False, 2)
    assert (cut["frame"], cut["size"], cut["complete"]) == ("text", 5, False)
    assert one["received"]["frames"] == {"reserved": {"count": 1, "payload": 2}}


def test_a_connection_that_serves_another_handshake(shared_server: RunningServer) -> None:
    key = new_key()
    with RawConnection(shared_server.port) as connection:
        for number in (1, 2):
            connection.send(request(f"/ws/reject/401?keep&body=no&key={key}"))
            assert "401" in head(connection)
            assert connection.receive(2) == b"no"
            assert [one["status"] for one in look(shared_server, key)["connections"]] == [401] * number
    assert all(how(one) == (None, None) for one in seen(shared_server, key, 2))


def test_credentials_are_not_shown(server: RunningServer) -> None:
    key = new_key()
    fields = (
        *(
            "Authorization: Basic c2VjcmV0",
            "Proxy-Authorization: c2VjcmV0",
            "Cookie: c2VjcmV0=1",
            "X-Api-Key: c2VjcmV0",
        ),
        *("Referer: http://a/?session_id=c2VjcmV0", "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9"),
        "Sec-WebSocket-Protocol: chat, base64url.bearer.authorization.k8s.io.c2VjcmV0",
    )
    with scene_of(server, f"/ws?key={key}&access_token=c2VjcmV0&%74oken=c2VjcmV0&pwd=c2VjcmV0&a=b", *fields):
        pass
    text = server.get(f"/seen?key={key}")[2].decode()
    assert "c2VjcmV0" not in text
    assert "203.0.113.9" not in text
    (one,) = seen(server, key)
    shown = dict(one["fields"])
    assert shown["Authorization"] == shown["Cookie"] == "[redacted]"
    assert shown["Sec-WebSocket-Key"] == "dGhlIHNhbXBsZSBub25jZQ=="
    assert shown["Sec-WebSocket-Protocol"].startswith("chat, ")
    assert one["request"].endswith("&pwd=[redacted]&a=b HTTP/1.1")


def scene_of(server: RunningServer, url: str, *fields: str) -> RawConnection:
    """Open a scenario whose answer has more fields than usual."""
    connection = RawConnection(server.port)
    connection.send(request(url, *fields))
    assert " 101 " in head(connection)
    return connection


def test_a_long_head_is_cut_between_fields() -> None:
    fields = tuple((f"X-{number}", "a" * 100) for number in range(30))
    made = Request("GET", "/ws?key=a", "/ws", "key=a", "1.1", fields)
    kept, is_whole = heads.shown(made, 1000)
    assert not is_whole
    assert kept.endswith(b"X-8: " + b"a" * 100)
    assert heads.shown(made, 10_000)[1]
    assert heads.shown(made, 5) == (b"GET /", False)


def test_requests_without_a_key_and_keys_that_nobody_used(server: RunningServer) -> None:
    for path, line in (
        ("/seen", "/seen needs one key, as in /seen?key=k1, not 0"),
        ("/seen?key=a&key=b", "/seen needs one key, as in /seen?key=k1, not 2"),
        ("/seen?key=", "the option 'key', '', is not 1 to 64 of A-Z a-z 0-9 . _ -"),
        ("/seen?key=a%20b", "the option 'key', 'a b', is not 1 to 64 of A-Z a-z 0-9 . _ -"),
        ("/seen?key=%zz", "'%zz' in the option 'key' is no percent-encoding: write a percent sign as %25"),
    ):
        status, headers, body = server.get(path)
        assert (status, headers["access-control-allow-origin"], body.decode()) == (400, "*", f"{line}\n")
    status, headers, body = server.get("/seen/?key=nobody")
    assert (status, headers["access-control-allow-origin"], headers["cache-control"]) == (200, "*", "no-store")
    assert json.loads(body) == {"key": "nobody", "attempts": 0, "connections_not_kept": 0, "connections": []}


def test_a_public_server_wants_keys_that_cannot_be_guessed(serve: Serve) -> None:
    server = serve("--public")
    status, _, body = server.get("/seen?key=short")
    assert status == 400
    assert b"at least 16 characters" in body
    assert exchange(server, request("/ws?key=short")).startswith(b"HTTP/1.1 400 ")
    with scene(server, "/ws?key=0123456789abcdef"):
        assert look(server, "0123456789abcdef")["attempts"] == 1


def test_it_needs_the_credentials_of_clients(serve: Serve) -> None:
    server = serve("--auth-token", "open-sesame-0123456789")
    assert server.get("/seen?key=a")[0] == 401
    assert server.get("/seen?key=a", Authorization="Bearer open-sesame-0123456789")[0] == 200


def test_without_scenarios_there_is_none(serve: Serve) -> None:
    assert serve("--no-scenarios").get("/seen?key=a")[0] == 404


def test_all_workers_see_the_same(serve: Serve) -> None:
    server = serve("--workers", "2")
    for number in range(12):
        with scene(server, f"/ws/close/{3000 + number}?key=both") as connection:
            closes_cleanly(connection, server_close(3000 + number, ""), (3000 + number).to_bytes(2, "big"))
    for _ in range(6):
        connections = seen(server, "both", 12)
        assert [one["attempt"] for one in connections] == list(range(1, 13))
        assert [one["close"]["received"]["code"] for one in connections] == list(range(3000, 3012))


def test_what_a_killed_worker_saw_is_kept(serve: Serve) -> None:
    server = serve("--workers", "2")
    with scene(server, "/ws?key=killed") as connection:
        connection.send(client_frame(TEXT, b"hello"))
        assert connection.receive(7) == server_frame(TEXT, b"hello")
        assert not look(server, "killed")["connections"][0]["lost"]
        for pid in children(server.pid):
            if held_by(server, pid, [connection]):
                os.kill(pid, signal.SIGKILL)
        connection.is_reset()
    server.wait_for_log("worker died")
    (one,) = look(server, "killed")["connections"]
    assert (one["lost"], one["over"], one["received"]["frames"]["text"]["count"]) == (True, None, 1)
    server.stop()
    assert take_out(server, "worker died") == ["worker died"]


# What is kept is bounded.


def observe(keys: Keys, attempt: int = 1) -> KeyObservation:
    made = Request("GET", "/ws?key=a", "/ws", "key=a", "1.1", (("Host", "a"),))
    keys.next("key a", monotonic())
    return KeyObservation(keys, "key a", attempt, attempt, made)


def shown(keys: Keys) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_encoded(keys.kept("key a", monotonic()), "a"))
    return document


def test_events_of_a_key_are_bounded_and_counts_are_not() -> None:
    keys = Keys(LOCAL, workers=1)
    first, second = observe(keys), observe(keys, 2)
    first.opened(101, 0)
    for _ in range(LOCAL.events // 2):
        first.received(client_frame(TEXT, b"a") * 3)
    second.received(client_frame(CLOSE, b"\x03\xe8"))
    first.over()
    first.over()
    one, two = shown(keys)["connections"]
    assert len(one["events"]) == LOCAL.events
    assert one["events_not_kept"] == LOCAL.events // 2
    assert one["received"]["frames"]["text"]["count"] == LOCAL.events // 2 * 3
    assert (two["events"], two["events_not_kept"], two["close"]["received"]["code"]) == ([], 1, 1000)


def test_connections_of_a_key_are_bounded() -> None:
    keys = Keys(LOCAL, workers=1)
    for number in range(1, keys.most_connections + 11):
        one = observe(keys, number)
        one.opened(101, 0)
        one.sent(b"\x81\x01a")
        one.client_ended("fin")
        one.timed_out()
        one.over()
    document = shown(keys)
    assert (document["attempts"], document["connections_not_kept"]) == (keys.most_connections + 10, 10)
    assert len(document["connections"]) == keys.most_connections


def test_a_connection_whose_record_or_key_is_gone_harms_nobody() -> None:
    keys = Keys(LOCAL, workers=1)
    one = observe(keys)
    one.opened(101, 0)
    for _ in range(40_000):
        keys.blocks.take(owner=9, kind=1, previous=0)
    one.received(client_frame(TEXT, b"a"))
    one.server_ended("fin")
    one.answered(101)
    one.timed_out()
    one.over()
    assert shown(keys)["connections"] == []
    other = observe(keys, 2)
    keys.table.write(keys.table.digest("key a"), keys.table.read(keys.table.digest("key a"), monotonic()), -1000.0)  # type: ignore[arg-type]
    other.received(client_frame(TEXT, b"a"))
    assert shown(keys)["attempts"] == 0


# Frames.


def test_frames_do_not_depend_on_how_they_are_cut() -> None:
    data = (
        client_frame(TEXT, b"abc")
        + server_frame(BINARY, b"d" * 70_000)
        + client_frame(CLOSE, b"\x03\xe8bye")
        + b"\x88\x01a"
        + b"\x89\xfe\x00\x80"
        + bytes(4 + 128)
        + b"\xf3\x00"
    )
    expected = [
        Frame(0x81, 3, is_masked=True),
        Frame(0x82, 70_000, is_masked=False),
        Frame(0x88, 5, is_masked=True, code=1000),
        Frame(0x88, 1, is_masked=False, code=1005),
        Frame(0x89, 128, is_masked=True),
        Frame(0xF3, 0, is_masked=False),
    ]
    for size in (1, 2, 3, 7, 1000, len(data)):
        reader = FrameReader()
        found = [frame for at in range(0, len(data), size) for frame in reader.feed(data[at : at + size], most=1000)]
        assert found == expected
        assert reader.incomplete() is None


def test_a_frame_that_is_announced_and_does_not_come() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x81\x7f" + b"\xff" * 8 + b"abc", most=1000) == []
    assert reader.incomplete() == Frame(0x81, 2**64 - 1, is_masked=False, is_complete=False)


@pytest.mark.parametrize("most", [0, 20])
@pytest.mark.parametrize("size", [1, 9, 1000, 1 << 20])
def test_frames_that_are_only_counted_are_counted_exactly(size: int, most: int) -> None:
    chance = random.Random(6455)
    data = b""
    for _ in range(100):
        frame, opcode = chance.choice((client_frame, server_frame)), chance.choice((0, TEXT, BINARY, CLOSE, PING, 0xB))
        if chance.random() < 0.9:
            data += frame(opcode, bytes(chance.choice((0, 3, 4)))) * chance.choice((1, 1, 2, 3, 1200))
        else:
            data += frame(opcode, bytes(chance.choice((1, 2, 125, 126, 300))))
    everything = FrameReader().feed(data, most=len(data))
    counts: Counter[int] = Counter()
    payload: Counter[int] = Counter()
    reader = FrameReader()
    returned: list[Frame] = []
    for at in range(0, len(data), size):
        found = reader.feed(data[at : at + size], most)
        counts += reader.others
        payload += reader.others_payload
        returned += found
    assert [frame for frame in returned if frame.opcode == CLOSE] == [
        frame for frame in everything if frame.opcode == CLOSE
    ]
    for frame in returned:
        counts[frame.opcode] += 1
        payload[frame.opcode] += frame.size
    assert counts == Counter(frame.opcode for frame in everything)
    assert all(payload[opcode] == sum(one.size for one in everything if one.opcode == opcode) for opcode in counts)


def test_many_frames_in_one_write_are_not_as_many_objects() -> None:
    keys = Keys(LOCAL, workers=1)
    one = observe(keys)
    one.opened(101, 0)
    data = server_frame(TEXT, b"a") * 100_000 + server_close(1000, "")
    tracemalloc.start()
    one.sent(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    one.over()
    (connection,) = shown(keys)["connections"]
    assert peak < 2 << 20
    assert connection["sent"]["frames"] == {
        "text": {"count": 100_000, "payload": 100_000},
        "close": {"count": 1, "payload": 2},
    }
    assert (len(connection["events"]), connection["events_not_kept"]) == (LOCAL.events, 100_001 - LOCAL.events)
    assert connection["close"]["sent"]["code"] == 1000
