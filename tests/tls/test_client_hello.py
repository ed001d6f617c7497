"""Parsing of a ClientHello, in Python and compiled: those that OpenSSL writes, complete, cut off and damaged."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsecho.tls import client_hello
from wsecho.tls.native import client_hello as compiled

Parsed = tuple[str | None, tuple[bytes, ...]]
NOTHING: Parsed = (None, ())


def bytes_needed(data: bytes) -> int:
    """Return what both modules return."""
    needed = client_hello.bytes_needed(data)
    assert compiled.bytes_needed(data) == needed
    return needed


def parse(data: bytes) -> Parsed:
    """Return what both modules return."""
    parsed = client_hello.parse(data)
    assert compiled.parse(data) == parsed
    return parsed


def written_by_openssl(server_name: str | None, protocols: list[str]) -> bytes:
    """Return the ClientHello of a client with this server name and these ALPN protocols."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    written = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), written, server_hostname=server_name).do_handshake()
    return written.read()


HELLO = written_by_openssl("echo.example", ["h2", "http/1.1"])


@pytest.mark.parametrize("server_name", [None, "a", "echo.example", "a." * 100 + "example"])
@pytest.mark.parametrize("protocols", [[], ["h2"], ["h2", "http/1.1", "x" * 255]])
def test_what_openssl_writes_is_understood(server_name: str | None, protocols: list[str]) -> None:
    hello = written_by_openssl(server_name, protocols)
    assert parse(hello) == (server_name, tuple(name.encode() for name in protocols))
    assert parse(hello + b"early data") == parse(hello)


def test_it_is_known_how_much_is_missing() -> None:
    assert bytes_needed(b"") == 5
    for length in range(1, len(HELLO)):
        assert length < bytes_needed(HELLO[:length]) <= len(HELLO)
    assert bytes_needed(HELLO) == bytes_needed(HELLO + b"more") == len(HELLO)


def test_nothing_is_waited_for_behind_what_is_no_client_hello() -> None:
    for data in (b"G", b"GET / HTTP/1.1\r\n", b"\x80\x2e\x01", b"\x15\x03\x03\x00\x02\x02\x28"):
        assert bytes_needed(data) == len(data)
        assert parse(data) == NOTHING
    # A record longer than TLS allows (RFC 8446 section 5.1) is left to the library to refuse.
    assert bytes_needed(b"\x16\x03\x01\x40\x00") == 5 + 0x4000
    assert bytes_needed(b"\x16\x03\x01\x40\x01") == 5


def test_one_in_several_records_is_left_to_the_library() -> None:
    head, body = HELLO[:3], HELLO[5:]
    halves = body[:50], body[50:]
    split = b"".join(head + len(half).to_bytes(2, "big") + half for half in halves)
    assert bytes_needed(split) == 55
    assert parse(split) == NOTHING


def test_what_a_length_leaves_out_is_not_read() -> None:
    """Each length in turn becomes one larger and one smaller: the rest is cut off, or is read as something else."""
    for position in range(len(HELLO)):
        for change in (-1, 1):
            damaged = bytearray(HELLO)
            damaged[position] = (damaged[position] + change) % 256
            parse(bytes(damaged))
    extensions = HELLO.index(b"\x00\x00\x00\x11\x00\x0f\x00\x00\x0cecho.example")
    too_short = bytearray(HELLO)
    too_short[extensions + 5] -= 1
    assert parse(bytes(too_short)) == NOTHING


def test_a_name_of_another_kind_or_not_in_ascii_is_no_host_name() -> None:
    assert parse(HELLO.replace(b"\x00\x00\x0cecho", b"\x01\x00\x0cecho"))[0] is None
    assert parse(HELLO.replace(b"echo.example", b"\xe9cho.example")) == NOTHING


@given(st.integers(0, len(HELLO) - 1), st.binary(min_size=1, max_size=4))
def test_no_damage_raises_or_is_read_in_two_ways(position: int, damage: bytes) -> None:
    damaged = HELLO[:position] + damage + HELLO[position + len(damage) :]
    for length in range(len(damaged)):
        parse(damaged[:length])
        bytes_needed(damaged[:length])


# Bytes in which the lengths are small, so that many vectors are complete.
VECTORS = st.lists(st.one_of(st.binary(max_size=4), st.integers(0, 20).map(lambda size: bytes((0, size))))).map(
    b"".join
)


@given(st.one_of(st.binary(max_size=200), VECTORS))
def test_no_rubbish_raises_or_is_read_in_two_ways(data: bytes) -> None:
    for before in (b"", bytes(34), bytes(38)):
        message = b"\x01\x00\x00\xfb" + before + data
        parse(b"\x16\x03\x01\x00\xff" + message)
    bytes_needed(data)
