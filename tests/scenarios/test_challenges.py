"""Handshakes that need credentials, and the second leg of a challenge on the same TCP connection.

Modules: `challenges`, `digest`.
"""

import base64
import hashlib
import re

import pytest
import requests
from requests.auth import HTTPDigestAuth

from tests.conftest import Serve
from tests.scenarios.scenes import head, request, scene
from tests.scenarios.test_grammar import error_of
from tests.shared.frames import CLOSE, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import RawConnection, exchange
from tests.shared.server import PATIENCE, RunningServer

BASIC = "Basic " + base64.b64encode(b"ann:secret").decode()
DIGEST = "/ws/require/digest/ann/secret"
PARAMETER = re.compile(r'(\w+)="?([^",]+)"?')


def challenge(answer: str) -> str:
    """Return the challenge in a response with status 401."""
    assert answer.startswith("HTTP/1.1 401 "), answer
    values = re.findall(r"\r\nWWW-Authenticate: ([^\r]*)\r\n", answer)
    assert len(values) == 1
    return str(values[0])


def answer_to(offer: str, target: str, **changed: str) -> str:
    """Return the Authorization value for a Digest challenge. `changed` parameters are sent instead of correct ones."""
    offered = dict(PARAMETER.findall(offer))
    function = {"MD5": "md5", "SHA-256": "sha256"}[offered["algorithm"]]

    def digest(text: str) -> str:
        return hashlib.new(function, text.encode()).hexdigest()

    given = {
        **{"username": "ann", "realm": offered["realm"], "nonce": offered["nonce"], "uri": target, "qop": "auth"},
        **{"nc": "00000001", "cnonce": "abc", "algorithm": offered["algorithm"]},
    } | {name: value for name, value in changed.items() if name != "response"}
    password = digest(f"{given['username']}:{given['realm']}:secret")
    middle = ":".join(given[name] for name in ("nonce", "nc", "cnonce", "qop"))
    given["response"] = changed.get("response", digest(f"{password}:{middle}:{digest('GET:' + given['uri'])}"))
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in given.items() if value)


@pytest.mark.parametrize(
    ("url", "authorization"),
    [
        ("/ws/require/basic/ann/secret", BASIC),
        ("/ws/require/basic/ann/%C3%A9", "basic " + base64.b64encode("ann:é".encode()).decode()),
        ("/ws/require/basic/ann/a:b", "Basic " + base64.b64encode(b"ann:a:b").decode()),
        ("/ws/require/bearer/abc.def", "Bearer abc.def"),
        ("/ws/require/bearer/a%2Fb==", "Bearer a/b=="),
    ],
)
def test_correct_credentials_are_accepted(shared_server: RunningServer, url: str, authorization: str) -> None:
    with scene(shared_server, url, f"Authorization: {authorization}") as connection:
        connection.send(client_frame(TEXT, b"a"))
        assert connection.receive(3) == server_frame(TEXT, b"a")


@pytest.mark.parametrize(
    ("url", "authorization", "offer", "body"),
    [
        ("basic/ann/secret", "", 'Basic realm="wsecho", charset="UTF-8"', "no such credentials"),
        ("basic/ann/other", BASIC, 'Basic realm="wsecho", charset="UTF-8"', "are not those in the URL"),
        ("basic/ann/secret", "Bearer secret", 'Basic realm="wsecho", charset="UTF-8"', "no such credentials"),
        ("basic/ann/secret", "Basic ###", 'Basic realm="wsecho", charset="UTF-8"', "are not those in the URL"),
        ("bearer/abc", "", 'Bearer realm="wsecho"', "no such credentials"),
        ("bearer/abc", "Bearer ABC", 'Bearer realm="wsecho", error="invalid_token"', "are not those in the URL"),
    ],
)
def test_others_get_a_challenge(
    shared_server: RunningServer, url: str, authorization: str, offer: str, body: str
) -> None:
    fields = (f"Authorization: {authorization}",) if authorization else ()
    answer = exchange(shared_server, request(f"/ws/require/{url}", *fields)).decode()
    assert challenge(answer) == offer
    assert "\r\nConnection: close\r\n" in answer
    assert answer.endswith(f"{body}\n")


def test_a_browser_can_send_a_token_in_the_query_or_in_a_subprotocol(shared_server: RunningServer) -> None:
    with scene(shared_server, "/ws/require/bearer/abc?access_token=abc"):
        pass
    name = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(b"abc").decode().rstrip("=")
    with RawConnection(shared_server.port) as connection:
        connection.send(request("/ws/require/bearer/abc", f"Sec-WebSocket-Protocol: {name}, chat"))
        assert "\r\nSec-WebSocket-Protocol: chat\r\n" in head(connection)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("keep", ["", "&keep"])
def test_digest_by_hand(shared_server: RunningServer, algorithm: str, keep: str) -> None:
    url = f"{DIGEST}?algorithm={algorithm}{keep}"
    with RawConnection(shared_server.port) as connection:
        connection.send(request(url))
        answer = head(connection)
        offer = challenge(answer)
        expected = rf'Digest realm="wsecho", qop="auth", algorithm={algorithm}, nonce="[0-9a-f]{{32}}", charset="UTF-8"'
        assert re.fullmatch(expected, offer)
        assert connection.receive(40) == b"the handshake has no Digest credentials\n"
        if not keep:
            assert connection.receive(1) == b""
    # Without keep, the answer may come on another connection; with it, it may not.
    answer = exchange_head(shared_server, request(url, f"Authorization: {answer_to(offer, url)}"))
    assert answer.startswith("HTTP/1.1 401 " if keep else "HTTP/1.1 101 ")
    assert (", stale=true" in answer) == bool(keep)


def exchange_head(server: RunningServer, data: bytes) -> str:
    with RawConnection(server.port) as connection:
        connection.send(data)
        return head(connection)


def test_the_second_leg_on_the_same_connection(shared_server: RunningServer, tls_server: RunningServer) -> None:
    url = f"{DIGEST}?keep"
    for server in (shared_server, tls_server):
        with RawConnection(server.port, tls=server.client_tls) as connection:
            connection.send(request(url))
            answer = head(connection)
            assert "\r\nConnection: keep-alive\r\n" in answer
            assert connection.receive(40) == b"the handshake has no Digest credentials\n"
            connection.send(request(url, f"Authorization: {answer_to(challenge(answer), url)}"))
            assert head(connection).startswith("HTTP/1.1 101 ")
            connection.send(client_frame(TEXT, b"hello") + client_frame(CLOSE, b"\x03\xe8"))
            assert connection.receive_all() == server_frame(TEXT, b"hello") + server_close(1000, "")


def test_any_worker_recognises_a_nonce(serve: Serve) -> None:
    server = serve("--workers", "2")
    offer = challenge(exchange(server, request(DIGEST)).decode())
    # The kernel chooses a worker by the client's port.
    for _ in range(8):
        answer = exchange_head(server, request(DIGEST, f"Authorization: {answer_to(offer, DIGEST)}"))
        assert answer.startswith("HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"username": "bob"}, "the username in Authorization is not 'ann'"),
        ({"realm": "other"}, "the realm in Authorization is not 'wsecho'"),
        ({"uri": "/ws"}, "the uri in Authorization is not '/ws/require/digest/ann/secret'"),
        ({"qop": "auth-int"}, "the qop in Authorization is not 'auth'"),
        ({"algorithm": "SHA-256"}, "the algorithm in Authorization is not 'MD5'"),
        ({"nc": "", "cnonce": ""}, "Authorization lacks nc, cnonce"),
        ({"response": "0" * 32}, "the response in Authorization is not the digest of these parameters"),
        ({"nonce": "0" * 32}, "the nonce in Authorization is none that was sent by this scenario"),
        ({"nonce": "short"}, "the nonce in Authorization is none that was sent by this scenario"),
        ({"username": "ann", "cnonce": 'a", username="b'}, "the parameters of Authorization cannot be read"),
        ({"opaque": "\\"}, "the parameters of Authorization cannot be read"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(server: RunningServer, changed: dict[str, str], line: str) -> None:
    offer = challenge(exchange(server, request(DIGEST)).decode())
    answer = exchange(server, request(DIGEST, f"Authorization: {answer_to(offer, DIGEST, **changed)}")).decode()
    assert line in answer.partition("\r\n\r\n")[2]
    assert (", stale=true" in challenge(answer)) == ("nonce" in changed)


@pytest.mark.parametrize(
    "value", ["Digest", "Digest ", "Digest ,", "Digest =", "Digest a=b c", "Digest " + 'a="' * 900]
)
def test_anything_in_authorization_gets_a_challenge(server: RunningServer, value: str) -> None:
    answer = exchange(server, request(DIGEST, f"Authorization: {value}")).decode()
    assert challenge(answer).startswith("Digest ")


def test_two_answers_are_one_too_many(server: RunningServer) -> None:
    fields = ("Authorization: Digest a=b", "Authorization: Digest a=b")
    answer = exchange(server, request(DIGEST, *fields)).decode()
    assert answer.endswith("Authorization is given twice\n")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_client_library_answers_on_the_same_connection(server: RunningServer, algorithm: str) -> None:
    """`requests` knows nothing of WebSockets, but it performs both legs."""
    upgrade = dict(line.split(": ") for line in request("/").decode().split("\r\n")[2:6])
    with requests.Session() as session:
        answer = session.get(
            f"{server.http_url}{DIGEST}?algorithm={algorithm}&keep",
            headers=upgrade,
            auth=HTTPDigestAuth("ann", "secret"),
            stream=True,
            timeout=PATIENCE,
        )
        assert answer.status_code == 101
        assert [first.status_code for first in answer.history] == [401]
        answer.close()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "/ws/require/digest/a%22b/c",
            "/ws/require/basic/a:b/c",
            "/ws/require/basic/a/b%0A",
            "/ws/require/bearer/a%20b",
        ),
        *("/ws/require/digest/ann/secret?algorithm=SHA", "/ws/require/ntlm/a/b", "/ws/require/basic/ann"),
    ],
)
def test_what_cannot_be_required(url: str) -> None:
    assert error_of(url)
