"""permessage-deflate and subprotocols as a scenario agrees on them, and compressed messages that are wrong.

Modules: `negotiation`.
"""

import zlib

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import head, request, scene
from tests.shared.frames import (
    BINARY,
    CLOSE,
    TEXT,
    client_frame,
    encoded_length,
    server_close,
    server_frame,
)
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from wsecho.scenarios.steps.deflate import bomb

OFFER = "Sec-WebSocket-Extensions: permessage-deflate"
NO_CONTEXT = f"{OFFER}; server_no_context_takeover; client_no_context_takeover"


def deflated(text: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -9)
    return (stream.compress(text) + stream.flush(zlib.Z_FULL_FLUSH))[:-4]


def inflated(payload: bytes) -> bytes:
    # With the smallest window that may be negotiated.
    return zlib.decompressobj(-9).decompress(payload + b"\0\0\xff\xff")


def refusal(server: RunningServer, url: str, *fields: str) -> str:
    with RawConnection(server.port) as connection:
        connection.send(request(url, *fields))
        assert head(connection).startswith("HTTP/1.1 400 ")
        return connection.receive_all().decode()


@pytest.mark.parametrize(
    ("form", "offer", "agreed"),
    [
        ("no-context-takeover", OFFER, NO_CONTEXT),
        ("no-context-takeover", f"{OFFER}; server_no_context_takeover", NO_CONTEXT),
        ("15", OFFER, f"{OFFER}; server_max_window_bits=15"),
        ("9", f"{OFFER}; client_max_window_bits", f"{OFFER}; server_max_window_bits=9; client_max_window_bits=9"),
        (
            "12",
            f"{OFFER}; client_max_window_bits=11; server_max_window_bits=10",
            f"{OFFER}; server_max_window_bits=10; client_max_window_bits=10",
        ),
        (
            "12",
            f"{OFFER}; client_max_window_bits; server_max_window_bits=15",
            f"{OFFER}; server_max_window_bits=12; client_max_window_bits=12",
        ),
        # The first offer does not allow it.
        (
            "10",
            f"{OFFER}, permessage-deflate; client_max_window_bits",
            f"{OFFER}; server_max_window_bits=10; client_max_window_bits=10",
        ),
        ("off", OFFER, ""),
    ],
)
def test_forms_of_the_agreement(shared_server: RunningServer, form: str, offer: str, agreed: str) -> None:
    with scene(shared_server, f"/ws?deflate={form}", offer, agreed=agreed) as connection:
        payload = deflated(b"hello") if agreed else b"hello"
        frame = client_frame(TEXT, payload, reserved=4 if agreed else 0)
        connection.send(frame)
        echo = bytes((0xC1 if agreed else 0x81, len(payload))) + payload
        assert connection.receive(len(echo)) == echo


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("/ws?deflate=15", ()),
        ("/ws?deflate=9", (OFFER,)),
        ("/ws/malformed/deflate-bomb", ()),
        ("/ws/malformed/deflate-ping", (f"{OFFER}; unknown=1",)),
    ],
)
def test_a_client_whose_offer_does_not_allow_it_is_refused(
    shared_server: RunningServer, url: str, fields: tuple[str, ...]
) -> None:
    assert "the scenario needs permessage-deflate" in refusal(shared_server, url, *fields)


def test_a_server_without_compression_refuses_too(serve: Serve) -> None:
    assert "the scenario needs permessage-deflate" in refusal(serve("--no-deflate"), "/ws?deflate=15", OFFER)


@pytest.mark.parametrize(
    "url",
    [
        "/ws/malformed/deflate-bomb?deflate=off",
        "/ws/flood/1/1/malformed/deflate-ping",
        "/ws?deflate=15&drop=5",
        "/ws/malformed/rsv1/next?deflate=15",
    ],
)
def test_what_excludes_compression_cannot_need_it(shared_server: RunningServer, url: str) -> None:
    assert "needs permessage-deflate, and another one excludes it" in refusal(shared_server, url, OFFER)


FRAMES = {
    "deflate-garbage": b"\xc1\x08\x07garbage",
    "deflate-continuation": bytes((0x41, 3))
    + deflated(b"twice")[:3]
    + bytes((0xC0, len(deflated(b"twice")) - 3))
    + deflated(b"twice")[3:],
    "deflate-ping": bytes((0xC9, len(deflated(b"ping")))) + deflated(b"ping"),
    "deflate-not-utf8": bytes((0xC1, len(deflated(b"caf\xe9!")))) + deflated(b"caf\xe9!"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_compressed_frames_that_are_wrong(shared_server: RunningServer, name: str) -> None:
    with scene(shared_server, f"/ws/malformed/{name}", OFFER, agreed=NO_CONTEXT) as connection:
        assert connection.receive(len(FRAMES[name])) == FRAMES[name]
        connection.send(client_frame(TEXT, b"on") + client_frame(CLOSE, b"\x03\xea"))
        assert connection.receive_all() == server_frame(TEXT, b"on") + server_close(1002, "")


@pytest.mark.parametrize("size", [1, 1000, (1 << 20) - 1, 1 << 20, (3 << 20) + 7])
def test_a_bomb_inflates_to_its_size_in_every_window(shared_server: RunningServer, size: int) -> None:
    with scene(shared_server, f"/ws/malformed/deflate-bomb/{size}", OFFER, agreed=NO_CONTEXT) as connection:
        first, length = connection.receive(2)
        if length == 126:
            length = int.from_bytes(connection.receive(2), "big")
        payload = connection.receive(length)
        assert first == 0xC1
        assert inflated(payload) == b"a" * size
        assert len(payload) < size // 900 + 100
        # The client's own compressed messages are echoed as before.
        own = deflated(b"still here")
        connection.send(client_frame(BINARY, own, reserved=4))
        assert connection.receive(2 + len(own)) == bytes((0xC2, len(own))) + own


def test_the_usual_bomb_is_small_on_the_wire(shared_server: RunningServer) -> None:
    payload = bomb(256 << 20)
    assert len(payload) < 400_000
    with scene(shared_server, "/ws/malformed/deflate-bomb", OFFER, agreed=NO_CONTEXT) as connection:
        expected = b"\xc1" + encoded_length(len(payload)) + payload
        assert connection.receive(len(expected)) == expected


def test_a_bomb_is_limited_by_what_it_inflates_to(serve: Serve) -> None:
    server = serve("--public")
    assert "inflates to 256MiB: at most 8MiB are allowed" in refusal(server, "/ws/malformed/deflate-bomb", OFFER)
    assert "is out of bounds" in refusal(server, "/ws/malformed/deflate-bomb/9MiB", OFFER)
    with scene(server, "/ws/malformed/deflate-bomb/8MiB", OFFER, agreed=NO_CONTEXT):
        pass


@pytest.mark.parametrize(
    ("value", "offer", "chosen"),
    [
        ("none", "a, b", ""),
        ("first", "a, b", "a"),
        ("b", "a, b", "b"),
        ("c,b,a", "a, b", "b"),
        ("graphql-transport-ws", "a, b", ""),
    ],
)
def test_subprotocols(serve: Serve, value: str, offer: str, chosen: str) -> None:
    server = serve("--subprotocol", "a")
    agreed = f"Sec-WebSocket-Protocol: {chosen}" if chosen else ""
    url = f"/ws/message/hi?subprotocol={value}"
    with scene(server, url, f"Sec-WebSocket-Protocol: {offer}", agreed=agreed) as connection:
        assert connection.receive(4) == server_frame(TEXT, b"hi")


def test_a_subprotocol_must_be_a_token(shared_server: RunningServer) -> None:
    assert "the option 'subprotocol', 'a b', is not none, first" in refusal(shared_server, "/ws?subprotocol=a%20b")


def test_messages_have_the_limit_of_the_plan_and_of_the_server(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name, "--max-message-size", "2000")
    too_long = server_close(1009, "message is longer than the limit")
    for url, fits in (("/ws?max-message=1000", 1000), ("/ws?max-message=1MiB", 2000)):
        with scene(server, url) as connection:
            connection.send(client_frame(TEXT, b"x" * fits) + client_frame(TEXT, b"x" * (fits + 1)))
            echo = server_frame(TEXT, b"x" * fits)
            assert connection.receive(len(echo)) == echo
            assert connection.receive(len(too_long)) == too_long
    with RawConnection(server.port).open() as connection:
        connection.send(client_frame(TEXT, b"x" * 2000))
        assert connection.receive(2004) == server_frame(TEXT, b"x" * 2000)
