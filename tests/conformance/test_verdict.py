"""What the server makes of a client, by a client that is right or wrong in one detail.

Modules: `verdict`, `conversation`, `messages`, `quiet_peer`.
"""

import json
import zlib
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from tests.conformance.runs import Run, started
from tests.scenarios.scenes import head
from tests.shared.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    client_frame,
    server_close,
    server_frame,
)
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE
from wsecho.conformance.cases import Case, all_cases
from wsecho.conformance.conversation import Conversation
from wsecho.conformance.messages import MessageReader, expected
from wsecho.conformance.verdict import (
    FAILED,
    INFORMATIONAL,
    NON_STRICT,
    OK,
    UNCLEAN,
    UNIMPLEMENTED,
    WRONG_CODE,
    Verdict,
    judge,
)

CASES = {case.id: case for case in all_cases(encrypted=True)}
NORMAL = b"\x03\xe8"
HELLO = client_frame(TEXT, b"hello")
ANSWER = client_frame(CLOSE, NORMAL)
# A case that the server closes after an echo; one that begins with Close; one with a ping; one of a wrong frame.
ECHO, CLOSING, PINGED, MASKED, REFUSED = "31.3.1", "20.1.2", "22.6.1", "26.1.1", "28.1.1"


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with started("--set", "all") as run:
        yield run


def played(run: Run, case: str, agent: str, *script: bytes | int, ends: str = "waits") -> dict[str, object]:
    """Send bytes, and read as many bytes as the numbers say; return the report. The agent is the name of the test."""
    with run.raw(f"/runCase?casetuple={case}&agent={agent}") as connection:
        head(connection)
        for action in script:
            if isinstance(action, bytes):
                connection.send(action)
            else:
                connection.receive(action)
        if ends == "resets":
            connection.reset()
        elif ends == "leaves":
            connection.half_close()
        if ends != "resets":
            connection.receive_all()
    run.verdict(f"casetuple={case}&agent={agent}")
    return report(run, case, agent)


def report(run: Run, case: str, agent: str) -> dict[str, object]:
    url = f"http://127.0.0.1:{run.port}/{agent}_case_{case.replace('.', '_')}.json"
    with urlopen(url, timeout=PATIENCE) as response:
        found: dict[str, object] = json.load(response)
    return found


def outcome(found: dict[str, object]) -> tuple[object, object]:
    return found["behavior"], found["behaviorClose"]


def test_a_correct_client(run: Run) -> None:
    found = played(run, ECHO, "correct", 7, HELLO, 4, ANSWER)
    assert outcome(found) == (OK, OK)
    assert (found["remoteCloseCode"], found["wirelog"]) == (1000, [])
    assert outcome(played(run, CLOSING, "correct", 14, client_frame(CLOSE, b"\x03\xe9going away"))) == (OK, OK)
    assert outcome(
        played(run, PINGED, "correct", 14, client_frame(PONG, b"hello") + client_frame(TEXT, b"after"), 4, ANSWER)
    ) == (OK, OK)
    assert outcome(played(run, MASKED, "correct", client_frame(CLOSE, b"\x03\xea"))) == (OK, OK)
    assert outcome(played(run, MASKED, "leaves", ends="leaves")) == (OK, OK)
    assert outcome(played(run, REFUSED, "correct", ends="leaves")) == (OK, OK)


def test_a_fragmented_echo_is_an_echo(run: Run) -> None:
    parts = client_frame(TEXT, b"he", fin=False) + client_frame(PING, b"") + client_frame(CONTINUATION, b"llo")
    assert outcome(played(run, ECHO, "fragments", 7, parts, 6, ANSWER)) == (OK, OK)


def test_what_the_client_echoes_does_not_come_back(run: Run) -> None:
    case = next(case for case in CASES.values() if case.word.name == "tick" and case.ends_itself)
    count = len(case.row.expect["messages"])
    script = [action for n in range(1, count + 1) for action in (3, client_frame(TEXT, b"%d" % n))]
    assert outcome(played(run, case.id, "echoes", *script, 4, ANSWER)) == (OK, OK)


@pytest.mark.parametrize(
    ("agent", "script", "fault"),
    [
        ("other-text", (7, client_frame(TEXT, b"hullo"), 4, ANSWER), "echo 1 is"),
        ("binary", (7, client_frame(BINARY, b"hello"), 4, ANSWER), "echo 1 is"),
        ("twice", (7, HELLO + HELLO, 4, ANSWER), "message 2 came back"),
        ("none", (7, ANSWER), "0 of 1 messages came back"),
    ],
)
def test_a_wrong_echo(run: Run, agent: str, script: tuple[bytes | int, ...], fault: str) -> None:
    found = played(run, ECHO, agent, *script)
    assert outcome(found) == (FAILED, OK)
    assert fault in str(found["result"])
    assert any("client" in line and "close 1000" in line for line in found["wirelog"])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("agent", "payload", "code"),
    [("code", b"\x03\xea", 1002), ("no-code", b"", None), ("half-a-code", b"\x03", None)],
)
def test_a_wrong_code(run: Run, agent: str, payload: bytes, code: int | None) -> None:
    found = played(run, CLOSING, agent, 14, client_frame(CLOSE, payload))
    assert outcome(found) == (OK, WRONG_CODE)
    assert found["remoteCloseCode"] == code


def test_an_answer_with_the_normal_code_is_no_failure(run: Run) -> None:
    assert outcome(played(run, CLOSING, "normal", 14, ANSWER)) == (OK, INFORMATIONAL)
    assert outcome(played(run, "20.77.1", "normal", 4, ANSWER)) == (OK, WRONG_CODE)


@pytest.mark.parametrize("ends", ["leaves", "resets"])
def test_an_end_without_a_close_frame(run: Run, ends: str) -> None:
    found = played(run, CLOSING, ends, 14, ends=ends)
    assert outcome(found) == (OK, UNCLEAN)
    assert found["remoteCloseCode"] is None


def test_frames_behind_the_close_frame(run: Run) -> None:
    found = played(run, CLOSING, "goes-on", 14, client_frame(CLOSE, b"\x03\xe9") + HELLO)
    assert outcome(found) == (FAILED, OK)
    assert "behind its Close frame" in str(found["result"])


def test_a_pong_with_another_payload(run: Run) -> None:
    answers = client_frame(PONG, b"hullo") + client_frame(TEXT, b"after")
    found = played(run, PINGED, "wrong-pong", 14, answers, 4, ANSWER)
    assert outcome(found) == (FAILED, OK)
    assert "no Pong frame with the payload 'hello'" in str(found["result"])


def test_a_client_that_accepts_a_wrong_frame(run: Run) -> None:
    # The server closes at once: it does not wait any longer.
    found = played(run, MASKED, "accepts", client_frame(TEXT, b"masked"), 22, ANSWER)
    assert outcome(found) == (FAILED, WRONG_CODE)
    assert "accepted what it must refuse" in str(found["result"])


def test_a_client_that_accepts_a_wrong_handshake(run: Run) -> None:
    found = played(run, REFUSED, "accepts", 7, HELLO, 4, ANSWER)
    assert outcome(found) == (FAILED, OK)


def test_a_client_that_breaks_the_protocol(run: Run) -> None:
    found = played(run, ECHO, "unmasked", 7, server_frame(TEXT, b"hello"))
    assert found["behaviorClose"] == UNCLEAN


def test_a_client_that_does_nothing_is_given_up() -> None:
    with started("--set", "all", "--only", "20.1.1,28.1.1") as run:
        connections = []
        for case in ("20.1.1", "28.1.1"):
            connection = RawConnection(run.port)
            connections.append(connection)
            connection.send(
                f"GET /runCase?casetuple={case}&agent=idle HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
        for connection in connections:
            with connection:
                connection.receive_all()
        code, output = run.stop()
    assert code == 1
    assert "idle: 2 cases, 2 failed" in output


# Without the wire.


def finished(case: str, *client: bytes) -> Verdict:
    """Return the verdict on what a client has sent in a case."""
    conversation = Conversation(lambda: None)
    conversation.opened(101, 0)
    for data in client:
        conversation.received(data)
    conversation.client_ended("fin")
    conversation.over()
    return judge(CASES[case], "test", conversation)


def first(demand: str) -> Case:
    return next(case for case in CASES.values() if case.row.demand == demand and case.opens and not case.ends_itself)


def test_what_a_client_should_do_is_no_failure() -> None:
    verdict = finished(first("should").id, client_frame(TEXT, b"unasked"), client_frame(CLOSE, b"\x0b\xb8"))
    assert (verdict.behavior, verdict.behavior_close) == (NON_STRICT, INFORMATIONAL)
    assert not verdict.is_failure
    assert verdict.log


def test_a_client_without_an_extension_that_a_case_needs_is_no_failure(run: Run) -> None:
    case = next(case.id for case in CASES.values() if "deflate" in case.row.needs)
    assert outcome(played(run, case, "plain", 4, ANSWER)) == (UNIMPLEMENTED, OK)


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_messages_are_read_however_they_are_cut(cut: int) -> None:
    compressor = zlib.compressobj(wbits=-15)
    compressed = []
    for text in (b"hello hello", b"hello again"):
        data = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
        compressed.append(client_frame(TEXT, data[:-4], reserved=4))
    stream = compressed[0] + client_frame(PING, b"p") + compressed[1] + client_frame(BINARY, b"\xff" * 300)
    reader = MessageReader()
    found = [each for at in range(0, len(stream), cut) for each in reader.feed(stream[at : at + cut])]
    wanted = [(TEXT, b"hello hello"), (PING, b"p"), (TEXT, b"hello again"), (BINARY, b"\xff" * 300)]
    assert [(each.opcode, each.digest, each.size) for each in found] == [
        (opcode, expected(opcode, payload).digest, len(payload)) for opcode, payload in wanted
    ]


def test_messages_of_which_each_ends_with_a_final_block() -> None:
    reader = MessageReader()
    for text in (b"hello hello", b"hello again"):
        compressor = zlib.compressobj(wbits=-15)
        data = compressor.compress(text) + compressor.flush(zlib.Z_FINISH) + b"\0"
        (message,) = reader.feed(client_frame(TEXT, data, reserved=4))
        assert message == expected(TEXT, text)


def test_data_that_is_not_compressed_although_it_says_so_is_no_error() -> None:
    (message,) = MessageReader().feed(client_frame(TEXT, b"\xff\xff", reserved=4))
    assert message.digest != expected(TEXT, b"\xff\xff").digest


def test_the_log_is_limited() -> None:
    conversation = Conversation(lambda: None)
    for _ in range(1000):
        conversation.received(client_frame(TEXT, b"x" * 1000))
    assert len(conversation.log) == 200
    assert max(len(event.text) for event in conversation.log) < 400
    assert len(conversation.messages["client"]) == 1000


def test_a_client_that_sends_nothing_has_no_line_in_the_log() -> None:
    conversation = Conversation(lambda: None)
    conversation.received(b"")
    assert conversation.log == []


def test_of_very_many_messages_the_last_ones_are_kept() -> None:
    conversation = Conversation(lambda: None)
    one = client_frame(PONG, b"")
    for _ in range(100):
        conversation.received(one * 1000)
    assert len(conversation.controls) == 100_000
    conversation.received(client_frame(PONG, b"last"))
    assert len(conversation.controls) == 100_000
    assert conversation.controls[-1].payload == b"last"


def test_the_frames_begin_behind_the_answer() -> None:
    conversation = Conversation(lambda: None)
    conversation.sent(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    conversation.opened(101, 5)
    conversation.sent(b"HTT")
    conversation.sent(b"P!" + server_frame(TEXT, b"hello") + server_close(1000, ""))
    (message,) = conversation.messages["server"]
    assert message.payload == b"hello"
