"""Group G, and the Close frames of group A that are wrong: frames that break one rule of RFC 6455."""

from collections.abc import Awaitable, Callable
from typing import Any

from wsecho.scenarios.language.word import Demand, Row, Word
from wsecho.scenarios.steps.peer import Peer

_MASK = b"\x37\xfa\x21\x3d"
_PROTOCOL_ERROR = "Fails the connection with close code 1002, and gives nothing of this to the application."
_NOT_UTF8 = "Fails the connection with close code 1007, and gives nothing of this to the application."
_THEN_ENDS = "Then it waits for the client's Close frame, and ends TCP with FIN."
_HTTP = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\nContent-Length: 17\r\nConnection: close\r\n\r\n"
    b"Request timed out"
)


def _masked(payload: bytes) -> bytes:
    """Return the mask and the masked payload (RFC 6455 section 5.3), which has at most 8 bytes."""
    return _MASK + bytes(byte ^ mask for byte, mask in zip(payload, _MASK * 2, strict=False))


def _sends(data: bytes) -> Callable[[Peer], Awaitable[None]]:
    async def step(peer: Peer) -> None:
        """Send the bytes."""
        await peer.write(data)

    return step


def _closes(payload: bytes, frame: bytes) -> Callable[[Peer], Awaitable[None]]:
    async def step(peer: Peer) -> None:
        """Send the Close frame, wait for the client's, and end TCP."""
        await peer.send_close(payload, frame=frame)
        await peer.closed()

    return step


def _row(number: str, url: str, codes: tuple[int, ...], cases: tuple[str, ...], demand: Demand) -> Row:
    """Return a row in which the client must fail the connection with one of `codes`, or with an end of TCP."""
    return Row(
        number,
        url,
        act="wait",
        expect={"opened": True, "messages": [], "close_code": [*codes, 1006], "within": 5},
        demand=demand,
        judge=(f"close {' or '.join(map(str, codes))} or end",),
        cases=cases,
    )


def _frame(
    number: str,
    name: str,
    rfc: str,
    data: bytes,
    server: str,
    *cases: str,
    client: str = _PROTOCOL_ERROR,
    codes: tuple[int, ...] = (1002,),
    demand: Demand = "must",
    is_open_ended: bool = False,
    **fields: Any,
) -> Word:
    """Return the word that sends `data`.

    In its row, a message follows, which a client that has failed the connection does not echo. After data that
    `is_open_ended`, it would be a part of it, so it does not follow.
    """
    url = f"/ws/malformed/{name}" + ("" if is_open_ended else "/message/more")
    row = _row(f"{number}.1", url, codes, cases, demand)
    return Word(
        f"malformed/{name}", number, "G", server, client, f"RFC 6455 section {rfc}", _sends(data), rows=(row,), **fields
    )


def _close(
    number: str,
    name: str,
    rfc: str,
    payload: bytes,
    server: str,
    *cases: str,
    frame: bytes = b"",
    code: int = 1002,
    demand: Demand = "must",
) -> Word:
    """Return the word that sends a Close frame with `payload`, or `frame` in its place."""
    row = _row(f"{number}.1", f"/ws/malformed/{name}", (code,), cases, demand)
    return Word(
        f"malformed/{name}",
        number,
        "G" if number.startswith("26.") else "A",
        f"{server} {_THEN_ENDS}",
        f"Fails the connection with close code {code}.",
        f"RFC 6455 section {rfc}",
        _closes(payload, frame or bytes((0x88, len(payload))) + payload),
        ends=True,
        rows=(row,),
    )


def _code(number: str, code: int, why: str, *cases: str, demand: Demand = "must") -> Word:
    """Return the word that sends a Close frame with a code that no Close frame may have."""
    server = f"Sends a Close frame with code {code}, {why}."
    rfc = "7.4.2" if demand == "should" else "7.4.1"
    return _close(number, f"close-{code}", rfc, code.to_bytes(2, "big"), server, *cases, demand=demand)


def _behind_close(number: str, name: str, data: bytes, server: str) -> Word:
    """Return the word that sends `data` behind a Close frame with code 1000."""
    return Word(
        f"malformed/{name}",
        number,
        "A",
        f"{server} {_THEN_ENDS}",
        "Answers the first Close frame, drops what is behind it, and reports close code 1000.",
        "RFC 6455 sections 1.4 and 5.5.1",
        _closes(b"\x03\xe8", b"\x88\x02\x03\xe8" + data),
        ends=True,
        rows=(
            Row(
                f"{number}.1",
                f"/ws/malformed/{name}",
                act="wait",
                expect={"opened": True, "messages": [], "close_code": 1000, "within": 5},
                judge=("close 1000", "nothing after close"),
            ),
        ),
    )


OPTIONS = ()

_ORDER_AND_BITS = (
    _frame(
        *("26.1", "masked", "5.1", b"\x81\x86" + _masked(b"masked")),
        "Sends a text message that is masked, which only a client's may be.",
        *("Starscream#46", "ws#1681", "Molorius/esp32-websocket#2", "WSN#226", "websockets-rs/rust-websocket#61"),
    ),
    _frame(
        *("26.3", "rsv1", "5.2", b"\xc1\x04rsv1"),
        "Sends a text message with the bit RSV1. No extension that could give it a meaning is negotiated.",
        *("TakahikoKawasaki/nv-websocket-client#14", "bun#35872"),
        may_deflate=False,
    ),
    _frame(
        *("26.4", "rsv2", "5.2", b"\xa1\x04rsv2"),
        "Sends a text message with the bit RSV2, to which no extension has given a meaning.",
        "TakahikoKawasaki/nv-websocket-client#14",
    ),
    _frame(
        *("26.5", "rsv3", "5.2", b"\x91\x04rsv3"),
        "Sends a text message with the bit RSV3, to which no extension has given a meaning.",
        "TakahikoKawasaki/nv-websocket-client#14",
    ),
    _frame(
        *("26.6", "reserved-data-opcode", "5.2", b"\x83\x04data"),
        "Sends a frame with opcode 3, which is reserved for further data frames.",
        "bun#35872",
    ),
    _frame(
        *("26.7", "reserved-control-opcode", "5.2", b"\x8b\x00"),
        "Sends a frame with opcode 11, which is reserved for further control frames.",
        "bun#35872",
    ),
    _frame(
        *("26.8", "fragmented-ping", "5.5", b"\x09\x02ab\x80\x02cd"),
        "Sends a Ping frame in two fragments.",
        "bun#35872",
    ),
    _frame(
        *("26.9", "long-ping", "5.5", b"\x89\x7e\x00\x7e" + b"p" * 126),
        "Sends a Ping frame with 126 bytes of payload.",
        "bun#35872",
    ),
    _frame(
        *("26.10", "long-pong", "5.5", b"\x8a\x7e\x00\x7e" + b"p" * 126),
        "Sends a Pong frame with 126 bytes of payload.",
        "bun#35872",
    ),
    _frame(
        *("26.11", "continuation-first", "5.4", b"\x80\x04lost"),
        "Sends a continuation frame, although no message has begun.",
        "bun#35872",
    ),
    _frame(
        *("26.12", "message-in-message", "5.4", b"\x01\x05outer\x81\x05inner"),
        "Begins a text message, and sends another one before the last fragment of the first.",
        "bun#35872",
    ),
)
_TEXT = (
    _frame(
        *("26.13", "text-not-utf8", "8.1", b"\x81\x05caf\xe9!"),
        "Sends a text message with a byte that is not UTF-8.",
        "bun#35872",
        client=_NOT_UTF8,
        codes=(1007,),
    ),
    _frame(
        *("26.14", "text-cut-short", "8.1", b"\x81\x04caf\xc3"),
        "Sends a text message that ends inside a character.",
        client=_NOT_UTF8,
        codes=(1007,),
    ),
    _frame(
        *("26.15", "text-surrogate", "8.1", b"\x81\x03\xed\xa0\x80"),
        "Sends a text message with the surrogate U+D800, which UTF-8 cannot encode.",
        client=_NOT_UTF8,
        codes=(1007,),
    ),
    _frame(
        *("26.16", "text-overlong", "8.1", b"\x81\x02\xc0\xaf"),
        "Sends a text message with a slash that takes two bytes instead of one.",
        client=_NOT_UTF8,
        codes=(1007,),
    ),
    _frame(
        *("26.17", "text-fails-early", "8.1", b"\x01\x05caf\xe9!"),
        "Sends the first fragment of a text message, with a byte that is not UTF-8. The rest never comes.",
        "wildfoundry/dataplicity-lomond#3",
        client="Fails the connection with close code 1007 at once: no later fragment can make the message valid.",
        codes=(1007,),
        demand="should",
        is_open_ended=True,
    ),
    _frame(
        *("26.18", "http", "5.2", _HTTP),
        "Sends an HTTP response with status 408 instead of a frame, as a proxy does whose time limit has passed.",
        "browserless/browserless#5594",
        is_open_ended=True,
    ),
)
_LENGTHS = (
    _frame(
        *("26.19", "length-top-bit", "5.2", b"\x82\x7f\x80" + bytes(7) + b"data"),
        "Sends the beginning of a binary message whose length has the most significant bit set.",
        *("JW#1507", "alibaba/PhotonLibOS#1309"),
        client="Fails the connection with close code 1002, or with 1009 for its size, as soon as it has the header.",
        codes=(1002, 1009),
        is_open_ended=True,
    ),
    _frame(
        *("26.20", "length-huge", "10.4", b"\x82\x7f\x7f" + b"\xff" * 7 + b"data"),
        "Sends the beginning of a binary message with the length 2^63-1. The rest never comes.",
        *("JW#1507", "alibaba/PhotonLibOS#1309"),
        client="Fails the connection with close code 1009 as soon as it has the header, and allocates nothing for it.",
        codes=(1009, 1002),
        demand="should",
        is_open_ended=True,
    ),
    _frame(
        *("26.21", "length-over-32-bits", "10.4", b"\x82\x7f" + (2**32 + 5).to_bytes(8, "big") + b"hello"),
        "Sends the first 5 bytes of a binary message with the length 2^32+5. The rest never comes.",
        *("JW#1507", "alibaba/PhotonLibOS#1309"),
        client="Fails the connection with close code 1009, and never takes the 5 bytes for the whole message.",
        codes=(1009, 1002),
        demand="should",
        is_open_ended=True,
    ),
    *(
        Word(
            f"malformed/length-in-{size}-bytes",
            number,
            "G",
            f"Sends the text message 'short', whose length of 5 is written in {size} bytes instead of 7 bits.",
            "Takes the message, or fails the connection with close code 1002: the server must not send it.",
            "RFC 6455 section 5.2",
            _sends(b"\x81" + bytes((marker,)) + (5).to_bytes(size, "big") + b"short"),
            rows=(
                Row(
                    f"{number}.1",
                    f"/ws/malformed/length-in-{size}-bytes/close/1000",
                    act="wait",
                    expect={"opened": True, "close_code": [1000, 1002, 1006], "within": 5},
                    demand="unspecified",
                ),
            ),
        )
        for number, size, marker in (("26.22", 2, 126), ("26.23", 8, 127))
    ),
)
_CLOSES = (
    _close(
        *("26.2", "masked-close", "5.1", b"\x03\xe8"),
        "Sends a Close frame with code 1000 that is masked, which only a client's may be.",
        "bun#35526",
        frame=b"\x88\x82" + _masked(b"\x03\xe8"),
    ),
    _close(
        *("26.24", "fragmented-close", "5.5", b"\x03\xe8"),
        "Sends a Close frame with code 1000 without the FIN bit.",
        frame=b"\x08\x02\x03\xe8",
    ),
    _close(
        *("26.25", "long-close", "5.5", b"\x03\xe8"),
        "Sends a Close frame with code 1000 and a reason of 124 bytes, one more than fits.",
        "okhttp#2807",
        frame=b"\x88\x7e\x00\x7e\x03\xe8" + b"r" * 124,
    ),
    _close("20.71", "close-one-byte", "5.5.1", b"\x03", "Sends a Close frame with one byte, which is half a code."),
    _close(
        *("20.72", "close-reason-not-utf8", "5.5.1", b"\x03\xe8caf\xe9!"),
        "Sends a Close frame with code 1000 and a reason that is not UTF-8.",
        "undici#3206",
        code=1007,
    ),
    _code("20.73", 0, "which is not used"),
    _code("20.74", 999, "which is below all codes"),
    _code("20.75", 1004, "which is reserved"),
    _code("20.76", 1005, "which stands for no code and is never sent", "bun#42511"),
    _code("20.77", 1006, "which stands for a lost connection and is never sent", "bun#42511"),
    _code("20.78", 1015, "which stands for a failed TLS handshake and is never sent"),
    _code(
        *("20.79", 1100, "which is reserved for later versions of the protocol", "Marfusios/websocket-client#160"),
        demand="should",
    ),
    _code("20.80", 2999, "which is reserved for later versions of the protocol", demand="should"),
    _code("20.81", 5000, "which is above all codes", demand="should"),
    _code(
        "20.82", 22373, "which is above all codes, as from bytes read in the wrong place", "ws#1916", demand="should"
    ),
    _behind_close(
        *("20.83", "data-after-close", b"\x81\x04late"), "Sends a Close frame with code 1000 and a message behind it."
    ),
    _behind_close(
        *("20.84", "second-close", b"\x88\x02\x0f\xa0"),
        "Sends a Close frame with code 1000 and another one, with code 4000, behind it.",
    ),
)

WORDS = (*_ORDER_AND_BITS, *_TEXT, *_LENGTHS, *_CLOSES)
