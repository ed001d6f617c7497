"""Credentials in a request, and the same request without them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared.credentials import SUBPROTOCOL, basic, subprotocol
from tests.shared.requests import request_with
from wsecho.http import credentials
from wsecho.http.credentials import BEARER, Credential, carries_token, is_token, redacted
from wsecho.websocket.handshake import _TOKEN

TOKEN = "open-Sesame_0.1~+/=="
USER = "aladdin:open sesame"


@given(st.from_regex(r"[A-Za-z0-9\-._~+/]+=*", fullmatch=True))
def test_a_token_can_be_sent_in_each_of_the_three_ways(token: str) -> None:
    assert is_token(token)
    name = subprotocol(token)
    assert _TOKEN.fullmatch(name)
    ways = [
        request_with(Authorization=f"Bearer {token}"),
        request_with("access_token=" + token.replace("+", "%2B")),
        request_with(Sec_WebSocket_Protocol=f"chat, {name}"),
    ]
    assert [credentials.offered(way) for way in ways] == [[Credential(BEARER, token.encode())]] * 3


@pytest.mark.parametrize("text", ["", "a b", "a,b", "=", "a=b", "\xe9", "a\n"])
def test_what_could_not_be_sent_is_no_token(text: str) -> None:
    assert not is_token(text)


def test_a_request_is_shown_without_its_credentials() -> None:
    seen = redacted(
        replace(
            request_with(
                f"a=1&access%5Ftoken={TOKEN}&b=2",
                Authorization=basic(USER),
                Proxy_Authorization=f"Bearer {TOKEN}",
                Sec_WebSocket_Protocol=f"chat, {subprotocol(TOKEN)} ,x",
                X_Original_URI=f"/a?access_token={TOKEN}&b",
                X_Plain="a=1&b=2",
            ),
            target=f"/?a=1&access%5Ftoken={TOKEN}&b=2",
        )
    )
    assert seen.target == "/?a=1&access%5Ftoken=[redacted]&b=2"
    assert seen.query == "a=1&access%5Ftoken=[redacted]&b=2"
    assert seen.value("authorization") == seen.value("proxy-authorization") == "[redacted]"
    assert seen.value("sec-websocket-protocol") == f"chat, {SUBPROTOCOL}[redacted],x"
    assert seen.value("x-original-uri") == "/a?access_token=[redacted]&b"
    assert seen.value("x-plain") == "a=1&b=2"
    assert seen.value("host") == "here"


def test_a_name_that_carries_a_token_is_known_by_its_beginning() -> None:
    assert carries_token(subprotocol("x"))
    assert not carries_token("x." + subprotocol("x"))
