"""The opening handshake: requests that are accepted, and the response to each that is refused.

Modules: `handshake`, `upgrade`.
"""

from dataclasses import replace

import pytest

from tests.shared.requests import KEY, request_with
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Upgrade

# The answer to KEY, in the example of RFC 6455 section 1.3.
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

WITH_TOKEN = "base64url.bearer.authorization.k8s.io.b3Blbi1zZXNhbWU"


def accepted(request: Request, policy: str = "first") -> Upgrade:
    answer = handshake.answer(request, policy)
    assert isinstance(answer, Upgrade), answer
    return answer


def refused(request: Request) -> Response:
    answer = handshake.answer(request, "first")
    assert isinstance(answer, Response), answer
    assert answer.close
    return answer


def test_the_rfcs_example() -> None:
    upgrade = accepted(request_with())
    assert upgrade.headers == (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", ACCEPT),
    )
    assert upgrade.encode() == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


def test_the_answer_names_what_was_chosen() -> None:
    deflate = "permessage-deflate; client_max_window_bits=10"
    upgrade = accepted(request_with(Sec_WebSocket_Protocol="a, b", Sec_WebSocket_Extensions=deflate))
    chosen = (("Sec-WebSocket-Protocol", "a"), ("Sec-WebSocket-Extensions", deflate))
    assert upgrade.headers[3:] == chosen
    lines = (f"{name}: {value}" for name, value in upgrade.headers)
    assert upgrade.encode().decode().split("\r\n") == ["HTTP/1.1 101 Switching Protocols", *lines, "", ""]


@pytest.mark.parametrize(
    "changes",
    [
        {"Upgrade": "WebSocket"},
        {"Upgrade": "h2c, websocket"},
        {"Upgrade": ["h2c", "websocket"]},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": ["keep-alive", "UPGRADE"]},
        {"Connection": ",upgrade,"},
        {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"},
        {"Origin": "null"},
    ],
)
def test_accepted(changes: dict[str, str | list[str]]) -> None:
    assert dict(accepted(request_with(**changes)).headers)["Sec-WebSocket-Accept"] == ACCEPT


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"Upgrade": None}, 426, "Upgrade header lacks 'websocket'"),
        ({"Upgrade": "websocketx"}, 426, "Upgrade header lacks 'websocket'"),
        ({"Upgrade": "not-websocket"}, 426, "Upgrade header lacks 'websocket'"),
        ({"Connection": None}, 400, "Connection header lacks 'upgrade'"),
        ({"Connection": "keep-alive"}, 400, "Connection header lacks 'upgrade'"),
        ({"Connection": "notupgrade"}, 400, "Connection header lacks 'upgrade'"),
        ({"Sec_WebSocket_Version": None}, 426, "Sec-WebSocket-Version"),
        ({"Sec_WebSocket_Version": "8"}, 426, "Sec-WebSocket-Version"),
        ({"Sec_WebSocket_Version": "13, 8"}, 426, "Sec-WebSocket-Version"),
        ({"Sec_WebSocket_Version": ["13", "13"]}, 426, "Sec-WebSocket-Version"),
        ({"Sec_WebSocket_Version": "१३"}, 426, "Sec-WebSocket-Version"),
        ({"Sec_WebSocket_Key": None}, 400, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Key": ""}, 400, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Key": "short"}, 400, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Key": "!GhlIHNhbXBsZSBub25jZQ=="}, 400, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Key": "\xe9GhlIHNhbXBsZSBub25jZQ=="}, 400, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZSEh"}, 400, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Key": [KEY, KEY]}, 400, "Sec-WebSocket-Key"),
        ({"Sec_WebSocket_Protocol": "caf\xe9"}, 400, "Sec-WebSocket-Protocol"),
        ({"Sec_WebSocket_Protocol": "a b"}, 400, "Sec-WebSocket-Protocol"),
        ({"Sec_WebSocket_Protocol": "a, a"}, 400, "Sec-WebSocket-Protocol"),
        ({"Sec_WebSocket_Protocol": WITH_TOKEN}, 400, "needs a name beside the one that carries a token"),
        ({"Sec_WebSocket_Extensions": "permessage-deflate; ="}, 400, "Sec-WebSocket-Extensions"),
    ],
)
def test_refused(changes: dict[str, str | list[str] | None], status: int, words: str) -> None:
    answer = refused(request_with(**changes))
    assert answer.status == status
    assert words.encode() in answer.body
    if status == 426:
        assert ("Sec-WebSocket-Version", "13") in answer.headers
        assert ("Upgrade", "websocket") in answer.headers


def test_other_methods_versions_and_bodies_are_refused() -> None:
    assert refused(replace(request_with(), method="POST")).status == 405
    assert refused(replace(request_with(), version="1.0")).status == 400
    assert refused(replace(request_with(), has_body=True)).status == 400


def test_no_header_of_a_refusal_holds_what_the_peer_sent() -> None:
    answer = refused(request_with(Sec_WebSocket_Protocol="evil\xff", Sec_WebSocket_Key="evil"))
    assert not any("evil" in value for _, value in answer.headers)


@pytest.mark.parametrize(
    ("offers", "policy", "chosen"),
    [
        (None, "first", None),
        ("chat", "first", "chat"),
        ("b, a", "first", "b"),
        (["b", "a"], "first", "b"),
        ("b, a", "none", None),
        ("b, a", "a,b", "a"),
        ("b", "x,y", None),
        # The server never selects a name that carries a token. A browser that sends one needs another name selected.
        (f"{WITH_TOKEN}, b, a", "first", "b"),
        (f"{WITH_TOKEN}, b, a", "a,b", "a"),
        (f"b, {WITH_TOKEN}", "none", "b"),
        (f"b, {WITH_TOKEN}", WITH_TOKEN, "b"),
    ],
)
def test_subprotocols(offers: str | list[str] | None, policy: str, chosen: str | None) -> None:
    answer = accepted(request_with(Sec_WebSocket_Protocol=offers), policy)
    assert dict(answer.headers).get("Sec-WebSocket-Protocol") == chosen


@pytest.mark.parametrize(
    ("policy", "understood"),
    [
        ("first", True),
        ("none", True),
        ("a", True),
        ("a,b", True),
        ("", False),
        ("a,", False),
        ("a, b", False),
        ("\xe9", False),
    ],
)
def test_policies_are_lists_of_names(policy: str, understood: bool) -> None:
    assert handshake.is_subprotocol_policy(policy) is understood


@pytest.mark.parametrize(
    ("changes", "attempted"),
    [
        ({}, True),
        ({"Upgrade": None}, True),
        ({"Upgrade": None, "Connection": None, "Sec_WebSocket_Key": None}, True),
        ({"Upgrade": "h2c", "Sec_WebSocket_Key": None, "Sec_WebSocket_Version": None}, False),
        ({"Upgrade": None, "Sec_WebSocket_Key": None, "Sec_WebSocket_Version": None}, False),
    ],
)
def test_what_is_taken_for_an_attempt(changes: dict[str, str | None], attempted: bool) -> None:
    assert handshake.is_attempted(request_with(**changes)) is attempted
