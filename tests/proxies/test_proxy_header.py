"""The PROXY header: every rule of its specification, and headers that are cut off at every length."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsecho.proxies.proxy_header import LOCAL_HEADER, LONGEST, ProxyHeader, ProxyHeaderError, bytes_needed, parse

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TCP4 = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + struct.pack("!HH", 56324, 443)
TCP6 = bytes.fromhex("20010db8000000000000000000000001") * 2 + struct.pack("!HH", 1, 65535)


def version_2(command: int, family: int, body: bytes, version: int = 2) -> bytes:
    return SIGNATURE + bytes([version << 4 | command, family]) + struct.pack("!H", len(body)) + body


GOOD = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", ("192.0.2.1", 56324)),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ("255.255.255.255", 65535)),
    (b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", ("0.0.0.0", 0)),
    (b"PROXY TCP6 2001:DB8::1 ::1 56324 443\r\n", ("2001:db8::1", 56324)),
    (b"PROXY TCP6 " + b" ".join([b":".join([b"ffff"] * 8)] * 2) + b" 65535 65535\r\n", (":".join(["ffff"] * 8), 65535)),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 7 443\r\n", ("192.0.2.1", 7)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN anything \x00 at all\r\n", None),
    (version_2(1, 0x11, TCP4), ("192.0.2.1", 56324)),
    (version_2(1, 0x12, TCP4), ("192.0.2.1", 56324)),
    (version_2(1, 0x21, TCP6), ("2001:db8::1", 1)),
    (version_2(1, 0x11, TCP4 + b"\x04\x00\x03abc" * 9), ("192.0.2.1", 56324)),
    (version_2(1, 0x11, TCP4 + bytes(LONGEST - 16 - len(TCP4))), ("192.0.2.1", 56324)),
    (version_2(1, 0x31, bytes(216)), None),
    (version_2(1, 0x00, b""), None),
    (version_2(1, 0x10, TCP4), None),
    (version_2(0, 0x11, TCP4), None),
    (version_2(0, 0xFF, b"what a local connection says is ignored"), None),
    (LOCAL_HEADER, None),
]


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_a_good_header_says_who_connected(header: bytes, source: tuple[str, int] | None) -> None:
    assert parse(header) == parse(header + b"GET / HTTP/1.1\r\n") == ProxyHeader(len(header), source)


# Section 2.2.6: bits about the client, whether its certificate was verified, and the TLS version.
TLS_SPOKEN = b"\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
ALPN = b"\x01\x00\x08http/1.1"


@pytest.mark.parametrize(
    ("header", "is_encrypted"),
    [
        (version_2(1, 0x11, TCP4 + TLS_SPOKEN), True),
        (version_2(1, 0x21, TCP6 + TLS_SPOKEN), True),
        (version_2(1, 0x31, bytes(216) + TLS_SPOKEN), True),
        (version_2(1, 0x00, TLS_SPOKEN), True),
        (version_2(1, 0x11, TCP4 + ALPN + b"\x04\x00\x00" + TLS_SPOKEN + ALPN), True),
        (version_2(1, 0x11, TCP4 + b"\x20\x00\x05\x07" + bytes(4)), True),
        (version_2(1, 0x11, TCP4), False),
        (version_2(1, 0x11, TCP4 + ALPN), False),
        # No TLS: only the bit for a client certificate in an earlier session, or no bit.
        (version_2(1, 0x11, TCP4 + b"\x20\x00\x05\x06" + bytes(4)), False),
        (version_2(1, 0x11, TCP4 + b"\x20\x00\x05\x00" + bytes(4) + TLS_SPOKEN), False),
        (version_2(1, 0x11, TCP4 + b"\x20\x00\x00" + TLS_SPOKEN), False),
        (version_2(1, 0x11, TCP4 + b"\x04\x00\x09" + TLS_SPOKEN), False),
        (version_2(1, 0x11, TCP4 + TLS_SPOKEN[:-1]), False),
        (version_2(1, 0x11, TCP4 + b"\x20\x00"), False),
        (version_2(0, 0x11, TCP4 + TLS_SPOKEN), False),
        (b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", False),
    ],
)
def test_a_header_says_whether_the_client_spoke_tls(header: bytes, is_encrypted: bool) -> None:
    assert parse(header).is_encrypted is is_encrypted


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_more_is_asked_for_until_it_is_complete_and_nothing_beyond(header: bytes, source: object) -> None:
    asked = {bytes_needed(header[:length]) > length for length in range(len(header))}
    assert asked == {True}
    assert max(bytes_needed(header[:length]) for length in range(len(header))) <= len(header)
    assert bytes_needed(header) == bytes_needed(header + b"more") == len(header)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01",
        b"\r\n\r\n\x00\r\nQUIT\r",
        b"proxy TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 056324 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 1 99999\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.7 1 443\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.7 1 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100 1 443\r\n",
        b"PROXY TCP4 ::1 ::1 1 443\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.7 1 443\r\n",
        b"PROXY TCP6 ::1 1::2::3 1 443\r\n",
        b"PROXY TCP6 fe80::1%1 ::1 1 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 1 443\nGET / HTTP/1.1\r\n\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.7 1 443\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY \r\n" + bytes(20),
        b"PROXY UNKNOWN " + b"x" * 100,
        version_2(1, 0x11, TCP4, version=1),
        version_2(1, 0x11, TCP4, version=3),
        version_2(2, 0x11, TCP4),
        version_2(1, 0x41, TCP4),
        version_2(1, 0x13, TCP4),
        version_2(1, 0x11, TCP4[:-1]),
        version_2(1, 0x21, TCP4),
        version_2(1, 0x11, bytes(LONGEST - 15)),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse(data)


@pytest.mark.parametrize(("header", "source"), GOOD)
def test_a_header_that_is_cut_off_is_refused(header: bytes, source: object) -> None:
    for length in range(len(header)):
        with pytest.raises(ProxyHeaderError, match="ended within"):
            parse(header[:length])


@given(st.binary(max_size=200) | st.binary(max_size=100).map(SIGNATURE.__add__) | st.binary().map(b"PROXY ".__add__))
def test_any_bytes_have_an_answer_within_the_limit(data: bytes) -> None:
    try:
        assert 0 < bytes_needed(data) <= LONGEST
        header = parse(data)
    except ProxyHeaderError:
        return
    assert parse(data[: header.size]) == header


@given(st.ip_addresses(), st.integers(0, 65535))
def test_both_versions_say_the_same(address, port: int) -> None:  # type: ignore[no-untyped-def]
    line = f"PROXY TCP{address.version} {address} {address} {port} 443\r\n".encode()
    body = address.packed * 2 + struct.pack("!HH", port, 443)
    assert parse(line).source == parse(version_2(1, 0x11 if address.version == 4 else 0x21, body)).source
