"""The Sec-WebSocket-Accept value of the compiled codec, which has its own SHA-1, against the standard library's."""

import base64
import hashlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared.echoing import CODECS
from wsecho.websocket import handshake

compiled = CODECS["compiled"].accept_key

ASCII = [chr(number) for number in range(128)]


def check(key: str) -> None:
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    assert compiled(key) == handshake.accept_key(key) == base64.b64encode(digest).decode()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(
    ("key", "accept"),
    [
        # RFC 6455 section 1.3.
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        # Wikipedia, WebSocket.
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ],
)
def test_known_answers(codec: str, key: str, accept: str) -> None:
    assert CODECS[codec].accept_key(key) == accept


def test_every_bit_of_every_character_counts() -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    for place in range(len(key)):
        for character in ASCII:
            check(key[:place] + character + key[place + 1 :])


@given(st.text(string.ascii_letters + string.digits + "+/", min_size=22, max_size=22))
@settings(derandomize=True, max_examples=2000)
def test_any_key(text: str) -> None:
    check(f"{text}==")


def test_many_digests_have_every_digit_of_base64() -> None:
    seen = set()
    for number in range(500):
        key = base64.b64encode(number.to_bytes(16, "big")).decode()
        check(key)
        seen |= set(compiled(key))
    assert seen == set(string.ascii_letters + string.digits + "+/=")


@pytest.mark.parametrize("key", ["", "A" * 23, "A" * 25, "é" * 24, "A" * 1000])
def test_what_is_not_as_long_as_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"a key has 24 bytes, not {len(key.encode())}"):
        compiled(key)
