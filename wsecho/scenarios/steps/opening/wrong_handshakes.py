"""Group I: answers that differ from a correct 101 response in one detail, and that a client must or may refuse."""

from wsecho.scenarios.language.word import Row, Word
from wsecho.scenarios.steps.opening.answers import (
    ACCEPT,
    CONNECTION,
    EXTENSIONS,
    SUBPROTOCOL,
    UPGRADE,
    fails,
    not_offered,
    opens,
    replace_field,
    value_of,
    with_bad_window,
    wrong_key,
)
from wsecho.scenarios.steps.peer import Opening

_GARBAGE = bytes(range(256))
_TWO_SUBPROTOCOLS = 2


async def wrong_accept(opening: Opening) -> None:
    """Send the accept value of another key."""
    replace_field(opening.answer, ACCEPT, wrong_key(value_of(opening.answer, ACCEPT)))


async def no_accept(opening: Opening) -> None:
    """Leave out the accept value."""
    replace_field(opening.answer, ACCEPT)


async def accept_twice(opening: Opening) -> None:
    """Send the accept value, and a wrong one."""
    accept = value_of(opening.answer, ACCEPT)
    replace_field(opening.answer, ACCEPT, accept, wrong_key(accept))


async def no_upgrade(opening: Opening) -> None:
    """Leave out Upgrade."""
    replace_field(opening.answer, UPGRADE)


async def no_connection(opening: Opening) -> None:
    """Leave out Connection."""
    replace_field(opening.answer, CONNECTION)


async def unoffered_subprotocol(opening: Opening) -> None:
    """Choose a subprotocol that the client did not offer."""
    replace_field(opening.answer, SUBPROTOCOL, not_offered(opening, "wsecho-unoffered"))


async def two_subprotocols(opening: Opening) -> None:
    """Choose two subprotocols, of those that the client offered as far as there are any."""
    offers = opening.request.tokens("sec-websocket-protocol")
    offers += [not_offered(opening, f"wsecho-{number}") for number in ("one", "two")]
    replace_field(opening.answer, SUBPROTOCOL, *offers[:_TWO_SUBPROTOCOLS])


async def unoffered_extension(opening: Opening) -> None:
    """Accept an extension that the client did not offer."""
    agreed = value_of(opening.answer, EXTENSIONS)
    replace_field(opening.answer, EXTENSIONS, f"{agreed}, x-wsecho-unoffered" if agreed else "x-wsecho-unoffered")


async def bad_deflate_parameter(opening: Opening) -> None:
    """Accept permessage-deflate with a window that does not exist."""
    replace_field(opening.answer, EXTENSIONS, with_bad_window(value_of(opening.answer, EXTENSIONS)))


async def http10(opening: Opening) -> None:
    """Answer with HTTP/1.0."""
    opening.answer.status_line = "HTTP/1.0 101 Switching Protocols"


async def no_reason_no_space(opening: Opening) -> None:
    """Leave out the reason phrase, and the space before it."""
    opening.answer.status_line = "HTTP/1.1 101"


async def status_200(opening: Opening) -> None:
    """Send the fields of a 101 response with status 200."""
    opening.answer.status_line = "HTTP/1.1 200 OK"
    opening.refused(200)
    await opening.write(opening.encoded())
    await opening.end()


async def truncated(opening: Opening) -> None:
    """Send half of the response. Then end TCP, or leave it open."""
    response = opening.encoded()
    opening.refused(0)
    await opening.write(response[: len(response) // 2])
    if opening.options["keep"]:
        await opening.ended()
    await opening.end()


async def garbage(opening: Opening) -> None:
    """Send bytes that are no response."""
    opening.refused(0)
    await opening.write(_GARBAGE)
    await opening.end()


OPTIONS = ()

WORDS = (
    Word(
        name="handshake/wrong-accept",
        number="28.1",
        group="I",
        server="Sends the 101 response with a Sec-WebSocket-Accept whose first character is another one.",
        client="Fails the connection.",
        rfc="RFC 6455 section 4.1",
        run=wrong_accept,
        stage="opening",
        is_exact=True,
        rows=(
            fails(
                "28.1.1",
                "/ws/handshake/wrong-accept/message/hello",
                *("codebutler/android-websockets#6", "status-im/nim-websock#24", "home-lang/home#391"),
                *("eclipse-paho/paho.mqtt.java#295", "aspnet/WebSockets#9", "infinitefield/yawc#50", "bun#26950"),
                "qoretechnologies/qore#2062",
            ),
        ),
    ),
    Word(
        name="handshake/no-accept",
        number="28.2",
        group="I",
        server="Sends the 101 response without Sec-WebSocket-Accept.",
        client="Fails the connection.",
        rfc="RFC 6455 section 4.1",
        run=no_accept,
        stage="opening",
        is_exact=True,
        rows=(fails("28.2.1", "/ws/handshake/no-accept/message/hello", "bun#26950", "aspnet/WebSockets#9"),),
    ),
    Word(
        name="handshake/accept-twice",
        number="28.3",
        group="I",
        server="Sends the 101 response with two Sec-WebSocket-Accept fields: the correct one, and then one whose first "
        "character is another one.",
        client="Fails the connection.",
        rfc="RFC 6455 section 11.3.3",
        run=accept_twice,
        stage="opening",
        is_exact=True,
        rows=(fails("28.3.1", "/ws/handshake/accept-twice/message/hello", "bun#41875"),),
    ),
    Word(
        name="handshake/no-upgrade",
        number="28.4",
        group="I",
        server="Sends the 101 response without Upgrade.",
        client="Fails the connection.",
        rfc="RFC 6455 section 4.1",
        run=no_upgrade,
        stage="opening",
        is_exact=True,
        rows=(fails("28.4.1", "/ws/handshake/no-upgrade/message/hello"),),
    ),
    Word(
        name="handshake/no-connection",
        number="28.5",
        group="I",
        server="Sends the 101 response without Connection.",
        client="Fails the connection.",
        rfc="RFC 6455 section 4.1",
        run=no_connection,
        stage="opening",
        is_exact=True,
        rows=(fails("28.5.1", "/ws/handshake/no-connection/message/hello"),),
    ),
    Word(
        name="handshake/unoffered-subprotocol",
        number="28.6",
        group="I",
        server="Sends the 101 response with 'Sec-WebSocket-Protocol: wsecho-unoffered'.",
        client="Fails the connection.",
        rfc="RFC 6455 section 4.1",
        run=unoffered_subprotocol,
        stage="opening",
        is_exact=True,
        rows=(
            fails(
                "28.6.1",
                "/ws/handshake/unoffered-subprotocol/message/hello",
                *("websockets/wscat#127", "jetty#3462", "bun#32825", "sanmiguel/websocket_client#37"),
            ),
        ),
    ),
    Word(
        name="handshake/two-subprotocols",
        number="28.7",
        group="I",
        server="Sends the 101 response with two Sec-WebSocket-Protocol fields: the first two that the client offers, "
        "or else wsecho-one and wsecho-two.",
        client="Fails the connection.",
        rfc="RFC 6455 section 11.3.4",
        run=two_subprotocols,
        stage="opening",
        is_exact=True,
        rows=(
            fails(
                "28.7.1",
                "/ws/handshake/two-subprotocols/message/hello",
                act="offer the subprotocols one and two, echo",
                needs=("subprotocols",),
            ),
        ),
    ),
    Word(
        name="handshake/unoffered-extension",
        number="28.8",
        group="I",
        server="Sends the 101 response with the extension x-wsecho-unoffered, behind permessage-deflate if that is "
        "agreed on.",
        client="Fails the connection.",
        rfc="RFC 6455 sections 4.1 and 9.1",
        run=unoffered_extension,
        stage="opening",
        is_exact=True,
        rows=(
            fails(
                "28.8.1",
                "/ws/handshake/unoffered-extension/message/hello",
                *("jetty#3462", "bun#32825", "snapview/tungstenite-rs#550", "bun#29685"),
            ),
        ),
    ),
    Word(
        name="handshake/bad-deflate-parameter",
        number="28.9",
        group="I",
        server="Sends the 101 response with 'server_max_window_bits=16' in the agreement on permessage-deflate; 15 is "
        "the most.",
        client="Fails the connection.",
        rfc="RFC 7692 sections 7 and 7.1.2.1",
        run=bad_deflate_parameter,
        stage="opening",
        is_exact=True,
        rows=(
            fails(
                "28.9.1",
                "/ws/handshake/bad-deflate-parameter/message/hello",
                *("bun#32825", "netty#11413"),
                needs=("deflate",),
            ),
        ),
    ),
    Word(
        name="handshake/status-200",
        number="28.10",
        group="I",
        server="Sends the fields of a 101 response with the status line 'HTTP/1.1 200 OK', and ends TCP.",
        client="Fails the connection.",
        rfc="RFC 6455 section 4.1",
        run=status_200,
        stage="opening",
        is_exact=True,
        ends=True,
        rows=(
            Row(
                "28.10.1",
                "/ws/handshake/status-200",
                act="wait",
                expect={"opened": False, "status": 200, "within": 5},
                judge=("no message",),
                cases=("openresty/lua-resty-websocket#104",),
            ),
        ),
    ),
    Word(
        name="handshake/truncated",
        number="28.11",
        group="I",
        server="Sends the first half of the 101 response, and ends TCP; with keep, TCP stays open.",
        client="Fails the connection: at the end of TCP, or after a time that the application can set.",
        rfc="RFC 9112 section 8",
        run=truncated,
        stage="opening",
        is_exact=True,
        options=("keep",),
        ends=True,
        rows=(
            fails("28.11.1", "/ws/handshake/truncated", "swift-server-community/mqtt-nio#255", act="wait"),
            Row(
                "28.11.2",
                "/ws/handshake/truncated?keep",
                act="wait",
                expect={"opened": False, "within": 60},
                demand="should",
                slow=60,
                cases=("crossbario/autobahn-python#50", "openclaw/openclaw#111845", "asterisk/asterisk#1980"),
                browser={"within": 250},
            ),
        ),
    ),
    Word(
        name="handshake/garbage",
        number="28.12",
        group="I",
        server="Sends the 256 bytes from 00 to ff, which are no HTTP response, and ends TCP.",
        client="Fails the connection.",
        rfc="RFC 9112 section 4",
        run=garbage,
        stage="opening",
        is_exact=True,
        ends=True,
        rows=(fails("28.12.1", "/ws/handshake/garbage", act="wait"),),
    ),
    Word(
        name="handshake/http10",
        number="28.13",
        group="I",
        server="Sends the status line 'HTTP/1.0 101 Switching Protocols'.",
        client="Fails the connection or accepts the handshake: HTTP/1.0 has no Upgrade.",
        rfc="RFC 9110 section 7.8",
        run=http10,
        stage="opening",
        is_exact=True,
        rows=(opens("28.13.1", "/ws/handshake/http10", demand="unspecified"),),
    ),
    Word(
        name="handshake/no-reason-no-space",
        number="28.14",
        group="I",
        server="Sends the status line 'HTTP/1.1 101', without the space that must stand before an empty reason phrase.",
        client="Accepts the handshake, or fails the connection.",
        rfc="RFC 9112 section 4",
        run=no_reason_no_space,
        stage="opening",
        is_exact=True,
        rows=(opens("28.14.1", "/ws/handshake/no-reason-no-space", "pyws#159", demand="unspecified"),),
    ),
)
