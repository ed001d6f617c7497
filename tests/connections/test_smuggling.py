"""Request smuggling and related attacks through the wire: an attack, an innocent request behind it, and the right
answers.

The server must not disagree with a proxy in front of it about where a request ends. It therefore refuses what is
ambiguous, closes the connection after a refusal, and never answers what follows it.

Modules: `http_connection`.
"""

import re
import socket
from dataclasses import dataclass

import pytest

from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import RunningServer
from wsecho.http.http1 import MAX_FIELDS, MAX_FIELDS_SIZE, MAX_REQUEST_LINE

# Sent behind an attack. It ends the connection where the server may answer it.
INNOCENT = b"GET /health HTTP/1.1\r\nHost: innocent\r\nConnection: close\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One response; `close` is true if it announced the end of the connection."""

    status: int
    close: bool
    body: bytes


def answers(data: bytes) -> list[Answer]:
    """Split everything that a server sent into responses, by their Content-Length alone."""
    found = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, head
        status_line, *lines = head.decode("ascii").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        size = int(fields["Content-Length"])
        assert len(data) >= size
        found.append(Answer(int(status_line.split()[1]), "close" in fields["Connection"].split(", "), data[:size]))
        data = data[size:]
    return found


def drip(connection: RawConnection, data: bytes) -> None:
    """Send `data` in segments of one byte."""
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for index in range(len(data)):
        connection.send(data[index : index + 1])


def exchange(server: RunningServer, data: bytes, *, dripping: bool = False) -> bytes:
    """Send `data` and return everything until the server ends the connection."""
    with RawConnection(server.port) as connection:
        if dripping:
            drip(connection, data)
        else:
            connection.send(data)
        return connection.receive_all()


def get(*fields: bytes, line: bytes = b"GET /health HTTP/1.1", host: bytes = b"Host: a\r\n") -> bytes:
    """Return a request with additional fields and replaced parts."""
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def upgrade(*fields: bytes, **changes: bytes) -> bytes:
    """Return a handshake with additional fields, and with fields (`_` stands for `-`) that have another value or are
    missing.
    """
    request = HANDSHAKE
    for name, value in changes.items():
        line = rb"(?i)\r\n(%b):[^\r]*" % name.replace("_", "-").encode()
        request, count = re.subn(line, rb"\r\n\1: " + value if value else b"", request)
        assert count == 1
    return request[:-2] + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"0\r\n\r\n"

# Reference, attack, status of the only answer: the server closes the connection after it, and does not answer the
# innocent request.
REFUSED = (
    # Two lengths, or a length that is not a number.
    (
        "CVE-2019-16789: TE with a leading vertical tab",
        get(b"Content-Length: 5", b"Transfer-Encoding: \x0bchunked"),
        400,
    ),
    ("RFC 9112 6.3: chunked is not the last coding", get(b"Transfer-Encoding: chunked, gzip") + CHUNKS, 400),
    ("CVE-2020-10109: CL and TE", get(b"Content-Length: 5", CHUNKED) + CHUNKS, 400),
    ("CVE-2020-10109: TE and CL", get(CHUNKED, b"Content-Length: 5") + CHUNKS, 400),
    ("CVE-2020-10108: two lengths", get(b"Content-Length: 0", b"Content-Length: 44"), 400),
    ("CVE-2019-16792: equal lengths", get(b"Content-Length: 0", b"Content-Length: 0"), 400),
    ("RFC 9110 8.6: list of lengths", get(b"Content-Length: 0, 44"), 400),
    ("CVE-2023-47627: length with a sign", get(b"Content-Length: +0"), 400),
    ("CVE-2023-47627: length with an underscore", get(b"Content-Length: 0_0"), 400),
    ("RFC 9110 8.6: hexadecimal length", get(b"Content-Length: 0x0"), 400),
    ("CVE-2025-69224: superscript digit", get(b"Content-Length: \xb2"), 400),
    ("CVE-2025-69224: Arabic digit", get(b"Content-Length: \xd9\xa0"), 400),
    ("RFC 9110 8.6: negative length", get(b"Content-Length: -1"), 400),
    ("RFC 9110 8.6: empty length", get(b"Content-Length:"), 400),
    ("RFC 9110 8.6: length that wraps to 0 in 64 bits", get(b"Content-Length: 18446744073709551616"), 400),
    ("CVE-2020-10108: bad length behind a good one", get(b"Content-Length: 0", b"Content-Length: x"), 400),
    ("RFC 9112 6.1: two TE fields", get(CHUNKED, CHUNKED) + CHUNKS, 400),
    ("RFC 9112 6.1: chunked twice", get(b"Transfer-Encoding: chunked, chunked") + CHUNKS, 400),
    ("RFC 9112 6.1: unknown coding", get(b"Transfer-Encoding: xchunked") + CHUNKS, 400),
    ("RFC 9112 6.1: identity", get(b"Transfer-Encoding: identity"), 400),
    ("RFC 9112 6.1: empty TE", get(b"Transfer-Encoding:"), 400),
    ("CVE-2019-16786: coding before chunked", get(b"Transfer-Encoding: gzip, chunked") + CHUNKS, 400),
    (
        "RFC 9112 6.1: TE in HTTP/1.0",
        get(CHUNKED, b"Connection: keep-alive", line=b"GET /health HTTP/1.0") + CHUNKS,
        400,
    ),
    # Names that one side reads and the other does not.
    ("RFC 9112 5.1: space before the colon", get(b"Transfer-Encoding : chunked") + CHUNKS, 400),
    ("RFC 9112 5.1: tab before the colon", get(b"Content-Length\t: 5"), 400),
    ("RFC 9110 5.6.2: NUL in a name", get(b"Transfer\x00-Encoding: chunked") + CHUNKS, 400),
    ("RFC 9110 5.6.2: space in a name", get(b"Content Length: 5"), 400),
    ("RFC 9110 5.6.2: high byte in a name", get(b"Content-Length\xa0: 5"), 400),
    ("RFC 9112 5: no name", get(b": 5"), 400),
    ("RFC 9112 5: no colon", get(b"Content-Length"), 400),
    ("RFC 9112 2.2: space before the first field", get(host=b" Content-Length: 5\r\nHost: a\r\n"), 400),
    # Line ends that one side sees and the other does not.
    ("CVE-2019-16785: bare LF behind a field", get(b"X: y\nContent-Length: 5"), 400),
    ("CVE-2019-16785: bare LF ends the request line", get(line=b"GET /health HTTP/1.1\nX: y"), 400),
    ("CVE-2019-16785: bare LF ends the head", HEALTH[:-2] + b"\n", 400),
    ("CVE-2019-16785: bare LF ends every line", HEALTH.replace(b"\r\n", b"\n"), 400),
    ("RFC 9112 2.2: bare CR in a field", get(b"X: y\rContent-Length: 5"), 400),
    ("RFC 9112 2.2: bare CR ends the head", HEALTH[:-2] + b"\r\r\n", 400),
    ("RFC 9112 2.2: bare CR before the request line", b"\r" + HEALTH, 400),
    ("RFC 9112 2.2: CR CR LF before the request line", b"\r\r\n" + HEALTH, 400),
    ("RFC 9112 2.2: bare LF before the request line", b"\n" + HEALTH, 400),
    ("RFC 9112 5.2: folded field", get(b"X: y", b" Content-Length: 5"), 400),
    ("RFC 9112 5.2: folded TE", get(b"Transfer-Encoding:", b" chunked") + CHUNKS, 400),
    ("RFC 9112 5.2: line of spaces only", get(b"X: y", b" "), 400),
    ("RFC 9110 5.5: NUL in a value", get(b"X: y\x00Content-Length: 5"), 400),
    ("RFC 9110 5.5: control character in a value", get(b"X: \x01"), 400),
    # Bodies, which the server accepts nowhere.
    ("RFC 9112 6.3: body of a GET", get(b"Content-Length: %d" % len(INNOCENT)), 400),
    ("CVE-2025-43859: garbage behind a chunk", get(CHUNKED) + b"5\r\nhelloXX0\r\n\r\n", 400),
    ("RFC 9112 7.1.1: chunk extension", get(CHUNKED) + b"0;a=b\r\n\r\n", 400),
    ("CVE-2024-52304: bare LF in a chunk extension", get(CHUNKED) + b"2;\nxx\r\n0\r\n\r\n", 400),
    ("RFC 9112 7.1: bare LF behind a chunk size", get(CHUNKED) + b"0\nx\r\n\r\n", 400),
    ("CVE-2025-53643: trailers", get(CHUNKED, b"Trailer: X") + b"0\r\nContent-Length: 5\r\n\r\n", 400),
    ("CVE-2022-24761: hexadecimal chunk size with a prefix", get(CHUNKED) + b"0x0\r\n\r\n", 400),
    ("RFC 9112 7.1: chunk size that wraps", get(CHUNKED) + b"10000000000000000\r\n", 400),
    ("RFC 9110 9.3: body of a POST to a page", get(CHUNKED, line=b"POST /health HTTP/1.1") + CHUNKS, 405),
    ("RFC 9110 9.3: body of a POST to nowhere", get(CHUNKED, line=b"POST /nowhere HTTP/1.1") + CHUNKS, 405),
    ("RFC 9110 10.1.1: Expect with a body", get(b"Expect: 100-continue", b"Content-Length: 5"), 400),
    # Host fields.
    ("CVE-2026-34525: two Hosts", get(b"Host: b"), 400),
    ("CVE-2026-34525: two equal Hosts", get(b"Host: a"), 400),
    ("RFC 9112 3.2: no Host", get(host=b""), 400),
    ("RFC 9112 3.2: two Hosts in HTTP/1.0", get(b"Host: a", line=b"GET /health HTTP/1.0"), 400),
    ("RFC 9112 3.2: Host with a space", get(host=b"Host: a b\r\n"), 400),
    ("RFC 9112 3.2: Host that is a list", get(host=b"Host: a, b\r\n"), 400),
    ("RFC 9112 3.2: Host with a path", get(host=b"Host: a/b\r\n"), 400),
    ("RFC 9112 3.2: Host with a user", get(host=b"Host: a@b\r\n"), 400),
    ("RFC 9112 3.2: Host with a high byte", get(host=b"Host: \xe9\r\n"), 400),
    # Request lines.
    ("RFC 9112 3: two spaces before the target", get(line=b"GET  /health HTTP/1.1"), 400),
    ("RFC 9112 3: two spaces before the version", get(line=b"GET /health  HTTP/1.1"), 400),
    ("RFC 9112 3: space behind the version", get(line=b"GET /health HTTP/1.1 "), 400),
    ("RFC 9112 3: tab for a space", get(line=b"GET\t/health HTTP/1.1"), 400),
    ("RFC 9112 3.2: space in the target", get(line=b"GET /health /x HTTP/1.1"), 400),
    ("CVE-2026-42544: high byte in the target", get(line=b"GET /\xff HTTP/1.1"), 400),
    ("RFC 9112 2.3: another protocol, of the same length", get(line=b"GET /health RTSP/1.0"), 400),
    ("RFC 9112 2.3: another protocol", get(line=b"SOURCE /health ICE/1.0"), 400),
    ("RFC 9112 2.3: version in lower case", get(line=b"GET /health http/1.1"), 400),
    ("RFC 9112 3: HTTP/0.9", b"GET /health\r\n\r\n", 505),
    ("RFC 9110 2.5: HTTP/2 without its preface", get(line=b"GET /health HTTP/2.0"), 505),
    ("RFC 9113 3.4: HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("hypercorn#277: CONNECT", get(line=b"CONNECT a:443 HTTP/1.1"), 400),
    ("RFC 9112 3.2.3: CONNECT with a path", get(line=b"CONNECT /health HTTP/1.1"), 405),
    ("RFC 9112 3.2.3: CONNECT with a URL", get(line=b"CONNECT http://a/health HTTP/1.1"), 405),
    ("RFC 9110 9.1: unknown method", get(line=b"BREW /health HTTP/1.1"), 400),
    ("RFC 9110 9.1: method in lower case", get(line=b"get /health HTTP/1.1"), 400),
    # Handshakes: a proxy may be tunnelling already, whatever the server answers.
    ("CVE-2026-69243: handshake with a body", upgrade(b"Content-Length: 5") + b"hello", 400),
    ("CVE-2026-69243: handshake with chunks", upgrade(CHUNKED) + CHUNKS, 400),
    ("websocket-smuggle: unsupported version", upgrade(Sec_WebSocket_Version=b"1337"), 426),
    ("RFC 6455 4.4: no version", upgrade(Sec_WebSocket_Version=b""), 426),
    ("RFC 6455 4.1: two versions", upgrade(b"Sec-WebSocket-Version: 13"), 426),
    ("RFC 6455 4.1: no key", upgrade(Sec_WebSocket_Key=b""), 400),
    ("RFC 6455 4.1: two keys", upgrade(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400),
    ("RFC 6455 4.1: key that is none", upgrade(Sec_WebSocket_Key=b"x"), 400),
    ("aiohttp#12723: notupgrade", upgrade(Connection=b"notupgrade"), 400),
    ("aiohttp#12723: notwebsocket", upgrade(Upgrade=b"notwebsocket"), 426),
    ("RFC 6455 4.1: handshake in HTTP/1.0", HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    ("RFC 6455 4.1: handshake that is a POST", HANDSHAKE.replace(b"GET", b"POST", 1), 405),
    ("CVE-2026-42544: subprotocol with a high byte", upgrade(b"Sec-WebSocket-Protocol: caf\xe9"), 400),
    ("CVE-2020-7695: subprotocol with a line end", upgrade(b"Sec-WebSocket-Protocol: a\rX: y"), 400),
    ("RFC 6455 4.1: subprotocol with a tab", upgrade(b"Sec-WebSocket-Protocol: a\tb"), 400),
    ("RFC 6455 4.2.1: WebSocket path without an upgrade", get(line=b"GET /ws HTTP/1.1"), 426),
    ("CVE-2021-32640: 30 KB of list elements", get(b"Connection: " + b"a, " * 5000, b"Upgrade: " + b" ," * 7000), 431),
)

# Reference, first request, status of its answer. The innocent request behind it is also answered, once.
ANSWERED = (
    ("CVE-2023-46137: pipelining", HEALTH, 200),
    ("RFC 9112 2.2: empty line before the request line", b"\r\n" + HEALTH, 200),
    ("RFC 9112 6.2: Content-Length of 0", get(b"Content-Length: 0"), 200),
    ("RFC 9112 3.2.2: URL for a target", get(line=b"GET http://b/health HTTP/1.1"), 200),
    ("RFC 9112 9.3: HTTP/1.0 that asks to go on", get(b"Connection: keep-alive", line=b"GET /health HTTP/1.0"), 200),
    ("RFC 9112 5.1: another name that looks alike", get(b"Content_Length: 5", b"X-Transfer-Encoding: chunked"), 200),
    ("RFC 9110 5.5: high bytes in a value", get(b"X: \xff\xfe\x85\xa0"), 200),
    ("RFC 9110 7.8: upgrade to something else", get(b"Connection: upgrade", b"Upgrade: h2c"), 200),
    ("RFC 9110 7.6.1: Connection that names a length", get(b"Connection: content-length", b"Content-Length: 0"), 200),
    ("RFC 9110 10.1.1: Expect without a body", get(b"Expect: 100-continue"), 200),
    ("RFC 9110 15.5.5: nowhere", get(line=b"GET /nowhere HTTP/1.1"), 404),
    ("CVE-2026-69243: no path but a handshake switches", get(line=b"GET /status/101 HTTP/1.1"), 404),
    ("RFC 9112 3.2.4: asterisk", get(line=b"OPTIONS * HTTP/1.1"), 405),
    ("RFC 9110 9.3.8: TRACE is not reflected", get(b"X: secret", line=b"TRACE /health HTTP/1.1"), 405),
)

# Reference, and a first request that is answered with 200 and asks to be the last one.
LAST = (
    ("RFC 9112 9.6: close", get(b"Connection: close")),
    ("RFC 9112 9.6: close in a list", get(b"Connection: keep-alive, ClOsE")),
    ("RFC 9112 9.6: close in a second field", get(b"Connection: keep-alive", b"Connection: close")),
    ("RFC 9112 9.3: HTTP/1.0", get(line=b"GET /health HTTP/1.0")),
    ("RFC 9112 9.3: HTTP/1.0, close wins", get(b"Connection: keep-alive, close", line=b"GET /health HTTP/1.0")),
)


def rows(table: tuple[tuple[object, ...], ...]) -> list[object]:
    return [pytest.param(*row[1:], id=str(row[0])) for row in table]


@pytest.mark.parametrize("dripping", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize(("attack", "status"), rows(REFUSED))
def test_an_attack_is_refused_and_nothing_behind_it_is_answered(
    server: RunningServer, attack: bytes, status: int, dripping: bool
) -> None:
    (answer,) = answers(exchange(server, attack + INNOCENT, dripping=dripping))
    assert (answer.status, answer.close) == (status, True)
    assert answer.body.count(b"\n") == 1


@pytest.mark.parametrize("dripping", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize(("first", "status"), rows(ANSWERED))
def test_what_follows_a_good_request_is_answered_once(
    server: RunningServer, first: bytes, status: int, dripping: bool
) -> None:
    found = answers(exchange(server, first + INNOCENT, dripping=dripping and len(first) < 1000))
    assert [(answer.status, answer.close) for answer in found] == [(status, False), (200, True)]
    assert b"secret" not in found[0].body


@pytest.mark.parametrize("dripping", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("first", [pytest.param(first, id=name) for name, first in LAST])
def test_nothing_behind_a_last_request_is_answered(server: RunningServer, first: bytes, dripping: bool) -> None:
    found = answers(exchange(server, first + INNOCENT, dripping=dripping))
    assert [(answer.status, answer.close) for answer in found] == [(200, True)]


def test_what_follows_a_handshake_is_frames_and_no_request(server: RunningServer) -> None:
    # RFC 6455 section 5.2: the first byte "G" means RSV1 and opcode 7.
    answer = exchange(server, HANDSHAKE + INNOCENT)
    assert answer.startswith(SWITCHED)
    assert answer[len(SWITCHED) :][:1] == b"\x88"
    assert answer[len(SWITCHED) + 2 :][:2] == (1002).to_bytes(2, "big")
    assert b"HTTP/1.1 200" not in answer


def test_frames_behind_a_refused_handshake_are_not_echoed(server: RunningServer) -> None:
    answer = exchange(server, upgrade(Sec_WebSocket_Version=b"1337") + b"\x81\x82\x00\x00\x00\x00hi" * 3)
    assert [found.status for found in answers(answer)] == [426]


def test_a_request_cut_off_by_the_client_is_not_answered(server: RunningServer) -> None:
    # RFC 9112 section 8: an incomplete request. If the server executed it, the timeout of a proxy would become a
    # request.
    with RawConnection(server.port) as connection:
        connection.send(HEALTH + HEALTH[:-1])
        connection.half_close()
        assert [answer.status for answer in answers(connection.receive_all())] == [200]


def sized(*, line: int = 20, fields: int = 1, size: int = 7) -> bytes:
    """Return a request for an unknown path whose request line has `line` bytes, with `fields` fields of `size` bytes in
    all.
    """
    names = [b"Host: a", *(b"X%d: y" % number for number in range(fields - 1))]
    names[-1] += b"z" * (size - sum(map(len, names)))
    return b"\r\n".join((b"GET /" + b"p" * (line - 14) + b" HTTP/1.1", *names, b"", b""))


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize(
    ("status", "limits"),
    [
        (414, {"line": MAX_REQUEST_LINE}),
        (431, {"fields": MAX_FIELDS}),
        (431, {"size": MAX_FIELDS_SIZE}),
    ],
    ids=["request line", "number of fields", "size of fields"],
)
def test_the_limits_hold_in_segments_of_one_byte(
    server: RunningServer, status: int, limits: dict[str, int], over: int
) -> None:
    # CVE-2026-54277: a limit that was skipped when a line arrived in several segments.
    (name, limit), *_ = limits.items()
    sizes = {"size": 2000} if name == "fields" else {}
    found = answers(exchange(server, sized(**sizes, **{name: limit + over}) + INNOCENT, dripping=True))
    assert [answer.status for answer in found] == ([status] if over > 0 else [404, 200])
    assert found[-1].close
