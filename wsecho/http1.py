"""HTTP/1.1 on the wire: request heads in, responses out (RFC 9112). Bodies are refused, so a head is all there is."""

from email.utils import formatdate
from http import HTTPStatus

import httptools

from wsecho.request import Request
from wsecho.response import Response, Upgrade

# Limits of a request's head, in bytes without the line ends, and in fields. llhttp has none of its own.
MAX_REQUEST_LINE = 8 * 1024
MAX_FIELDS = 100
MAX_FIELDS_SIZE = 32 * 1024

_LINE_END = 2  # CR LF; llhttp refuses a bare LF


class RequestError(Exception):
    """A request that cannot be answered as it was meant. `status` is the answer's; the text says what was wrong."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class RequestReader:
    """Reads one request's head from pieces of any size.

    `unread` is what followed the head. The limits are counted before the parser sees a byte, so they hold for every
    segmentation and nothing larger is ever kept.
    """

    def __init__(self) -> None:
        self.unread = b""
        self._parser = httptools.HttpRequestParser(self)
        self._line_size = 0
        self._lines = 0
        self._fields_size = 0
        self._target = b""
        self._headers: list[tuple[str, str]] = []
        self._complete = False

    @property
    def started(self) -> bool:
        """Whether any byte of the request has arrived."""
        return bool(self._lines or self._line_size)

    def feed(self, data: bytes) -> Request | None:
        """Take the next bytes; return the request once its head is complete. Raises RequestError."""
        end = self._end_of_head(data)
        try:
            self._parser.feed_data(data[: end or len(data)])
        except httptools.HttpParserUpgrade:
            pass  # the head is complete; what follows it was never fed
        except httptools.HttpParserError as error:
            raise RequestError(400, f"not an HTTP/1.1 request: {error}") from None
        if not end:
            return None
        if not self._complete:
            raise RequestError(400, "not an HTTP/1.1 request: incomplete head")
        self.unread = data[end:]
        return self._request()

    def _end_of_head(self, data: bytes) -> int:
        """Count lines and their sizes; return the position after the empty line that ends the head, or 0."""
        position = 0
        while (line_feed := data.find(b"\n", position)) >= 0:
            self._line_size += line_feed + 1 - position
            self._check_limits(self._line_size)
            position = line_feed + 1
            if self._line_size <= _LINE_END:
                # RFC 9112 section 2.2: empty lines before the request line are ignored.
                if self._lines:
                    return position
            else:
                self._lines += 1
                if self._lines > 1:
                    self._fields_size += self._line_size - _LINE_END
            self._line_size = 0
        self._line_size += len(data) - position
        # A line without its end may have one byte of the end already.
        self._check_limits(self._line_size + 1)
        return 0

    def _check_limits(self, line_size: int) -> None:
        size = line_size - _LINE_END
        if self._lines == 0:
            if size > MAX_REQUEST_LINE:
                raise RequestError(414, f"the request line is longer than {MAX_REQUEST_LINE} bytes")
        elif size > 0:
            if self._lines > MAX_FIELDS:
                raise RequestError(431, f"more than {MAX_FIELDS} header fields")
            if self._fields_size + size > MAX_FIELDS_SIZE:
                raise RequestError(431, f"the header fields are longer than {MAX_FIELDS_SIZE} bytes")

    def on_url(self, url: bytes) -> None:
        """Parser's callback: a piece of the request target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser's callback: a header field."""
        self._headers.append((name.decode("latin-1"), value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        """Parser's callback: the empty line."""
        self._complete = True

    def _request(self) -> Request:
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise RequestError(505, f"HTTP/{version} is not spoken here, but HTTP/1.1 is")
        path, query = _split_target(self._target)
        request = Request(
            method=self._parser.get_method().decode(),
            target=self._target.decode("latin-1"),
            path=path,
            query=query,
            version=version,
            headers=tuple(self._headers),
            keep_alive=_keeps_alive(version, self._headers),
            has_body=_has_body(self._headers),
        )
        hosts = request.values("host")
        # RFC 9112 section 3.2.
        if len(hosts) > 1 or (version == "1.1" and not hosts):
            raise RequestError(400, "the Host header must be given once")
        return request


def _split_target(target: bytes) -> tuple[str, str]:
    """Return path and query of a request target in origin or absolute form (RFC 9112 section 3.2)."""
    if target == b"*":
        return "*", ""
    try:
        url = httptools.parse_url(target)
        return (url.path or b"/").decode("ascii"), (url.query or b"").decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise RequestError(400, "the request target is not a valid path or URL") from None


def _has_body(headers: list[tuple[str, str]]) -> bool:
    for name, value in headers:
        field = name.lower()
        # llhttp has made sure that a Content-Length is a number, given once.
        if field == "transfer-encoding" or (field == "content-length" and value.strip("0 \t")):
            return True
    return False


def _keeps_alive(version: str, headers: list[tuple[str, str]]) -> bool:
    """Tell whether the client wants to send another request (RFC 9112 section 9.3)."""
    options = {
        option.strip(" \t").lower()
        for name, value in headers
        if name.lower() == "connection"
        for option in value.split(",")
    }
    return "close" not in options if version == "1.1" else "keep-alive" in options


def encode_response(response: Response, *, head_only: bool, keep_alive: bool, now: float) -> bytes:
    """Return the response's bytes. `now` is the wall clock's time in seconds, for the Date field."""
    fields = [
        ("Date", formatdate(now, usegmt=True)),
        *response.headers,
        ("Content-Length", str(len(response.body))),
        ("Connection", "keep-alive" if keep_alive else "close"),
    ]
    head = _encode_head(response.status, tuple(fields))
    return head if head_only else head + response.body


def encode_upgrade(upgrade: Upgrade) -> bytes:
    """Return the bytes of the 101 answer (RFC 6455 section 4.2.2)."""
    return _encode_head(HTTPStatus.SWITCHING_PROTOCOLS, upgrade.headers)


def _encode_head(status: int, fields: tuple[tuple[str, str], ...]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")
