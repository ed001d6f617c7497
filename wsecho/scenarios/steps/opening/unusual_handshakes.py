"""Group D: 101 responses that differ from others in one detail, and that a client must accept."""

from typing import Any

from wsecho.scenarios.language.arguments import Count, Size, written_size
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.word import Argument, Cost, Options, Word
from wsecho.scenarios.steps.opening.answers import CONNECTION, opens, replace_field
from wsecho.scenarios.steps.opening.fields import cookie_field, fault_of_cookies
from wsecho.scenarios.steps.peer import Opening

# A dribbled response has at most so many pieces, so many seconds apart.
_MOST_PIECES = 256
_PAUSE = 0.002
# Bytes that all additional fields may have together: a head is written as one.
_MOST_FIELDS = 1 << 20
_EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </>; rel=preload; as=fetch\r\n\r\n"


async def bundled(opening: Opening) -> None:
    """Send the response together with the first frames."""
    opening.answer.is_bundled = True


async def dribbled(opening: Opening) -> None:
    """Send the response byte by byte."""
    opening.answer.cut = _in_pieces
    opening.answer.pause = _PAUSE


def _in_pieces(data: bytes) -> list[bytes]:
    size = -(-len(data) // _MOST_PIECES)
    return [data[start : start + size] for start in range(0, len(data), size)]


async def lower_case(opening: Opening) -> None:
    """Write the names of fields, and the value of Connection, in lower case."""
    replace_field(opening.answer, CONNECTION, "upgrade")
    opening.answer.fields = [(name.lower(), value) for name, value in opening.answer.fields]


async def connection_list(opening: Opening) -> None:
    """Send a list of two in Connection."""
    replace_field(opening.answer, CONNECTION, "keep-alive, Upgrade")


async def no_reason(opening: Opening) -> None:
    """Send an empty reason phrase."""
    opening.answer.status_line = "HTTP/1.1 101 "


async def other_reason(opening: Opening) -> None:
    """Send the reason phrase of drafts before RFC 6455."""
    opening.answer.status_line = "HTTP/1.1 101 Web Socket Protocol Handshake"


async def content_length(opening: Opening) -> None:
    """Send Content-Length."""
    opening.answer.fields.append(("Content-Length", "0"))


async def chunked(opening: Opening) -> None:
    """Send Transfer-Encoding."""
    opening.answer.fields.append(("Transfer-Encoding", "chunked"))


async def additional_fields(opening: Opening) -> None:
    """Send many fields, or long ones."""
    opening.answer.fields += _fields(opening.options)


def _fields(options: Options) -> list[tuple[str, str]]:
    return [(f"X-Filler-{number}", "x" * options["size"]) for number in range(1, options["count"] + 1)]


def _size_of_fields(options: Options) -> int:
    # The longest name, a colon, a space and the line end.
    return int(options["count"] * (options["size"] + len("X-Filler-1000") + 4))


def _cost_of_fields(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(bytes=_size_of_fields(options))


def _fault_of_fields(values: tuple[Any, ...], options: Options, limits: Limits) -> str:
    size = _size_of_fields(options)
    if size <= _MOST_FIELDS:
        return ""
    return f"count and size make {size} bytes of fields: at most {written_size(_MOST_FIELDS)} are allowed"


async def early_hints(opening: Opening) -> None:
    """Send a response with status 103 before the 101 response."""
    await opening.write(_EARLY_HINTS)


async def odd_cookies(opening: Opening) -> None:
    """Set a cookie twice, and cookies that few parsers accept."""
    for cookie in ("wsecho=first", "wsecho=second", 'wsecho[odd]="a, b"', "wsecho-alone"):
        opening.answer.fields.append(cookie_field(cookie, opening.request))


def _cost_of_dribbling(values: tuple[Any, ...], options: Options, limits: Limits) -> Cost:
    return Cost(seconds=_MOST_PIECES * _PAUSE)


OPTIONS = (
    Argument("count", Count(1, 1000), "how many additional fields", default=100),
    Argument("size", Size(1), "the bytes in the value of each additional field", default=16),
)

WORDS = (
    Word(
        name="handshake/bundled",
        number="23.1",
        group="D",
        server="Sends the 101 response in one write with the frames that the next steps send before they wait.",
        client="Takes what follows the empty line for frames, and loses none.",
        rfc="RFC 6455 section 4.1",
        run=bundled,
        stage="opening",
        is_exact=True,
        collects=True,
        rows=(
            opens(
                "23.1.1",
                "/ws/handshake/bundled/message/hello",
                *("jeremyong/websocket_client#18", "privkeyio/libnostr-z#134", "wsharp#669", "netty#1331"),
                *("espressif/esp-protocols#396", "faye/faye-websocket-node#73", "wspp#32"),
                "zephyrproject-rtos/zephyr#89193",
                act="close after the first message",
            ),
        ),
    ),
    Word(
        name="handshake/dribbled",
        number="23.2",
        group="D",
        server="Sends the 101 response in pieces of one byte, 2 ms apart; a long one in 256 pieces.",
        client="Reads until the empty line, however the bytes are cut.",
        rfc="RFC 6455 section 4.1",
        run=dribbled,
        stage="opening",
        is_exact=True,
        cost=_cost_of_dribbling,
        rows=(opens("23.2.1", "/ws/handshake/dribbled", "Devristo/phpws#46", "bun#41569"),),
    ),
    Word(
        name="handshake/lower-case",
        number="23.3",
        group="D",
        server="Sends the 101 response with the names of all fields in lower case, and 'connection: upgrade'.",
        client="Accepts the handshake: names of fields, and the values of Upgrade and Connection, have no case.",
        rfc="RFC 6455 section 4.1, RFC 9110 section 5.1",
        run=lower_case,
        stage="opening",
        is_exact=True,
        rows=(
            opens(
                "23.3.1",
                "/ws/handshake/lower-case",
                *("crossbario/autobahn-testsuite#131", "jordansissel/ruby-ftw#16", "croservices/cro-websocket#6"),
                "defold/extension-websocket#4",
            ),
        ),
    ),
    Word(
        name="handshake/connection-list",
        number="23.4",
        group="D",
        server="Sends the 101 response with 'Connection: keep-alive, Upgrade'.",
        client="Accepts the handshake: Connection is a list that must contain 'Upgrade'.",
        rfc="RFC 6455 section 4.1, RFC 9110 section 7.6.1",
        run=connection_list,
        stage="opening",
        is_exact=True,
        rows=(opens("23.4.1", "/ws/handshake/connection-list", "wsc#626"),),
    ),
    Word(
        name="handshake/no-reason",
        number="23.5",
        group="D",
        server="Sends the status line 'HTTP/1.1 101 ', with the space and an empty reason phrase.",
        client="Accepts the handshake: the reason phrase may be empty.",
        rfc="RFC 9112 section 4",
        run=no_reason,
        stage="opening",
        is_exact=True,
        rows=(
            opens(
                "23.5.1",
                "/ws/handshake/no-reason",
                *("pyws#159", "wsc#406", "faye/websocket-driver-ruby#76", "cth35/tydom_python#1"),
            ),
        ),
    ),
    Word(
        name="handshake/other-reason",
        number="23.6",
        group="D",
        server="Sends the status line 'HTTP/1.1 101 Web Socket Protocol Handshake'.",
        client="Accepts the handshake: it ignores the reason phrase.",
        rfc="RFC 9112 section 4",
        run=other_reason,
        stage="opening",
        is_exact=True,
        rows=(
            opens(
                "23.6.1",
                "/ws/handshake/other-reason",
                *("zhaojh329/libuwsc#8", "masuidrive/ti-websocket-client#6", "python-hyper/wsproto#190"),
                "amphp/http-server#129",
            ),
        ),
    ),
    Word(
        name="handshake/content-length",
        number="23.7",
        group="D",
        server="Sends the 101 response with the field 'Content-Length: 0', which a server must not send.",
        client="Accepts the handshake: a 1xx response ends with its empty line, whatever fields it has.",
        rfc="RFC 9112 section 6.3",
        run=content_length,
        stage="opening",
        is_exact=True,
        rows=(
            opens(
                "23.7.1",
                "/ws/handshake/content-length",
                *("SuaveIO/suave#626", "drogonframework/drogon#2164", "koush/AndroidAsync#317"),
                "creationix/http-parser-js#63",
            ),
        ),
    ),
    Word(
        name="handshake/chunked",
        number="23.8",
        group="D",
        server="Sends the 101 response with the field 'Transfer-Encoding: chunked', which a server must not send. "
        "Nothing is sent in chunks.",
        client="Accepts the handshake, because a 1xx response ends with its empty line; or fails the connection.",
        rfc="RFC 9112 sections 6.1 and 6.3",
        run=chunked,
        stage="opening",
        is_exact=True,
        rows=(opens("23.8.1", "/ws/handshake/chunked", "mirage/ocaml-cohttp#1141", demand="unspecified"),),
    ),
    Word(
        name="handshake/headers",
        number="23.9",
        group="D",
        server="Sends the 101 response with additional fields, X-Filler-1 and so on: as many as count says, each with "
        "as many letters x as size says.",
        client="Accepts the handshake, up to limits that it documents.",
        rfc="RFC 9110 section 5.4",
        run=additional_fields,
        stage="opening",
        is_exact=True,
        options=("count", "size"),
        cost=_cost_of_fields,
        fault=_fault_of_fields,
        collects=True,
        rows=(
            opens("23.9.1", "/ws/handshake/headers?count=100&size=16", demand="should"),
            opens("23.9.2", "/ws/handshake/headers?count=1&size=2400", "boostorg/beast#1460", demand="should"),
            opens("23.9.3", "/ws/handshake/headers?count=1&size=8000", demand="should"),
            opens("23.9.4", "/ws/handshake/headers?count=200&size=16", "bun#43243", demand="unspecified"),
            opens("23.9.5", "/ws/handshake/headers?count=1&size=16KiB", demand="unspecified"),
        ),
    ),
    Word(
        name="handshake/early-hints",
        number="23.10",
        group="D",
        server="Sends 'HTTP/1.1 103 Early Hints' with a Link field, and then the 101 response.",
        client="Ignores the response with status 103, and accepts the handshake.",
        rfc="RFC 9110 section 15.2, RFC 8297 section 2",
        run=early_hints,
        stage="opening",
        is_exact=True,
        rows=(opens("23.10.1", "/ws/handshake/early-hints", "whatwg/fetch#1397", "boostorg/beast#264"),),
    ),
    Word(
        name="handshake/cookies",
        number="23.11",
        group="D",
        server="Sends the 101 response with four Set-Cookie fields: one cookie twice, one with an odd name and value, "
        "and one without '='. They live 60 seconds, for this path. A public server sets no cookies.",
        client="Accepts the handshake, and ignores cookies that it cannot parse.",
        rfc="RFC 6265 sections 3 and 5.2",
        run=odd_cookies,
        stage="opening",
        is_exact=True,
        fault=fault_of_cookies,
        rows=(
            opens(
                "23.11.1",
                "/ws/handshake/cookies",
                *("wsc#1061", "gatling/gatling#2916", "Starscream#683", "corefx#24420", "whatwg/fetch#1710"),
            ),
        ),
    ),
)
