"""Request heads, read by wsecho and by h11. Each difference between the two is listed here with its reason.

The lists are complete: a test fails for a difference that no entry explains, and for an entry that explains nothing.
Modules: `http1`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise, product
from random import Random

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsecho.http.http1 import MAX_FIELDS, MAX_FIELDS_SIZE, MAX_REQUEST_LINE, RequestError, RequestReader

CRLF = b"\r\n"


@dataclass(frozen=True)
class Head:
    """An accepted head. Header names are in lower case, and so are codings; `rest` is what follows the head."""

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    keep_alive: bool
    has_body: bool
    rest: bytes


@dataclass(frozen=True)
class Refusal:
    """A refused request."""

    status: int
    reason: str


# None: more is needed.
Reading = Head | Refusal | None


def our_reading(pieces: Iterable[bytes]) -> Reading:
    """Return what RequestReader makes of `pieces`. Nothing but RequestError may come out of it."""
    reader = RequestReader()
    remaining = iter(pieces)
    for piece in remaining:
        try:
            request = reader.feed(piece)
        except RequestError as error:
            return Refusal(error.status, str(error))
        if request:
            return Head(
                method=request.method,
                target=request.target,
                version=request.version,
                headers=tuple(_normal_field(*field) for field in request.headers),
                keep_alive=request.keep_alive,
                has_body=request.has_body,
                rest=reader.unread + b"".join(remaining),
            )
    return None


def _normal_field(name: str, value: str) -> tuple[str, str]:
    """Names and codings are case-insensitive (RFC 9112 sections 5 and 7)."""
    name = name.lower()
    return name, value.lower() if name == "transfer-encoding" else value


def h11_reading(data: bytes) -> Reading:
    """Return what h11 makes of `data`."""
    if not data:
        return None  # h11 would take it for the end of the stream
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(data))
    connection.receive_data(data)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        return Refusal(error.error_status_hint, str(error))
    if not isinstance(event, h11.Request):
        return None
    rest, _ = connection.trailing_data
    return Head(
        method=event.method.decode(),
        target=event.target.decode(),
        version=event.http_version.decode(),
        headers=tuple((name.decode(), value.decode("latin-1")) for name, value in event.headers),
        keep_alive=_h11_keeps_alive(connection),
        has_body=_h11_expects_body(data[: len(data) - len(rest)]),
        rest=rest,
    )


def _h11_keeps_alive(connection: h11.Connection) -> bool:
    """H11 says by its answer whether the connection persists."""
    answer = connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
    return b"Connection: close" not in (answer or b"")


def _h11_expects_body(head: bytes) -> bool:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(head))
    connection.receive_data(head)
    connection.next_event()
    return connection.next_event() is h11.NEED_DATA


def _list(head: Head, name: str) -> list[str]:
    """Return the elements of a field that is a list, in lower case."""
    value = ",".join(value for field, value in head.headers if field == name)
    return [element.strip(" \t").lower() for element in value.split(",")]


# The deviations.


@dataclass(frozen=True)
class Deviation:
    """A class of requests that one side alone accepts. `explains` gets the bytes and how that side read them.

    `statuses` are those that the other side may refuse with.
    """

    name: str
    section: str
    reason: str
    example: bytes
    explains: Callable[[bytes, Head], bool]
    statuses: frozenset[int] = frozenset({400})


def request(
    *fields: bytes,
    method: bytes = b"GET",
    target: bytes = b"/",
    version: bytes = b"HTTP/1.1",
    host: tuple[bytes, ...] = (b"Host: a",),
) -> bytes:
    """A good request with parts replaced and fields added."""
    return CRLF.join((b" ".join((method, target, version)), *host, *fields, b"", b""))


def _empty_lines_first(data: bytes, ours: Head) -> bool:
    without = re.sub(rb"\A(?:\r\n)+", b"", data)
    if without == data or our_reading([without]) != ours:
        return False
    compare(without)
    return True


def _zeros_first(data: bytes, ours: Head) -> bool:
    without = re.sub(rb"(?i)(\ncontent-length:[ \t]*)0+(?=[0-9])", rb"\1", data)
    if without == data or not isinstance(our_reading([without]), Head):
        return False
    compare(without)
    return True


def _other_coding(data: bytes, ours: Head) -> bool:
    return ours.has_body and any(name == "transfer-encoding" for name, _ in ours.headers)


ACCEPTED_BY_US_ALONE = (
    Deviation(
        "empty lines before the request line",
        "RFC 9112 section 2.2",
        "A server should ignore at least one: old clients send one behind a body. Without them h11 reads the same.",
        CRLF + request(),
        _empty_lines_first,
    ),
    Deviation(
        "zeros before the digits of Content-Length",
        "RFC 9110 section 8.6",
        "It is any number of digits. h11 takes at most 20, whatever they are. Without the zeros h11 reads the same.",
        request(b"Content-Length: " + b"5".zfill(21)),
        _zeros_first,
    ),
    Deviation(
        "coding other than chunked alone",
        "RFC 9112 section 6.1",
        "h11 refuses what it cannot decode; llhttp lets codings before chunked pass, and any in an upgrade. Here none "
        "is decoded: whatever it says, the request counts as one with a body, is refused, and ends the connection.",
        request(b"Transfer-Encoding: gzip, chunked"),
        _other_coding,
        frozenset({501}),
    ),
)

# What llhttp knows, and RFC 9110 section 9 with it.
METHODS = frozenset(
    (
        *("ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK", "M-SEARCH", "MERGE"),
        *("MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH", "POST", "PROPFIND", "PROPPATCH"),
        *("PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH", "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK"),
        *("UNLOCK", "UNSUBSCRIBE"),
    )
)
_ORIGIN_FORM = re.compile(r"/[!-~]*")
_ABSOLUTE_FORM = re.compile(r"[A-Za-z]+://[A-Za-z0-9.-]+(?::(?P<port>[0-9]{1,5}))?(?:[/?][!-~]*)?")
_HOST = re.compile(r"[!$%&'()*+,\-.:;=\[\]_~0-9A-Za-z]*")


def _fields(data: bytes, name: bytes) -> list[bytes]:
    """Return the values of all fields called `name` (in lower case) as they stand on the wire."""
    return re.findall(rb"\n%b:([^\n]*)" % name, _head_of(data).lower())


def _head_of(data: bytes) -> bytes:
    """Return the head, up to an empty line as lenient as h11's."""
    end = re.search(rb"\n\r?\n", data)
    return data[: end.end()] if end else data


def _has_unserved_target(data: bytes, theirs: Head) -> bool:
    if theirs.method == "CONNECT":
        return True
    if theirs.target == "*":
        return theirs.method != "OPTIONS"
    absolute = _ABSOLUTE_FORM.fullmatch(theirs.target)
    if absolute:
        return int(absolute["port"] or 0) > 0xFFFF
    return not _ORIGIN_FORM.fullmatch(theirs.target)


def _exceeds_a_limit(data: bytes, theirs: Head) -> bool:
    line, *fields = _head_of(data).rstrip(CRLF).splitlines()
    too_many = len(fields) > MAX_FIELDS or sum(map(len, fields)) > MAX_FIELDS_SIZE
    return too_many or len(line) > MAX_REQUEST_LINE


REFUSED_BY_US_ALONE = (
    Deviation(
        "unknown method",
        "RFC 9110 section 9.1",
        "llhttp has a list; no other method could be served. h11 takes any token.",
        request(method=b"BREW"),
        lambda data, theirs: theirs.method not in METHODS,
    ),
    Deviation(
        "other version",
        "RFC 9110 section 2.5",
        "Only 1.1 and 1.0 are spoken here, and no other 1.x exists. h11 takes any two digits.",
        request(version=b"HTTP/2.0"),
        lambda data, theirs: theirs.version not in ("1.0", "1.1"),
        frozenset({400, 505}),
    ),
    Deviation(
        "bare line feed as the end of a line",
        "RFC 9112 section 2.2",
        "It may be taken for one, and then hides a header from whoever does not.",
        request().replace(CRLF, b"\n"),
        lambda data, theirs: bool(re.search(rb"(?<!\r)\n", _head_of(data))),
    ),
    Deviation(
        "folded field",
        "RFC 9112 section 5.2",
        "A server refuses it, or replaces it as h11 does.",
        request(b"X: y", b" z"),
        lambda data, theirs: bool(re.search(rb"\n[ \t]", _head_of(data))),
    ),
    Deviation(
        "control character in a value",
        "RFC 9110 section 5.5",
        "They are invalid. h11 refuses NUL and white space, and takes the others for the sake of old cookies.",
        request(b"X: \x01"),
        lambda data, theirs: bool(re.search(rb"[\x01-\x08\x0e-\x1f\x7f]", _head_of(data))),
    ),
    Deviation(
        "Content-Length more than once",
        "RFC 9112 section 6.3, item 5",
        "Equal values may be merged, as h11 does, but nobody honest sends them.",
        request(b"Content-Length: 1", b"Content-Length: 1"),
        lambda data, theirs: b"," in b",".join(_fields(data, b"content-length")),
    ),
    Deviation(
        "Content-Length beside Transfer-Encoding",
        "RFC 9112 section 6.1",
        "The sign of an attack. h11 goes by the Transfer-Encoding.",
        request(b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        lambda data, theirs: bool(_fields(data, b"content-length") and _fields(data, b"transfer-encoding")),
    ),
    Deviation(
        "Content-Length of more than 64 bits",
        "RFC 9110 section 8.6",
        "A recipient must not let it overflow. h11 counts in Python.",
        request(b"Content-Length: 18446744073709551616"),
        lambda data, theirs: any(int(length or 0) >= 1 << 64 for length in _list(theirs, "content-length")),
    ),
    Deviation(
        "tab behind the coding",
        "RFC 9112 section 5",
        "It may stand there, but llhttp wants 'chunked' and spaces. A body would be refused later anyway.",
        request(b"Transfer-Encoding: chunked\t"),
        lambda data, theirs: any(re.search(rb"\t *\r", value) for value in _fields(data, b"transfer-encoding")),
    ),
    Deviation(
        "target that nothing here answers",
        "RFC 9112 section 3.2",
        "Paths, http://host/path and the asterisk of OPTIONS are read; this is no proxy. h11 leaves targets unread.",
        request(target=b"a:80", method=b"CONNECT"),
        _has_unserved_target,
    ),
    Deviation(
        "Host that is none",
        "RFC 9112 section 3.2",
        "A server must refuse it. h11 leaves it unread.",
        request(host=(b"Host: a b",)),
        lambda data, theirs: not all(_HOST.fullmatch(value) for name, value in theirs.headers if name == "host"),
    ),
    Deviation(
        "more than our limits",
        "RFC 9112 section 3 and RFC 6585 section 5",
        "h11's limit is set to none for this comparison.",
        request(b"X: y", target=b"/" * MAX_REQUEST_LINE),
        _exceeds_a_limit,
        frozenset({414, 431}),
    ),
)


def _may_keep_alive(head: Head) -> bool:
    """RFC 9112 section 9.3 lets a server go on with an HTTP/1.0 client that asks for it. h11 never does."""
    options = _list(head, "connection")
    return head.version == "1.0" and "keep-alive" in options and "close" not in options


def compare(data: bytes) -> str | None:
    """Assert that h11 and we agree on `data`, or that a deviation explains it; return the name of that."""
    ours, theirs = our_reading([data]), h11_reading(data)
    if isinstance(ours, Head) and isinstance(theirs, Head):
        if _may_keep_alive(theirs):
            theirs = replace(theirs, keep_alive=True)
        assert ours == theirs, data
        return None
    if isinstance(ours, Head):
        return _explanation(ACCEPTED_BY_US_ALONE, data, ours, theirs)
    if isinstance(theirs, Head):
        return _explanation(REFUSED_BY_US_ALONE, data, theirs, ours)
    return None


def _explanation(deviations: tuple[Deviation, ...], data: bytes, accepted: Head, refusal: Reading) -> str:
    assert isinstance(refusal, Refusal), f"accepted by one and incomplete to the other: {data!r}"
    for deviation in deviations:
        if refusal.status in deviation.statuses and deviation.explains(data, accepted):
            return deviation.name
    raise AssertionError(f"{data!r}\naccepted by one: {accepted}\nrefused by the other: {refusal}")


# The table of requests.

GOOD = request(b"X: y")
BYTES = [bytes((value,)) for value in range(256)]

# Every byte takes the place of %b once.
POSITIONS = (
    b"%bGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"G%bT / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET%b/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a%bb HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /?a%bb HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a%bb/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /%bHTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/%b.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1%b1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.%b\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1%b\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1%b\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r%bHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n%bHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX%bX: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX%b: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX%by\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX:%by\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y%bz\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y%b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a%bb\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:%b1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1%b1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1%b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent%bLength: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:%bchunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun%bked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked%b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection:%bclose\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x%bclose\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y%b\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r%b\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n%b\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r%b",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n%b",
)


def unescape(text: str) -> bytes:
    """Return the bytes that `text` stands for, with the escapes of a bytes literal."""
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def listed(text: str, name: str = "") -> tuple[bytes, ...]:
    """Return what stands between the bars in `text`, unescaped, each behind `name`."""
    return tuple(unescape(name + part) for part in text.split("|"))


HOSTS = listed(r" a|| a:80| [::1]:80| a,b| a, b| a b| a/b| a@b| \xe9|a\t|\x0ba| a\x00", "Host:")
LENGTHS = (
    *listed(
        r" 0| 00| 5|5|  5 |\t5\t|| +5| -5| 5,5| 5, 6| 0x5| 5.0| 5 5| 5;| '5'| 1_0| \xb2| \xd9\xa1", "Content-Length:"
    ),
    *listed(
        r" 18446744073709551615| 18446744073709551616| 184467440737095516160| 99999999999999999999", "Content-Length:"
    ),
    b"Content-Length: " + b"5".zfill(21),
    *listed(r"Content-Length : 5|Content_Length: 5|CONTENT-LENGTH: 5|Content-Length\x00: 5|X: y\nContent-Length: 5"),
)
CODINGS = (
    *listed(
        r" chunked| CHUNKED|chunked|| identity| gzip| gzip, chunked| chunked, gzip| xchunked", "Transfer-Encoding:"
    ),
    *listed(r" chunked, chunked| chunkedx| chunked;q=1| 'chunked'| \x0bchunked| chunked\x00| , ", "Transfer-Encoding:"),
    *listed(r"\tchunked\t| ,chunked| chunked,", "Transfer-Encoding:"),
    *listed(
        r"Transfer-Encoding : chunked|Transfer_Encoding: chunked| Transfer-Encoding: chunked|X: y\nTransfer-Encoding:"
    ),
    *listed(r"transfer-encoding: chunked|Transfer\x00-Encoding: chunked|X: y\rTransfer-Encoding: chunked"),
)
CONNECTIONS = (
    *listed(
        r" close| CLOSE| keep-alive| keep-alive, close| close, keep-alive|| ,close,| closed| not-close", "Connection:"
    ),
    *listed(
        r" Upgrade| upgrade, close| notupgrade| content-length| transfer-encoding| clos\xe9| close\x00", "Connection:"
    ),
    *listed(r"Proxy-Connection: close|Keep-Alive: timeout=5|Connection : close"),
)
UPGRADES = (
    *listed(r" websocket| WebSocket, h2c| h2c|| \xff| TLS/1.0", "Upgrade:"),
    *listed(r"Expect: 100-continue|HTTP2-Settings: AAMAAABkAAQAAP__|Trailer: X|TE: trailers"),
)
TARGETS = (
    *listed(
        r"/|//|/a?b|/a?b?c|/a#b|/%|/%00|/../..|/\\|/<>`{}\x7c^|*|*x|**|?|#|a|a:80|.||/\xc3\xa9|/a\tb|/a b|/\x00|/\x7f"
    ),
    *listed(
        r"|a|a/|A/b?c#d|a?b|a#b|/x|:80/|a:/|a:80/|a:65535/|a:65536/|a:x/|[::1]/|[::1|[]/|u@a/|u:p@a/|@a/", "http://"
    ),
    *listed(r"u@@a/|a_b/|a%41/|a!b/|a.b./|-/|\xe9/|a\\b/|a,b/", "http://"),
    *listed(r"http:|http:/a|HTTP://a/|h://a/|1://a/|ws://a/b|https://a/b|ftp://a/b|a+b://c/|mailto:a@b|://a|//a@b:c"),
)
VERSIONS = (
    *listed(
        r"1.1|1.0|0.9|1.2|1.9|2.0|2|3.0|9.9|11|1.10|01.1|1.01|1,1|1.|.1||1.1x|+1.1|1.-1| 1.1|1 .1|1.1 HTTP/1.1", "HTTP/"
    ),
    *listed(r"HTTP|http/1.1|Http/1.1|XHTTP/1.1|HTTPS/1.1|RTSP/1.0|RTSP/1.1|ICE/1.0||HTTP /1.1|\x00HTTP/1.1|HTTP\\1.1"),
)
ODD_METHODS = (
    *listed(
        r"get|Get|GETT|GE|BREW|PRI|GET,POST|(GET)|GET:|+|!|'GET'|M-SEARCHX|DESCRIBE|SETUP|PLAY|ANNOUNCE|FLUSH|HTTP/1.1"
    ),
    *listed(r"|G\x00T|GET\x00|G\xcbT|\xef\xbb\xbfGET|GET /|#GET"),
)
SPACES = listed(r" ||  |   |\t| \t|\x0b|\x0c|\r|\n|\xa0|\x00|\r\n ")
LINE_ENDS = listed(r"\n|\r|\n\r|\r\r\n|\r\n\n|\r\n\r| \r\n|\t\r\n|\x0b|\x85|\r\x00\n|\r \n|")
PREFIXES = (
    *listed(
        r"\r\n|\r\n\r\n|\n|\r|\n\r|\r\r\n|\n\n|\r\r\r|\r\n\n|\r\n\r| |\t| \r\n|\x00|\x80|\xef\xbb\xbf|\x16\x03\x01\x02"
    ),
    *listed(r"0\r\n\r\n|HTTP/1.1 200 OK\r\n\r\n|PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n|PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n"),
    CRLF * 50,
)
LINES = (
    *listed(r":|: |:\t|:y|:  y  |: y\tz|: a:b|| : y|\t: y| y: z|(: y|\x00: y|\x7f: y|\xd7: y", "X"),
    *listed(r"\x00| \x00y| \x01| \x08| \x0b| \x0cy| y\r| \ry| y\nZ: z| y\n| \x1b[0m| \x7f| \x80| \xff| \xc3\xa9", "X:"),
    *listed(r" y\x00| y\r\n z| y\r\n\tz|\r\n y| y\r\n | y\r\n \r\n z| y\n z| y\r\n\x0bz| y\r\nx: z| y\r\n", "X:"),
    *listed(r":|: y| X: y|\tX: y|!#$%&'*+-.^_`\x7c~: y|Host: b|hOST: a|Host : a|\x00| |\t"),
    *(b"X: " + b"y" * 5000, b"X:" + b" " * 5000 + b"y", b"X" * 5000 + b": y"),
)
RESTS = (
    *listed(r"0\r\n\r\n|5\r\nhello\r\n0\r\n\r\n|5;a=b\r\nhello\r\n0\r\n\r\n|5;\n\r\nhello\r\n0\r\n\r\n"),
    *listed(r"5\nhello\n0\n\n|0x5\r\nhello\r\n0\r\n\r\n|5\r\nhelloXX0\r\n\r\n|-1\r\n\r\n|hello"),
    *listed(r"fffffffffffffffff\r\n|0\r\nX: y\r\n\r\n"),
    *listed(r"\x81\x80\x00\x00\x00\x00|\r\n\r\n|\x00|\n|\r|GET / HTTP/1.1\r\nHost: b\r\n\r\n"),
)


def sized(line: int = 14, fields: int = 1, size: int = 7) -> bytes:
    """A request whose request line has `line` bytes, with `fields` fields of `size` bytes in all."""
    names = [b"Host: a", *(b"X%d: y" % number for number in range(fields - 1))]
    names[-1] += b"z" * (size - sum(map(len, names)))
    return request(*names, host=(), target=b"/" + b"p" * (line - 14))


def cases() -> Iterator[bytes]:
    """The whole table."""
    yield from (b"", CRLF, GOOD, GOOD[:-1], GOOD[:-2], b"GET /\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 100, b"A" * 10_000)
    yield from (request(method=method) for method in (*(name.encode() for name in sorted(METHODS)), *ODD_METHODS))
    yield from (
        request(target=target, method=method) for target in TARGETS for method in (b"GET", b"CONNECT", b"OPTIONS")
    )
    yield from (request(version=version) for version in VERSIONS)
    yield from (b"GET%b/%bHTTP/1.1\r\nHost: a\r\n\r\n" % spaces for spaces in product(SPACES, SPACES))
    yield from (_with_line_end(place, end) for place, end in product(range(4), LINE_ENDS))
    yield from (prefix + GOOD for prefix in PREFIXES)
    yield from (request(line) for line in LINES)
    yield from (request(line, host=()) + b"Host: a\r\n\r\n" for line in LINES)
    yield from (request(version=b"HTTP/1.0", host=host) for host in ((), *((host,) for host in HOSTS)))
    yield from (request(host=hosts) for hosts in ((), *((host,) for host in HOSTS), *product(HOSTS, HOSTS)))
    yield from (request(coding, b"Connection: upgrade", b"Upgrade: h2c") for coding in CODINGS)
    yield from (
        request(framing) + rest for framing, rest in product((LENGTHS[2], CODINGS[0], CODINGS[7], b"X: y"), RESTS)
    )
    yield from (sized(line=MAX_REQUEST_LINE + over) for over in (-1, 0, 1))
    yield from (sized(fields=MAX_FIELDS + over, size=2000) for over in (-1, 0, 1))
    yield from (sized(fields=fields, size=MAX_FIELDS_SIZE + over) for over in (-1, 0, 1) for fields in (1, 50))
    # Two faults: the one that comes first is the one to name.
    yield from (request(line, b"X: " + b"y" * MAX_FIELDS_SIZE) for line in (b"bad", b"X: \x00"))
    yield from (request(b"X: " + b"y" * MAX_FIELDS_SIZE, line) for line in (b"bad", b"X: \x00"))
    yield request(method=b"G\x00T", target=b"/" * MAX_REQUEST_LINE)
    yield request(target=b"/" * MAX_REQUEST_LINE + b"\x00")


def _with_line_end(place: int, end: bytes) -> bytes:
    """GOOD with the end of one of its four lines replaced."""
    lines = GOOD.split(CRLF)[:-1]
    return b"".join(line + (end if index == place else CRLF) for index, line in enumerate(lines))


CASES = tuple(cases())


def segments(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return `data` cut at positions, taken modulo its length."""
    ends = sorted({position % (len(data) + 1) for position in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


def check_segmentation(data: bytes, *ways: Iterable[int]) -> None:
    """Assert that bytes one by one, and pieces cut in each of these ways, are read like the whole."""
    whole = our_reading([data])
    for cuts in (range(len(data)), *ways):
        assert our_reading(segments(data, cuts)) == whole, data


def test_the_table_is_as_large_as_it_should_be() -> None:
    assert len(set(CASES)) >= 300


@pytest.mark.parametrize("deviation", ACCEPTED_BY_US_ALONE, ids=lambda deviation: deviation.name)
def test_each_deviation_is_accepted_by_us_alone(deviation: Deviation) -> None:
    assert compare(deviation.example) == deviation.name


@pytest.mark.parametrize("deviation", REFUSED_BY_US_ALONE, ids=lambda deviation: deviation.name)
def test_each_deviation_is_refused_by_us_alone(deviation: Deviation) -> None:
    assert compare(deviation.example) == deviation.name


@pytest.mark.parametrize("data", CASES, ids=lambda data: repr(data[:60])[2:-1] if len(data) < 60 else "long")
def test_h11_agrees_on_the_table(data: bytes) -> None:
    compare(data)


@pytest.mark.parametrize("template", POSITIONS, ids=repr)
def test_h11_agrees_on_every_byte_everywhere(template: bytes) -> None:
    for byte in BYTES:
        compare(template % byte)


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_h11_agrees_on_every_pair_of_fields_that_frame(version: bytes) -> None:
    framing = (*LENGTHS, *CODINGS, *CONNECTIONS, *UPGRADES)
    for pair in product(framing, framing):
        compare(request(*pair, version=version))


def test_the_table_is_read_alike_however_it_is_cut() -> None:
    random = Random(9112)
    for data in CASES:
        middle = random.randrange(len(data) + 1)
        check_segmentation(data, [middle], random.choices(range(len(data) + 1), k=5))


def test_a_request_is_read_alike_with_a_cut_at_every_place() -> None:
    for data in (
        CRLF + GOOD + b"rest",
        request(b"X: y", b" z"),
        GOOD.replace(CRLF, b"\n"),
        request(b"Content-Length: 5") + b"hello",
    ):
        check_segmentation(data, *([position] for position in range(len(data))))


# Requests that nobody has thought of.

EDITS = st.lists(
    st.tuples(
        st.integers(0, 1 << 16),
        st.sampled_from(("insert", "replace", "remove")),
        st.sampled_from((*BYTES, CRLF, b"\r\n ", b"\n\n", b": ", b"HTTP/1.1")),
    ),
    max_size=4,
)
_cuts = st.lists(st.integers(0, 1 << 16), max_size=6)
_fields_drawn = st.lists(st.sampled_from((*LINES, *LENGTHS, *CODINGS, *CONNECTIONS, *UPGRADES)), max_size=3)
# What each part of a request may be but for the good.
_OTHERS = {
    "prefix": st.sampled_from(PREFIXES),
    "method": st.sampled_from(ODD_METHODS),
    "first space": st.sampled_from(SPACES),
    "target": st.sampled_from(TARGETS) | st.binary(max_size=8).map(lambda path: b"/" + path),
    "second space": st.sampled_from(SPACES),
    "version": st.sampled_from(VERSIONS),
    "host": st.sampled_from(HOSTS) | st.binary(max_size=8).map(lambda host: b"Host: " + host),
    "field": st.sampled_from(LINES) | st.binary(max_size=12),
    "field's end": st.sampled_from(LINE_ENDS),
    "head's end": st.sampled_from(LINE_ENDS),
    "rest": st.sampled_from(RESTS),
}


@st.composite
def built(draw: st.DrawFn) -> bytes:
    """A request put together from parts, of which two at most are not good, and any fields."""
    spoilt = draw(st.sets(st.sampled_from(sorted(_OTHERS)), max_size=2))

    def part(name: str, good: bytes) -> bytes:
        return draw(_OTHERS[name]) if name in spoilt else good

    method = part("method", draw(st.sampled_from((b"GET", b"POST", b"OPTIONS"))))
    version = part("version", draw(st.sampled_from((b"HTTP/1.1", b"HTTP/1.0"))))
    line = method + part("first space", b" ") + part("target", b"/") + part("second space", b" ") + version
    fields = [part("host", b"Host: a"), *draw(_fields_drawn), part("field", b"X: y")]
    head = part("prefix", b"") + CRLF.join((line, *fields)) + part("field's end", CRLF) + part("head's end", CRLF)
    return head + part("rest", b"")


def edit(data: bytes, edits: list[tuple[int, str, bytes]]) -> bytes:
    """`data` with pieces inserted, put over what was there, or removed by their length."""
    for place, action, piece in edits:
        position = place % (len(data) + 1)
        end = position if action == "insert" else position + len(piece)
        data = data[:position] + (b"" if action == "remove" else piece) + data[end:]
    return data


@given(built(), _cuts)
@settings(derandomize=True, max_examples=2000)
def test_h11_agrees_on_requests_of_good_and_bad_parts(data: bytes, cuts: list[int]) -> None:
    compare(data)
    check_segmentation(data, cuts)


@given(st.sampled_from([data for data in CASES if len(data) < 400]), EDITS, _cuts)
@settings(derandomize=True, max_examples=2000)
def test_h11_agrees_on_edited_requests(data: bytes, edits: list[tuple[int, str, bytes]], cuts: list[int]) -> None:
    edited = edit(data, edits)
    compare(edited)
    check_segmentation(edited, cuts)
