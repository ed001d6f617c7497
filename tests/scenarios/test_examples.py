"""The needs that the language was made for: each URL through the wire, with all that a raw client gets.

Some take seconds, so all of a codec are performed at the same time.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

import pytest

from tests.scenarios.scenes import closes_cleanly, head, is_silent, request, scene, segments_with_data
from tests.scenarios.test_challenges import answer_to, challenge
from tests.scenarios.test_grammar import EXAMPLES
from tests.shared.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import SWITCHED, RawConnection, exchange
from tests.shared.server import RunningServer
from wsecho.scenarios.language.data import generated

Conversation = Callable[[RunningServer, str], None]
HELLO = client_frame(TEXT, b"hello"), server_frame(TEXT, b"hello")


def echoes(connection: RawConnection) -> None:
    connection.send(HELLO[0])
    assert connection.receive(len(HELLO[1])) == HELLO[1]


def generated_messages(count: int, size: int) -> bytes:
    return b"".join(server_frame(TEXT, generated(number, size)) for number in range(1, count + 1))


def statuses(server: RunningServer, url: str, count: int) -> list[bytes]:
    return [exchange(server, request(url)).split()[1] for _ in range(count)]


def code_and_reason(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        closes_cleanly(connection, server_close(1001, "going away"), b"\x03\xe9")


def messages_and_close(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        closes_cleanly(connection, generated_messages(1000, 100) + server_close(4000, ""), b"\x0f\xa0")


def late_answer(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        echoes(connection)
        connection.send(client_frame(CLOSE, b"\x03\xe8"))
        assert is_silent(connection, 1)


def data_after_the_clients_close(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        echoes(connection)
        connection.send(client_frame(CLOSE, b"\x0b\xb8bye"))
        assert connection.receive_all() == generated_messages(100, 1024) + server_close(3000, "bye")


def retry_after(server: RunningServer, url: str) -> None:
    answer = exchange(server, request(url))
    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"\r\nRetry-After: 2\r\n" in answer


def chunked_body(server: RunningServer, url: str) -> None:
    answer, _, body = exchange(server, request(url)).partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in answer
    assert body == b"8\r\nmaintena\r\n3\r\nnce\r\n0\r\n\r\n"


def digest_on_one_connection(server: RunningServer, url: str) -> None:
    with RawConnection(server.port) as connection:
        connection.send(request(url))
        answer = head(connection)
        assert "\r\nConnection: keep-alive\r\n" in answer
        length = int(answer.partition("Content-Length: ")[2].partition("\r\n")[0])
        connection.receive(length)
        connection.send(request(url, f"Authorization: {answer_to(challenge(answer), url)}"))
        assert head(connection).startswith(SWITCHED.decode()[:-2])
        echoes(connection)


def bundled(server: RunningServer, url: str) -> None:
    with RawConnection(server.port) as connection:
        connection.send(request(url))
        assert connection.receive(len(SWITCHED + HELLO[1])) == SWITCHED + HELLO[1]


def connection_list(server: RunningServer, url: str) -> None:
    expected = SWITCHED.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade")
    with RawConnection(server.port) as connection:
        connection.send(request(url))
        assert connection.receive(len(expected)) == expected
        echoes(connection)


def refused_then_working(server: RunningServer, url: str) -> None:
    assert statuses(server, url, 3) == [b"503"] * 3
    for _ in range(2):
        with scene(server, url) as connection:
            echoes(connection)


def restart(server: RunningServer, url: str) -> None:
    began = monotonic()
    with scene(server, url) as connection:
        echoes(connection)
        assert is_silent(connection, 3)
        echoes(connection)
        closes_cleanly(connection, server_close(1012, ""), b"\x03\xf4")
    assert monotonic() - began > 9
    with scene(server, url) as connection:
        echoes(connection)
        assert connection.told["attempt"] == "2"


def closed_for_ever(server: RunningServer, url: str) -> None:
    for _ in range(3):
        with scene(server, url) as connection:
            closes_cleanly(connection, server_close(1008, ""), b"\x03\xf0")
    seen = json.loads(server.get(f"/seen?{url.partition('?')[2]}")[2])
    assert seen["attempts"] == 3
    began = [one["began"] for one in seen["connections"]]
    assert began == sorted(began)
    assert [one["close"]["received"]["code"] for one in seen["connections"]] == [1008] * 3


def numbers(*those: int) -> bytes:
    return b"".join(server_frame(TEXT, b"%d" % number) for number in those)


def resumed_stream(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        expected = numbers(*range(1, 51))
        assert connection.receive(len(expected)) == expected
        assert connection.is_reset()
    with scene(server, url) as connection:
        assert connection.receive(8) == numbers(51, 52)


def unanswered(server: RunningServer, url: str) -> None:
    with RawConnection(server.port) as connection:
        connection.send(request(url))
        assert is_silent(connection, 1)


def dead_after_a_message(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        echoes(connection)
        connection.send(HELLO[0] + client_frame(PING) + client_frame(CLOSE))
        assert is_silent(connection)


def pongs_without_data(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        connection.send(HELLO[0] + client_frame(PING, b"alive"))
        assert connection.receive(7) == server_frame(PONG, b"alive")
        assert is_silent(connection)


def ping_between_fragments(server: RunningServer, url: str) -> None:
    expected = (
        server_frame(TEXT, b"Hel", fin=False) + server_frame(PING, b"between") + server_frame(CONTINUATION, b"lo")
    )
    with scene(server, url) as connection:
        assert connection.receive(len(expected)) == expected
        echoes(connection)


def one_byte_a_segment(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        before = segments_with_data(connection)
        echoes(connection)
        assert segments_with_data(connection) >= before + len(HELLO[1])


def cut_character(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        connection.send(client_frame(TEXT, "é".encode()))
        expected = server_frame(TEXT, b"\xc3", fin=False) + server_frame(CONTINUATION, b"\xa9")
        assert connection.receive(len(expected)) == expected


def not_read(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        connection.send(HELLO[0] + client_frame(PING))
        assert is_silent(connection, 1)


def acknowledged_late(server: RunningServer, url: str) -> None:
    protocol = "Sec-WebSocket-Protocol: graphql-transport-ws"
    answer = server_frame(TEXT, b'{"type":"connection_ack"}')
    with scene(server, url, protocol, agreed=protocol) as connection:
        began = monotonic()
        echoes(connection)
        assert connection.receive(len(answer)) == answer
        assert monotonic() - began > 5
        echoes(connection)


def frame_from_a_report(server: RunningServer, url: str) -> None:
    with scene(server, url) as connection:
        assert connection.receive(4) == b"\x88\x02\x04\x4c"


CONVERSATIONS: dict[str, Conversation] = {
    "/ws/close/1001?reason=going%20away": code_and_reason,
    "/ws/burst/1000/100/close/4000": messages_and_close,
    "/ws/on-close/delay/5m/close": late_answer,
    "/ws/on-close/flood/100/1KiB/close": data_after_the_clients_close,
    "/ws/reject/429?retry-after=2s": retry_after,
    "/ws/reject/503?body=maintenance&framing=chunked": chunked_body,
    "/ws/require/digest/ann/secret?keep": digest_on_one_connection,
    "/ws/handshake/bundled/message/hello": bundled,
    "/ws/handshake/connection-list": connection_list,
    "/ws/times/3/reject/503/next?key=k1": refused_then_working,
    "/ws/after/10s/close/1012/next?key=k1": restart,
    "/ws/close/1008?key=k1": closed_for_ever,
    "/ws/tick/100ms/50/abort/next/tick/100ms?resume&key=k1": resumed_stream,
    "/ws/wait/forever": unanswered,
    "/ws/after/1/freeze": dead_after_a_message,
    "/ws/mute": pongs_without_data,
    "/ws/ping-between": ping_between_fragments,
    "/ws?chunk=1": one_byte_a_segment,
    "/ws?fragment=1": cut_character,
    "/ws/stall/30s": not_read,
    "/ws/after/1/delay/6s/message/%7B%22type%22:%22connection_ack%22%7D?subprotocol=graphql-transport-ws": (
        acknowledged_late
    ),
    "/ws/bytes/hex:8802044c": frame_from_a_report,
}


@pytest.fixture(scope="module")
def performed(shared_server: RunningServer) -> Iterator[dict[str, Future[None]]]:
    with ThreadPoolExecutor(len(CONVERSATIONS)) as threads:
        # Each with a key of its own, because all of a key are counted together.
        yield {
            url: threads.submit(conversation, shared_server, url.replace("key=k1", f"key={conversation.__name__}"))
            for url, conversation in CONVERSATIONS.items()
        }


@pytest.mark.parametrize("url", CONVERSATIONS)
def test_an_example_through_the_wire(performed: dict[str, Future[None]], url: str) -> None:
    performed[url].result()


def test_every_example_has_a_conversation() -> None:
    assert CONVERSATIONS.keys() == EXAMPLES.keys()
