"""101 responses that are unusual or wrong in exactly one detail, to the byte.

Modules: `answers`, `unusual_handshakes`, `wrong_handshakes`.
"""

from time import monotonic

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import head, request, segments_with_data
from tests.scenarios.test_grammar import error_of
from tests.shared.collectors import eventually
from tests.shared.frames import CLOSE, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import SWITCHED, RawConnection, exchange
from tests.shared.server import PATIENCE, RunningServer
from wsecho.scenarios.catalogue import WORDS
from wsecho.scenarios.steps.opening.answers import with_bad_window, wrong_key

CORRECT = SWITCHED.decode()
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
WRONG = f"A{ACCEPT[1:]}"
END = "\r\n\r\n"
PATH = "; Path=/ws/handshake/cookies; Max-Age=60"
OFFER = "Sec-WebSocket-Extensions: permessage-deflate"


def replaced(old: str, new: str) -> str:
    assert old in CORRECT
    return CORRECT.replace(old, new)


def with_fields(*fields: str) -> str:
    return CORRECT[:-2] + "".join(f"{field}\r\n" for field in fields) + "\r\n"


# The whole response to the handshake, by fault. None of these changes what follows.
RESPONSES = {
    "bundled": CORRECT,
    "dribbled": CORRECT,
    "lower-case": (
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-accept: {ACCEPT}{END}"
    ),
    "connection-list": replaced("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
    "no-reason": replaced("101 Switching Protocols", "101 "),
    "other-reason": replaced("Switching Protocols", "Web Socket Protocol Handshake"),
    "content-length": with_fields("Content-Length: 0"),
    "chunked": with_fields("Transfer-Encoding: chunked"),
    "headers?count=2&size=3": with_fields("X-Filler-1: xxx", "X-Filler-2: xxx"),
    "early-hints": f"HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preload; as=fetch{END}{CORRECT}",
    "cookies": with_fields(
        *(f"Set-Cookie: wsecho=first{PATH}", f"Set-Cookie: wsecho=second{PATH}"),
        *(f'Set-Cookie: wsecho[odd]="a, b"{PATH}', f"Set-Cookie: wsecho-alone{PATH}"),
    ),
    "wrong-accept": replaced(ACCEPT, WRONG),
    "no-accept": replaced(f"Sec-WebSocket-Accept: {ACCEPT}\r\n", ""),
    "accept-twice": with_fields(f"Sec-WebSocket-Accept: {WRONG}"),
    "no-upgrade": replaced("Upgrade: websocket\r\n", ""),
    "no-connection": replaced("Connection: Upgrade\r\n", ""),
    "unoffered-subprotocol": with_fields("Sec-WebSocket-Protocol: wsecho-unoffered"),
    "two-subprotocols": with_fields("Sec-WebSocket-Protocol: wsecho-one", "Sec-WebSocket-Protocol: wsecho-two"),
    "unoffered-extension": with_fields("Sec-WebSocket-Extensions: x-wsecho-unoffered"),
    "bad-deflate-parameter": with_fields("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16"),
    "http10": replaced("HTTP/1.1", "HTTP/1.0"),
    "no-reason-no-space": replaced("101 Switching Protocols", "101"),
}
# Answers after which TCP ends.
ENDS = {
    "status-200": replaced("101 Switching Protocols", "200 OK").encode(),
    "truncated": SWITCHED[: len(SWITCHED) // 2],
    "garbage": bytes(range(256)),
}


def differences(response: str) -> set[str]:
    """Return what differs from the correct response: parts of the status line, and fields by their names."""
    found = set()
    line, *fields = response.removesuffix(END).split("\r\n")
    correct_line, *correct_fields = CORRECT.removesuffix(END).split("\r\n")
    for part, value, correct in zip(
        ("version", "status", "reason"), line.split(" ", 2), correct_line.split(" ", 2), strict=False
    ):
        found |= {part} if value != correct else set()
    if line.count(" ") < 2:
        found.add("reason")
    values, correct_values = ({}, {})
    for written, into in ((fields, values), (correct_fields, correct_values)):
        for field in written:
            name, value = field.split(": ", 1)
            into.setdefault(name, []).append(value)
    if {name.lower() for name in values} == set(values):
        # The case of names and values is one detail.
        return found | {"case"}
    return found | {name for name in {*values, *correct_values} if values.get(name) != correct_values.get(name)}


def test_every_fault_is_here() -> None:
    names = {word.name.partition("/")[2] for word in WORDS if word.label == "handshake"}
    assert names == {name.partition("?")[0] for name in RESPONSES} | set(ENDS)


@pytest.mark.parametrize("name", [*RESPONSES, "status-200"])
def test_exactly_one_detail_differs(name: str) -> None:
    if name in ("bundled", "dribbled"):
        assert RESPONSES[name] == CORRECT
    elif name == "early-hints":
        assert RESPONSES[name].endswith(END + CORRECT)
    else:
        response = RESPONSES.get(name) or ENDS[name].decode()
        # One status has one reason phrase. The additional fields of a row are one detail.
        found = {difference.partition("-Filler")[0] for difference in differences(response)} - {"status"}
        assert len(found) == 1


@pytest.mark.parametrize("name", RESPONSES)
def test_the_response_is_exact_and_the_websocket_works(shared_server: RunningServer, name: str) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request(f"/ws/handshake/{name}"))
        assert connection.receive(len(RESPONSES[name])).decode() == RESPONSES[name]
        echoes(connection)


def echoes(connection: RawConnection) -> None:
    """Expect an echo, and a clean end."""
    connection.send(client_frame(TEXT, b"hello") + client_frame(CLOSE, b"\x03\xe8"))
    assert connection.receive_all() == server_frame(TEXT, b"hello") + server_close(1000, "")


@pytest.mark.parametrize("name", ENDS)
def test_answers_after_which_tcp_ends(shared_server: RunningServer, name: str) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request(f"/ws/handshake/{name}"))
        assert connection.receive_all() == ENDS[name]


def test_half_an_answer_can_be_followed_by_silence(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/handshake/truncated?keep"))
        half = ENDS["truncated"]
        assert connection.receive(len(half)) == half
        connection.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.receive(1)


@pytest.mark.parametrize("name", ["wrong-accept", "dribbled", "early-hints", "status-200", "truncated"])
def test_the_same_by_tls(tls_server: RunningServer, name: str) -> None:
    with RawConnection(tls_server.port, tls=tls_server.client_tls) as connection:
        connection.send(request(f"/ws/handshake/{name}"))
        if name in ENDS:
            assert connection.receive_all() == ENDS[name]
        else:
            assert connection.receive(len(RESPONSES[name])).decode() == RESPONSES[name]
            echoes(connection)


def test_frames_come_in_the_segment_of_the_response(shared_server: RunningServer) -> None:
    expected = SWITCHED + server_frame(TEXT, b"a") + server_frame(TEXT, b"b") + server_close(1000, "")
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/handshake/bundled/message/a/message/b/close/1000"))
        # One read: the kernel returns what has arrived, which is all of one segment.
        assert connection.socket.recv(1 << 16) == expected


def test_a_dribbled_response_comes_in_segments_of_a_byte(shared_server: RunningServer) -> None:
    def check() -> None:
        with RawConnection(shared_server.port) as connection:
            connection.send(request("/ws/handshake/dribbled"))
            assert connection.receive(len(SWITCHED)) == SWITCHED
            assert segments_with_data(connection) >= len(SWITCHED)

    # On a busy machine, the kernel joins those that wait until the client has acknowledged ten others.
    eventually(check)


def test_a_long_dribbled_response_takes_no_longer(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/handshake/headers/handshake/dribbled?count=1&size=100KiB"))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.socket.recv(1 << 16)
        assert answer == with_fields(f"X-Filler-1: {'x' * 102_400}").encode()


def test_the_defaults_of_additional_fields(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/handshake/headers"))
        answer = head(connection)
        assert answer == with_fields(*(f"X-Filler-{number}: {'x' * 16}" for number in range(1, 101)))


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("/ws/handshake/headers?count=1000&size=2KiB", "are allowed"),
        ("/ws/handshake/headers?count=1001", "is not a whole number from 1 to 1000"),
        ("/ws/handshake/no-reson", "'no-reson', which is no fault: did you mean 'handshake/no-reason'?"),
        ("/ws/handshake", "which is no fault"),
        ("/ws/message/a/handshake/bundled", "happens before the 101 response"),
        ("/ws/handshake/garbage/message/a", "is the end of a connection"),
    ],
)
def test_what_cannot_be_performed(url: str, line: str) -> None:
    assert line in error_of(url)


def test_chosen_subprotocols_are_those_of_the_client(shared_server: RunningServer) -> None:
    def subprotocols(fault: str, offer: str) -> list[str]:
        with RawConnection(shared_server.port) as connection:
            connection.send(request(f"/ws/handshake/{fault}", f"Sec-WebSocket-Protocol: {offer}"))
            lines = head(connection).split("\r\n")
            return [line.split(": ")[1] for line in lines if line.startswith("Sec-WebSocket-Protocol: ")]

    assert subprotocols("two-subprotocols", "one, two, three") == ["one", "two"]
    assert subprotocols("two-subprotocols", "one") == ["one", "wsecho-one"]
    assert subprotocols("two-subprotocols", "wsecho-one") == ["wsecho-one", "wsecho-onex"]
    assert subprotocols("unoffered-subprotocol", "wsecho-unoffered") == ["wsecho-unofferedx"]
    assert subprotocols("bundled", "one, two") == ["one"]


@pytest.mark.parametrize(
    ("fault", "offer", "agreed"),
    [
        ("unoffered-extension", "", "permessage-deflate, x-wsecho-unoffered"),
        ("bad-deflate-parameter", "", "permessage-deflate; server_max_window_bits=16"),
        (
            "bad-deflate-parameter",
            "; server_max_window_bits=10; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=10; server_max_window_bits=16",
        ),
    ],
)
def test_a_wrong_extension_stands_beside_what_was_agreed(
    shared_server: RunningServer, fault: str, offer: str, agreed: str
) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request(f"/ws/handshake/{fault}", OFFER + offer))
        assert head(connection) == with_fields(f"Sec-WebSocket-Extensions: {agreed}")


def test_faults_can_be_combined(shared_server: RunningServer) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/handshake/lower-case/handshake/wrong-accept/handshake/no-reason"))
        expected = RESPONSES["lower-case"].replace(ACCEPT, WRONG).replace("101 Switching Protocols", "101 ")
        assert connection.receive(len(expected)).decode() == expected


def test_wrong_keys_and_windows() -> None:
    assert wrong_key("Abc=") == "Bbc="
    assert wrong_key("abc=") == "Abc="
    assert with_bad_window("") == "permessage-deflate; server_max_window_bits=16"


def test_a_public_server_sets_no_cookies(serve: Serve) -> None:
    answer = exchange(serve("--public"), request("/ws/handshake/cookies"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Set-Cookie" not in answer
    assert b"a public server sets no cookies" in answer


@pytest.mark.parametrize(
    "url",
    [
        *("/ws/handshake/dribbled", "/ws/handshake/truncated?keep", "/ws/reject/503?framing=slow", "/ws/wait/forever"),
        "/ws/handshake/bundled/delay/60s",
    ],
)
def test_a_client_that_leaves_frees_its_place(serve: Serve, codec_name: str, url: str) -> None:
    # Half of two connections may be scenarios.
    server = serve("--codec", codec_name, "--max-connections", "2")
    with RawConnection(server.port) as connection:
        connection.send(request(url))
        if "wait" not in url:
            connection.receive(1)
        connection.reset()
    deadline = monotonic() + PATIENCE
    while (answer := exchange(server, request("/ws/reject/418"))).startswith(b"HTTP/1.1 503 "):
        assert monotonic() < deadline
    assert answer.startswith(b"HTTP/1.1 418 ")


def test_how_handshakes_are_counted(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    for name in (*ENDS, "wrong-accept/close/1000"):
        with RawConnection(server.port) as connection:
            connection.send(request(f"/ws/handshake/{name}") + client_frame(CLOSE, b"\x03\xe8"))
            connection.receive_all()
    metrics = server.wait_for_metrics(websocket_active_connections=0, websocket_connections_total=1)

    def refused(status_class: str) -> float:
        labels = f'outcome="refused",reason="by_scenario",status_class="{status_class}"'
        return metrics[f"websocket_handshakes_total{{{labels}}}"]

    assert (refused("2xx"), refused("none")) == (1, 2)
    assert metrics['wsecho_scenarios_total{step="handshake"}'] == 4
