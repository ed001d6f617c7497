"""HTTP/1.1 on the wire (RFC 9112): parses request heads and encodes responses. Requests with a body are refused."""

import re
from functools import cache

import httptools

from wsecho.http import list_fields
from wsecho.http.date import http_date
from wsecho.http.pattern import pattern
from wsecho.http.request import Request
from wsecho.http.response import Headers, Response

# Limits of the head of a request: bytes without the line ends, and number of fields. llhttp has no limits of its own.
MAX_REQUEST_LINE = 8 * 1024
MAX_FIELDS = 100
MAX_FIELDS_SIZE = 32 * 1024
# Empty lines in front of a request are ignored. No client has a reason to send many, and each costs an iteration of a
# loop.
MAX_EMPTY_LINES = 16

_LINE_END = b"\r\n"  # llhttp refuses a bare LF
# RFC 9110 section 7.2 and RFC 3986 section 3.2.2: the characters of a host and port.
_HOST = pattern(r"[!$%&'()*+,\-.:;=\[\]_~0-9A-Za-z]*", re.ASCII)

# For each other protocol: how it begins, up to the byte at which the parser refuses it, and the text for the client.
_OTHER_PROTOCOLS = {
    b"\x16": "this is TLS, which is not spoken here: connect with http:// or ws://",
    b"PRI * HTTP/2": "this is HTTP/2, which is not spoken here: connect with HTTP/1.1",
    b"PROX": "this is a PROXY header, which is accepted only with --proxy-protocol",
    b"\r\n\r\n\x00": "this is a PROXY header, which is accepted only with --proxy-protocol",
}

_NOT_MODIFIED = 304
_UPGRADE_REQUIRED = 426


class RequestError(Exception):
    """A request that the server refuses. `status` is that of the response; the text is one line for the client."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class _Head:
    """What the parser finds in a head. It has no reference to the parser, since a cycle needs the garbage collector."""

    __slots__ = ("complete", "headers", "target")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[tuple[str, str]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        """Parser callback: a piece of the request target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback: a header field."""
        self.headers.append((name.decode("latin-1"), value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        """Parser callback: the empty line after the header fields."""
        self.complete = True


class RequestReader:
    """Reads the head of one request from pieces of any size.

    `unread` is what followed the head. The limits are checked before the parser sees a byte. So they hold however the
    head is split, and nothing longer is ever kept.
    """

    def __init__(self) -> None:
        self.unread = b""
        self._head = _Head()
        self._parser = httptools.HttpRequestParser(self._head)
        self._request_line = b""
        self._line_size = 0
        self._lines = 0
        self._empty_lines = 0
        self._fields_size = 0
        self._ended = False
        self._may_have_long_lists = True

    @property
    def started(self) -> bool:
        """Whether any byte of the request has arrived."""
        return bool(self._lines or self._line_size)

    def feed(self, data: bytes) -> Request | None:
        """Read the next bytes. Return the request once its head is complete, None before. Raises RequestError."""
        size, refusal = self._measure(data)
        try:
            self._parser.feed_data(data[:size])
        except httptools.HttpParserUpgrade:
            pass  # the head is complete; what follows it was never fed
        except httptools.HttpParserError as error:
            raise RequestError(400, self._describe_error(str(error))) from None
        if refusal:
            raise refusal
        if not self._ended:
            return None
        if not self._head.complete:
            raise RequestError(400, self._describe_error("incomplete head"))
        self.unread = data[size:]
        return self._request()

    def _measure(self, data: bytes) -> tuple[int, RequestError | None]:
        """Count lines and their sizes. Return how many bytes belong to the head, and which limit the next byte breaks.

        The same byte is refused however the head is split, so the parser finds the same errors before it.
        """
        if not self.started and (end := _end_of_small_head(data)):
            self._request_line = data[: data.index(b"\n") + 1]
            self._lines = 1
            self._ended = True
            self._may_have_long_lists = list_fields.may_be_too_long(data, end)
            return end, None
        position = 0
        while position < len(data) and not self._ended:
            limit = self._limit()
            stop = position + limit + len(_LINE_END) - self._line_size
            line_feed = data.find(b"\n", position, stop)
            if line_feed < 0 and stop <= len(data):
                return stop - 1, self._refusal()
            end = line_feed + 1 or len(data)
            self._line_size += end - position
            if not self._lines:
                self._request_line += data[position:end]
            if line_feed >= 0:
                self._end_line()
            position = end
            if self._empty_lines > MAX_EMPTY_LINES:
                return position, RequestError(400, f"more than {MAX_EMPTY_LINES} empty lines in front of a request")
        return position, None

    def _describe_error(self, error: str) -> str:
        """Return the text for bytes in which the parser has found `error`."""
        read = _LINE_END * self._empty_lines + self._request_line
        reason = next((text for beginning, text in _OTHER_PROTOCOLS.items() if read.startswith(beginning)), error)
        return f"not an HTTP/1.1 request: {reason}"

    def _limit(self) -> int:
        """Return how many bytes the current line may have, without its end."""
        if not self._lines:
            return MAX_REQUEST_LINE
        return 0 if self._lines > MAX_FIELDS else MAX_FIELDS_SIZE - self._fields_size

    def _refusal(self) -> RequestError:
        """Return the error for a current line that is longer than `_limit`."""
        if not self._lines:
            return RequestError(414, f"the request line is longer than {MAX_REQUEST_LINE} bytes")
        if self._lines > MAX_FIELDS:
            return RequestError(431, f"more than {MAX_FIELDS} header fields")
        return RequestError(431, f"the header fields are longer than {MAX_FIELDS_SIZE} bytes")

    def _end_line(self) -> None:
        """Count a line that has just ended."""
        if not self._lines and self._request_line == _LINE_END:
            # RFC 9112 section 2.2: empty lines before the request line are ignored.
            self._request_line = b""
            self._empty_lines += 1
        elif self._lines and self._line_size <= len(_LINE_END):
            self._ended = True
        else:
            if self._lines:
                self._fields_size += self._line_size - len(_LINE_END)
            self._lines += 1
        self._line_size = 0

    def _request(self) -> Request:
        head = self._head
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise RequestError(505, f"HTTP/{version} is not spoken here, but HTTP/1.1 is")
        method = self._parser.get_method()
        # llhttp also accepts more than one space, line ends in front, and the RTSP and ICE protocols.
        if self._request_line != b"%b %b HTTP/%b\r\n" % (method, head.target, version.encode()):
            raise RequestError(400, "the request line is not method, target and HTTP version with single spaces")
        path, query = _split_target(head.target)
        request = Request(
            method=method.decode(),
            target=head.target.decode("latin-1"),
            path=path,
            query=query,
            version=version,
            headers=tuple(head.headers),
        )
        if not head.target.startswith(b"/"):
            request.authority = _authority(request)
        if self._may_have_long_lists and (fault := list_fields.fault(request)):
            raise RequestError(431, fault)
        request.keep_alive = _keeps_alive(request)
        request.has_body = _has_body(request)
        hosts = request.values("host")
        # RFC 9112 section 3.2.
        if len(hosts) > 1 or (version == "1.1" and not hosts) or not all(map(_HOST.fullmatch, hosts)):
            raise RequestError(400, "the Host header must be given once, as a host and perhaps a port")
        return request


def _end_of_small_head(data: bytes) -> int:
    """Return where a head ends that is complete and too small to break a limit; 0 for any other, which is measured."""
    empty_line = data.find(_LINE_END * 2, 0, MAX_REQUEST_LINE)
    if empty_line <= 0 or data.startswith(_LINE_END):
        return 0
    lines = data.count(b"\n", 0, empty_line)
    is_small = lines < MAX_FIELDS and lines == data.count(_LINE_END, 0, empty_line)
    return empty_line + len(_LINE_END * 2) if is_small else 0


def _split_target(target: bytes) -> tuple[str, str]:
    """Return the path and the query of a request target in origin form or absolute form (RFC 9112 section 3.2)."""
    if target == b"*":
        return "*", ""
    try:
        url = httptools.parse_url(target)
        return (url.path or b"/").decode("ascii"), (url.query or b"").decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise RequestError(400, "the request target is not a valid path or URL") from None


def _authority(request: Request) -> str:
    """Return the host, perhaps with a port, that a request is for.

    A target in absolute form takes precedence over the Host field (RFC 9112 section 3.2.2).
    """
    _, is_absolute, rest = request.target.partition("://")
    if not is_absolute:
        return request.authority
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    # RFC 9110 section 4.2.4: user information in the authority is an error.
    if not _HOST.fullmatch(authority):
        raise RequestError(400, "the request target must name a host and perhaps a port")
    return authority


def _has_body(request: Request) -> bool:
    # llhttp has already checked that Content-Length is a number, given once.
    return bool(request.values("transfer-encoding") or request.value("content-length").strip("0 \t"))


def _keeps_alive(request: Request) -> bool:
    """Return whether the connection persists for another request (RFC 9112 section 9.3)."""
    options = [option.lower() for option in request.tokens("connection")]
    return "close" not in options and (request.version == "1.1" or "keep-alive" in options)


def encode_response(response: Response, *, head_only: bool, keep_alive: bool, now: float) -> bytes:
    """Return the bytes of the response. `now` is the Unix time in seconds, for the Date field."""
    connection = ["keep-alive" if keep_alive else "close"]
    if response.status == _UPGRADE_REQUIRED:
        connection.append("Upgrade")  # RFC 9110 section 7.8: required with the Upgrade field
    fields = [("Date", http_date(now)), *response.headers]
    if response.status != _NOT_MODIFIED:
        # RFC 9110 section 8.6: in a 304, it could only be the length of the content that is not sent.
        fields.append(("Content-Length", str(len(response.body))))
    fields.append(("Connection", ", ".join(connection)))
    head = _encode_head(response.status, tuple(fields))
    return head if head_only else head + response.body


def _encode_head(status: int, fields: Headers) -> bytes:
    lines = [_status_line(status), *[f"{name}: {value}" for name, value in fields], "", ""]
    return "\r\n".join(lines).encode("latin-1")


@cache
def _status_line(status: int) -> str:
    # Imported only when needed, because this import is slow. The answer to a correct handshake does not need it.
    from http import HTTPStatus

    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
