"""HTTP/1.1: limits of request heads however they are cut, strictness, what a request contains, and responses.

Modules: `http1`, `request`, `response`.
"""

import gc
import weakref

import pytest

from tests.shared.echoing import bytewise, cut
from tests.shared.heads import head, read
from wsecho.http.http1 import (
    MAX_EMPTY_LINES,
    MAX_FIELDS,
    MAX_FIELDS_SIZE,
    MAX_REQUEST_LINE,
    RequestError,
    RequestReader,
    encode_response,
)
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.proxies.proxy_header import LOCAL_HEADER


def read_every_way(data: bytes) -> Request | int | None:
    result = read([data])
    assert read(bytewise(data)) == result
    for position in range(0, len(data), 997):
        assert read(cut(data, [position])) == result
    return result


def request_of(data: bytes) -> Request:
    request = read_every_way(data)
    assert isinstance(request, Request)
    return request


def test_a_request_is_read_with_its_headers_in_order_and_case() -> None:
    request = request_of(head("GET /a/b?c=d&e HTTP/1.1", "hOsT: here", "X-Two: 1", "x-one:  2 ", "X-Two: 3"))
    assert (request.method, request.target, request.path, request.query) == ("GET", "/a/b?c=d&e", "/a/b", "c=d&e")
    assert request.headers == (("hOsT", "here"), ("X-Two", "1"), ("x-one", "2"), ("X-Two", "3"))
    assert request.value("x-two") == "1, 3"
    assert (request.version, request.keep_alive, request.has_body) == ("1.1", True, False)


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        ("/", "here:1"),
        ("/http://there/", "here:1"),
        ("http://there/", "there"),
        ("http://there", "there"),
        ("http://There:81?http://x/", "There:81"),
        ("https://[::1]:443/a", "[::1]:443"),
    ],
)
def test_a_target_in_absolute_form_wins_over_host(target: str, authority: str) -> None:
    """RFC 9112 section 3.2.2."""
    assert request_of(head(f"GET {target} HTTP/1.1", "Host: here:1")).authority == authority


def test_without_a_host_there_is_no_authority() -> None:
    assert request_of(head("GET / HTTP/1.0")).authority == ""
    assert request_of(head("OPTIONS * HTTP/1.1", "Host: a")).authority == "a"


def test_a_target_in_absolute_form_names_no_user() -> None:
    assert read_every_way(head("GET http://user@there/ HTTP/1.1", "Host: here")) == 400


def test_what_follows_the_head_is_left_alone() -> None:
    reader = RequestReader()
    assert reader.feed(head("GET / HTTP/1.1", "Host: a") + b"\x81\x80rest\r\n\r\n")
    assert reader.unread == b"\x81\x80rest\r\n\r\n"


def test_bytes_of_a_header_value_survive_as_latin_1() -> None:
    assert request_of(head("GET / HTTP/1.1", "Host: a", "X: \xe9\xff")).value("x") == "\xe9\xff"


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "foo, CLOSE", False),
        ("1.0", None, False),
        ("1.0", "Keep-Alive", True),
        ("1.0", "Keep-Alive, close", False),
    ],
)
def test_which_requests_keep_the_connection_open(version: str, connection: str | None, keeps: bool) -> None:
    lines = [f"Connection: {connection}"] if connection else []
    assert request_of(head(f"GET / HTTP/{version}", "Host: a", *lines)).keep_alive is keeps


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [("/", "/", ""), ("http://host/x?y", "/x", "y"), ("http://host", "/", ""), ("*", "*", ""), ("//x", "//x", "")],
)
def test_targets(target: str, path: str, query: str) -> None:
    request = request_of(head(f"OPTIONS {target} HTTP/1.1", "Host: a"))
    assert (request.path, request.query) == (path, query)


def sized_head(line: int = 14, fields: int = 1, size: int = 7) -> bytes:
    """Return a head whose request line has `line` bytes, with `fields` fields of `size` bytes in all."""
    names = ["Host: a"] + [f"X{number}: y" for number in range(fields - 1)]
    names[-1] += "z" * (size - sum(map(len, names)))
    return head("GET /" + "p" * (line - 14) + " HTTP/1.1", *names)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_limit_of_the_request_line(over: int) -> None:
    result = read_every_way(sized_head(line=MAX_REQUEST_LINE + over))
    assert result == 414 if over > 0 else isinstance(result, Request)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_the_limit_of_the_number_of_fields(over: int) -> None:
    result = read_every_way(sized_head(fields=MAX_FIELDS + over, size=2000))
    assert result == 431 if over > 0 else isinstance(result, Request)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("fields", [1, 50])
def test_the_limit_of_the_fields_together(over: int, fields: int) -> None:
    result = read_every_way(sized_head(fields=fields, size=MAX_FIELDS_SIZE + over))
    assert result == 431 if over > 0 else isinstance(result, Request)


def test_an_endless_line_is_refused_while_it_comes() -> None:
    assert read([b"GET /" + b"a" * MAX_REQUEST_LINE]) == 414
    assert read([b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_FIELDS_SIZE]) == 431


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS ClientHello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"\n" + head("GET / HTTP/1.1", "Host: a"),
        b"\r" + head("GET / HTTP/1.1", "Host: a"),
        b"\r\r\n" + head("GET / HTTP/1.1", "Host: a"),
        head("GET  / HTTP/1.1", "Host: a"),
        head("GET /  HTTP/1.1", "Host: a"),
        head("GET / RTSP/1.0", "Host: a"),
        head("SOURCE / ICE/1.0", "Host: a"),
        head("GET / HTTP/1.1"),
        head("GET / HTTP/1.1", "Host: a b"),
        head("GET / HTTP/1.1", "Host: a", "Host: a"),
        head("GET / HTTP/1.1", "Host: a", "X : y"),
        head("GET / HTTP/1.1", "Host: a", "no colon"),
        head("GET / HTTP/1.1", "Host: a", ": no name"),
        head("GET / HTTP/1.1", "Host: a", "X: y", " folded"),
        head("GET / HTTP/1.1", "Host: a", "X: \x00"),
        head("GET / HTTP/1.1", "Host: a", "X: a\rb"),
        head("GET /\xe9 HTTP/1.1", "Host: a"),
        head("GET nowhere HTTP/1.1", "Host: a"),
        head("GET / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 1"),
        head("GET / HTTP/1.1", "Host: a", "Content-Length: 1, 1"),
        head("GET / HTTP/1.1", "Host: a", "Content-Length: +1"),
        head("GET / HTTP/1.1", "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"),
    ],
)
def test_what_is_not_http_is_refused(data: bytes) -> None:
    assert read_every_way(data) == 400


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "this is TLS"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "this is HTTP/2"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + head("GET / HTTP/1.1", "Host: a"), "this is a PROXY header"),
        (LOCAL_HEADER + head("GET / HTTP/1.1", "Host: a"), "this is a PROXY header"),
        (b"\x00" * 100, "Invalid method"),
        (head("GETT / HTTP/1.1", "Host: a"), "Expected space after method"),
    ],
)
def test_another_protocol_is_called_by_its_name_however_it_is_cut(data: bytes, named: str) -> None:
    for size in range(1, len(data) + 1):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        with pytest.raises(RequestError, match=named):
            list(map(RequestReader().feed, pieces))


def test_of_two_faults_the_first_is_named_however_the_head_is_cut() -> None:
    long = "X: " + "y" * MAX_FIELDS_SIZE
    assert read_every_way(head("GET / HTTP/1.1", "Host: a", "bad", long)) == 400
    assert read_every_way(head("GET / HTTP/1.1", "Host: a", long, "bad")) == 431


@pytest.mark.parametrize(("line", "status"), [("GET /", 505), ("GET / HTTP/2.0", 505), ("GET / HTTP/0.9", 505)])
def test_other_versions_are_refused(line: str, status: int) -> None:
    assert read_every_way(head(line, "Host: a")) == status


@pytest.mark.parametrize(
    ("field", "has_body"),
    [("Content-Length: 0", False), ("Content-Length: 10", True), ("Transfer-Encoding: chunked", True)],
)
def test_a_body_is_noticed(field: str, has_body: bool) -> None:
    assert request_of(head("GET / HTTP/1.1", "Host: a", field)).has_body is has_body


def test_empty_lines_before_a_request_are_ignored() -> None:
    assert request_of(b"\r\n\r\n" + head("GET / HTTP/1.1", "Host: a")).path == "/"


@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_of_empty_lines_before_a_request(over: int) -> None:
    outcome = read_every_way(b"\r\n" * (MAX_EMPTY_LINES + over) + head("GET / HTTP/1.1", "Host: a"))
    assert outcome == 400 if over else isinstance(outcome, Request)


def test_a_reader_tells_whether_a_request_has_begun() -> None:
    reader = RequestReader()
    assert not reader.started
    reader.feed(b"\r\n")
    assert not reader.started
    reader.feed(b"G")
    assert reader.started
    reader.feed(b"ET / HTTP/1.1\r\n")
    assert reader.started


def test_a_reader_leaves_nothing_to_the_garbage_collector() -> None:
    gc.disable()
    try:
        reader = RequestReader()
        reader.feed(head("GET / HTTP/1.1", "Host: a"))
        forgotten = weakref.ref(reader)
        del reader
        assert forgotten() is None
    finally:
        gc.enable()


def test_a_response_on_the_wire() -> None:
    response = Response(404, (("Content-Type", "text/plain"),), b"no\n")
    lines = (
        "HTTP/1.1 404 Not Found",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT",
        "Content-Type: text/plain",
        "Content-Length: 3",
    )
    assert (
        encode_response(response, head_only=False, keep_alive=True, now=0)
        == head(*lines, "Connection: keep-alive") + b"no\n"
    )
    assert encode_response(response, head_only=True, keep_alive=False, now=0) == head(*lines, "Connection: close")
