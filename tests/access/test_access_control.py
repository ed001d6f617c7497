"""Access to a running server: accepted and refused credentials and origins, and that no secret appears anywhere.

Modules: `access_control`, `policy`, `origins`, `json_web_tokens`.
"""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect as connect_asynchronously
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.conftest import Serve
from tests.shared import credentials
from tests.shared.commands import run
from tests.shared.credentials import SUBPROTOCOL, subprotocol
from tests.shared.frames import TEXT, client_frame
from tests.shared.handshakes import bearer, handshake
from tests.shared.json_web_keys import SECRET, key_set, private_pem, public_jwk, public_pem, signed
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.reloads import forgive, reload
from tests.shared.server import PATIENCE, RunningServer

TOKEN, FILE_TOKEN, METRICS_TOKEN = "open-Sesame+/==", "another.token", "counting-token"
USER, FILE_USER = "aladdin:0pen:sesame é", "ali baba:secret word"


def basic(user: str) -> str:
    return f"Authorization: {credentials.basic(user)}"


def good(**claims: Any) -> str:
    """Return a token that the server `guarded` accepts, except for `claims`."""
    return signed(**{"kid": "rsa", "aud": "wsecho", "iss": "us"} | claims)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "tokens").write_text(f"# tokens\n\n{FILE_TOKEN}\r\n")
    (folder / "users").write_text(f"# users\n{FILE_USER}\n")
    (folder / "keys.json").write_bytes(key_set(public_jwk("rsa"), public_jwk("ec256")))
    return folder


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[RunningServer]:
    """Run a server that accepts credentials of every kind. At the end, none of them may be in its log."""
    server = RunningServer(
        *("--auth-token", TOKEN, "--auth-token-file", str(folder / "tokens")),
        *("--basic-auth", USER, "--basic-auth-file", str(folder / "users")),
        *("--jwt-jwks", str(folder / "keys.json"), "--jwt-audience", "wsecho", "--jwt-issuer", "us"),
        *("--jwt-leeway", "5s", "--log-level", "debug"),
    )
    yield server
    exit_code, complaints = server.stop(), server.complaints()
    told = json.dumps(server.logs, ensure_ascii=False) + server.errors()
    server.close()
    assert (exit_code, complaints) == (0, [])
    assert "handshake refused" in told
    assert "websocket opened" in told
    secrets = [TOKEN, FILE_TOKEN, *USER.split(":"), *FILE_USER.split(":"), "eyJ", SUBPROTOCOL, basic(USER)[21:]]
    assert [secret for secret in secrets if secret in told] == []


# Accepted credentials


@pytest.mark.parametrize("token", [TOKEN, FILE_TOKEN, "a JSON Web Token"])
def test_a_token_comes_in_one_of_three_ways(guarded: RunningServer, token: str) -> None:
    token = good() if token == "a JSON Web Token" else token
    assert handshake(guarded.port, bearer(token))[0] == 101
    assert handshake(guarded.port, target="/?access_token=" + token.replace("+", "%2B"))[0] == 101
    status, answer = handshake(guarded.port, f"Sec-WebSocket-Protocol: {subprotocol(token)}, chat")
    assert status == 101
    assert "\r\nSec-WebSocket-Protocol: chat\r\n" in answer
    assert SUBPROTOCOL not in answer


@pytest.mark.parametrize("user", [USER, FILE_USER])
def test_a_user_comes_in_with_a_password(guarded: RunningServer, user: str) -> None:
    assert handshake(guarded.port, basic(user))[0] == 101


@pytest.mark.parametrize(("key", "algorithm"), [("rsa", "RS256"), ("rsa", "PS512"), ("ec256", "ES256")])
def test_a_json_web_token_of_each_key_comes_in(guarded: RunningServer, key: str, algorithm: str) -> None:
    assert handshake(guarded.port, bearer(good(key=key, algorithm=algorithm, kid=key)))[0] == 101


def test_websockets_comes_in(guarded: RunningServer) -> None:
    url = guarded.ws_url
    attempts: list[tuple[str, dict[str, Any]]] = [
        (url, {"additional_headers": {"Authorization": f"Bearer {TOKEN}"}}),
        (f"{url}/?access_token={FILE_TOKEN}", {}),
        (url.replace("ws://", "ws://ali%20baba:secret%20word@"), {}),
        (url, {"subprotocols": ["chat", subprotocol(TOKEN)]}),
    ]
    for where, how in attempts:
        with connect(where, **how) as client:
            client.send("hello")
            assert client.recv() == "hello"
    assert client.subprotocol == "chat"


def test_aiohttp_comes_in(guarded: RunningServer) -> None:
    async def echo() -> None:
        headers = {"Authorization": credentials.basic(FILE_USER)}
        async with aiohttp.ClientSession(headers=headers) as session, session.ws_connect(guarded.ws_url) as client:
            await client.send_str("hello")
            assert (await client.receive(PATIENCE)).data == "hello"
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect(guarded.ws_url)
            assert refusal.value.status == 401

    asyncio.run(echo())


# Refused credentials

REFUSED = "these credentials are not accepted"


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("X: y", "credentials are needed here"),
        (bearer(TOKEN[:-1]), REFUSED),
        (bearer("x"), REFUSED),
        ("Authorization: Bearer", REFUSED),
        ("Authorization: Negotiate x", REFUSED),
        (basic("aladdin:wrong"), REFUSED),
        (basic("nobody:secret word"), REFUSED),
        (f"Sec-WebSocket-Protocol: chat, {subprotocol('x')}", REFUSED),
        (f"Sec-WebSocket-Protocol: chat, {SUBPROTOCOL}", REFUSED),
    ],
)
def test_wrong_credentials_are_refused_before_anything_is_opened(guarded: RunningServer, field: str, line: str) -> None:
    before = guarded.metrics_with(TOKEN)
    status, answer = handshake(guarded.port, field)
    assert (status, answer.splitlines()[-1]) == (401, line)
    assert "\r\nWWW-Authenticate: Bearer " in answer
    assert '\r\nWWW-Authenticate: Basic realm="wsecho"' in answer
    assert "\r\nConnection: close\r\n" in answer
    after = guarded.metrics_with(TOKEN)
    name = 'websocket_handshakes_total{outcome="refused",reason="credentials",status_class="4xx"}'
    assert after["websocket_connections_total"] == before["websocket_connections_total"]
    assert after[name] - before[name] == 1


@pytest.mark.parametrize(
    ("claims", "line"),
    [
        ({"exp": timedelta(minutes=-1)}, "the token has expired"),
        ({"exp": None}, "the token lacks the claim exp"),
        ({"nbf": timedelta(hours=1)}, "the token is not valid yet"),
        ({"aud": "others"}, "the token is for another audience"),
        ({"iss": "others"}, "the token is of another issuer"),
        ({"kid": "unknown"}, REFUSED),
        ({"kid": "ec256"}, REFUSED),
        ({"key": "rsa-other"}, REFUSED),
        ({"algorithm": "HS256"}, REFUSED),
    ],
)
def test_a_json_web_token_must_be_good_in_every_way(guarded: RunningServer, claims: dict[str, Any], line: str) -> None:
    status, answer = handshake(guarded.port, bearer(good(**claims)))
    assert (status, answer.splitlines()[-1]) == (401, line)
    assert f'error="invalid_token", error_description="{line}"' in answer


def test_an_unsigned_token_is_none(guarded: RunningServer) -> None:
    payload = good().split(".")[1]
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    assert handshake(guarded.port, bearer(f"{header}.{payload}."))[0] == 401


def test_two_credentials_are_one_too_many(guarded: RunningServer) -> None:
    assert handshake(guarded.port, bearer(TOKEN), target=f"/?access_token={FILE_TOKEN}")[0] == 400
    assert handshake(guarded.port, bearer(TOKEN), basic(USER))[0] == 400


def test_a_token_as_the_only_subprotocol_leaves_nothing_to_answer(guarded: RunningServer) -> None:
    status, answer = handshake(guarded.port, f"Sec-WebSocket-Protocol: {subprotocol(TOKEN)}")
    assert status == 400
    assert "needs a name beside the one that carries a token" in answer


def test_the_401_does_not_depend_on_the_token(guarded: RunningServer) -> None:
    likenesses = [TOKEN[:-1], TOKEN.lower(), TOKEN + "x", FILE_TOKEN[1:], "x", "x" * 4000, good(key="rsa-other")]
    answers = {handshake(guarded.port, bearer(token))[1].partition("Content-Type")[2] for token in likenesses}
    assert len(answers) == 1


def test_nothing_of_a_frame_that_came_too_early_is_echoed(guarded: RunningServer) -> None:
    with RawConnection(guarded.port) as connection:
        connection.send(HANDSHAKE + client_frame(TEXT, b"hello"))
        answer = connection.receive_all()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"hello" not in answer


# Pages


def test_pages_want_credentials_but_for_those_that_say_nothing(guarded: RunningServer) -> None:
    for path in ("/", "/static/view/page.js", "/static/page.css", "/health", "/healthz", "/livez", "/ready", "/readyz"):
        assert guarded.get(path)[0] == 200
    for path in ("/metrics", "/info"):
        status, headers, body = guarded.get(path)
        assert (status, body) == (401, b"credentials are needed here\n")
        assert headers["cache-control"] == "no-store"
        assert guarded.get(path, Authorization="Bearer wrong")[0] == 401
        assert guarded.get(path, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert guarded.get(path, Authorization=credentials.basic(USER))[0] == 200
        assert guarded.get(f"{path}?access_token={FILE_TOKEN}")[0] == 200


def test_info_shows_no_token(guarded: RunningServer) -> None:
    shown = guarded.get(f"/info?a=b&access_token={FILE_TOKEN}", Authorization=f"Bearer {FILE_TOKEN}")[2].decode()
    assert FILE_TOKEN not in shown
    facts = json.loads(shown)
    assert facts["target"] == "/info?a=b&access_token=[redacted]"
    assert facts["query"] == "a=b&access_token=[redacted]"
    assert ["Authorization", "[redacted]"] in facts["headers"]


def test_a_server_without_credentials_asks_for_none(server: RunningServer) -> None:
    assert handshake(server.port, bearer("x"), basic("y"), "Origin: https://evil.example")[0] == 101
    assert server.get("/metrics")[0] == server.get("/info")[0] == 200


# Web pages of other origins


def test_with_credentials_only_our_own_page_may_connect(guarded: RunningServer) -> None:
    own = f"http://127.0.0.1:{guarded.port}"
    for origin, expected in (
        (own, 101),
        (own.replace("http", "https"), 101),
        ("https://evil.example", 403),
        (f"http://127.0.0.1.evil.example:{guarded.port}", 403),
        ("null", 403),
    ):
        headers = {"Authorization": f"Bearer {TOKEN}", "Origin": origin}
        try:
            with connect(guarded.ws_url, additional_headers=headers):
                status = 101
        except InvalidStatus as refusal:
            status = refusal.response.status_code
        assert (origin, status) == (origin, expected)


def test_a_target_in_absolute_form_says_which_host_is_ours(guarded: RunningServer) -> None:
    """RFC 9112 section 3.2.2: the target counts and Host does not, whichever of the two matches Origin."""
    for target, origin, expected in (
        ("http://other.example/", "http://other.example", b"101"),
        ("https://other.example:443/", "https://other.example", b"101"),
        ("http://other.example/", "http://127.0.0.1:8080", b"403"),
        ("http://other.example?127.0.0.1", "http://127.0.0.1", b"403"),
    ):
        fields = f"{bearer(TOKEN)}\r\nOrigin: {origin}\r\n\r\n"
        with RawConnection(guarded.port) as connection:
            connection.send(HANDSHAKE[:-2].replace(b"GET /", b"GET " + target.encode(), 1) + fields.encode())
            assert connection.receive(12) == b"HTTP/1.1 " + expected
    with RawConnection(guarded.port) as connection:
        lines = ("GET http://other.example:81/info HTTP/1.1", "Host: here", "Connection: close", bearer(TOKEN), "", "")
        connection.send("\r\n".join(lines).encode())
        facts = json.loads(connection.receive_all().partition(b"\r\n\r\n")[2])
    assert (facts["authority"], facts["path"]) == ("other.example:81", "/info")
    assert ["Host", "here"] in facts["headers"]


def test_pages_on_the_list_may_connect_and_no_other(serve: Serve) -> None:
    server = serve(
        "--allow-origin", "https://good.example,http://localhost:3000", "--allow-origin", "https://more.example"
    )
    for origin in ("https://good.example", "http://localhost:3000", "https://more.example"):
        assert handshake(server.port, f"Origin: {origin}")[0] == 101
    assert handshake(server.port)[0] == 101
    for origin in ("https://good.example:444", "http://good.example", "http://here", "null"):
        status, answer = handshake(server.port, f"Origin: {origin}")
        line = f"pages of this origin may not connect: --allow-origin lacks {origin}"
        assert (status, answer.splitlines()[-1]) == (403, line)
    assert handshake(server.port, "Origin: https://good.example", "Origin: https://evil.example")[0] == 403
    refused = 'websocket_handshakes_total{outcome="refused",reason="origin",status_class="4xx"}'
    assert server.metrics()[refused] == 5


def test_every_page_may_connect_where_that_is_wanted(serve: Serve) -> None:
    server = serve("--allow-origin", "*", "--auth-token", TOKEN)
    assert handshake(server.port, bearer(TOKEN), "Origin: https://evil.example")[0] == 101
    assert handshake(server.port, "Origin: https://evil.example")[0] == 401


# Metrics, and the admin port


def test_the_metrics_may_have_a_token_of_their_own(serve: Serve) -> None:
    server = serve("--auth-token", TOKEN, "--metrics-auth", METRICS_TOKEN)
    assert server.get("/metrics")[0] == 401
    assert server.get("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 401
    assert server.get("/metrics", Authorization=f"Bearer {METRICS_TOKEN}")[0] == 200
    assert server.get("/info", Authorization=f"Bearer {METRICS_TOKEN}")[0] == 401
    assert handshake(server.port, bearer(METRICS_TOKEN))[0] == 401


def test_the_metrics_alone_may_be_guarded_or_open(serve: Serve) -> None:
    guarded = serve("--metrics-auth", METRICS_TOKEN)
    assert (guarded.get("/metrics")[0], handshake(guarded.port)[0]) == (401, 101)
    opened = serve("--auth-token", TOKEN, "--metrics-auth", "off")
    assert (opened.get("/metrics")[0], handshake(opened.port)[0]) == (200, 401)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_admin_port_has_the_metrics_and_the_public_one_has_not(serve: Serve, workers: str) -> None:
    server = serve("--admin-port", "0", "--auth-token", TOKEN, "--workers", workers)
    for _ in range(8):
        assert handshake(server.port, bearer(TOKEN))[0] == 101
    assert server.get("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 404
    for path in ("/health", "/ready"):
        assert server.get(path)[0] == 200
    server.http_url = f"http://127.0.0.1:{server.listening['admin_port']}"
    # Every worker must give the same answer.
    for _ in range(8):
        assert server.metrics()["websocket_connections_total"] == 8
    for path, status in (("/health", 200), ("/ready", 200), ("/info", 200), ("/", 404), ("/ws", 404)):
        assert server.get(path)[0] == status
    assert handshake(server.listening["admin_port"], bearer(TOKEN))[0] == 404


def test_an_admin_port_of_this_machine_is_for_no_page_whose_name_leads_here(serve: Serve) -> None:
    """DNS rebinding: a page whose domain name now resolves to 127.0.0.1 tries to read what is served there."""
    server = serve("--admin-port", "0")
    server.http_url = f"http://127.0.0.1:{server.listening['admin_port']}"
    for path in ("/metrics", "/info", "/health"):
        for host in ("evil.example", "evil.example:9000", "localhost.evil.example"):
            status, _, body = server.get(path, Host=host)
            assert (status, body.decode().partition(",")[0]) == (403, "the Host of this port must be an IP address")
        for host in ("127.0.0.1", "[::1]:9000", "10.1.2.3:9000", "localhost:1", "wsecho.localhost"):
            assert server.get(path, Host=host)[0] == 200


def test_an_admin_port_for_others_goes_by_any_name(serve: Serve) -> None:
    server = serve("--admin-port", "0", "--admin-host", "0.0.0.0")
    server.http_url = f"http://127.0.0.1:{server.listening['admin_port']}"
    assert server.get("/metrics", Host="wsecho.monitoring.svc:9000")[0] == 200


def test_the_admin_port_wants_the_token_of_the_metrics_if_there_is_one(serve: Serve) -> None:
    server = serve("--admin-port", "0", "--auth-token", TOKEN, "--metrics-auth", METRICS_TOKEN)
    server.http_url = f"http://127.0.0.1:{server.listening['admin_port']}"
    for path in ("/metrics", "/info"):
        assert server.get(path, Authorization=f"Bearer {TOKEN}")[0] == 401
        assert server.get(path, Authorization=f"Bearer {METRICS_TOKEN}")[0] == 200
    assert server.get("/health")[0] == 200


def test_the_admin_port_speaks_plain_http_where_the_other_one_does_not(serve: Serve) -> None:
    server = serve("--tls-self-signed", "--admin-port", "0", "--auth-token", TOKEN)
    assert server.get("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 404
    assert server.get("/info")[0] == 401

    async def hello() -> str | bytes:
        subprotocols = [Subprotocol("chat"), Subprotocol(subprotocol(TOKEN))]
        async with (
            asyncio.timeout(PATIENCE),
            connect_asynchronously(server.ws_url, ssl=server.client_tls, subprotocols=subprotocols) as client,
        ):
            await client.send("hello")
            return await client.recv()

    assert asyncio.run(hello()) == "hello"
    server.http_url = f"http://127.0.0.1:{server.listening['admin_port']}"
    assert server.metrics()["websocket_connections_total"] == 1


def test_the_admin_port_answers_when_the_server_is_full(serve: Serve) -> None:
    server = serve("--admin-port", "0", "--max-connections", "1")
    server.http_url = f"http://127.0.0.1:{server.listening['admin_port']}"
    with RawConnection(server.port).open():
        assert server.metrics()["websocket_active_connections"] == 1


# Reloading


def test_tokens_users_and_keys_are_loaded_again(serve: Serve, tmp_path: Path) -> None:
    tokens, users, key = tmp_path / "tokens", tmp_path / "users", tmp_path / "key.pem"
    tokens.write_text("old-token")
    users.write_text("user:old")
    key.write_bytes(public_pem("rsa"))
    server = serve(
        *("--auth-token", TOKEN, "--auth-token-file", str(tokens), "--basic-auth-file", str(users)),
        *("--jwt-key-file", str(key)),
    )
    before = (bearer("old-token"), basic("user:old"), bearer(signed("rsa")))
    after = (bearer("new-token"), basic("user:new"), bearer(signed("ec256", "ES256")))
    with connect(server.ws_url, additional_headers={"Authorization": "Bearer old-token"}) as held:
        tokens.write_text("new-token")
        users.write_text("user:new")
        key.write_bytes(public_pem("ec256"))
        reload(server)
        assert [handshake(server.port, field)[0] for field in (*before, *after, bearer(TOKEN))] == [401] * 3 + [101] * 4
        # Open connections stay open.
        held.send("hello")
        assert held.recv(PATIENCE) == "hello"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_broken_file_changes_nothing(serve: Serve, tmp_path: Path, workers: str) -> None:
    tokens, users = tmp_path / "tokens", tmp_path / "users"
    tokens.write_text("old-token")
    users.write_text("user:old")
    server = serve("--auth-token-file", str(tokens), "--basic-auth-file", str(users), "--workers", workers)
    tokens.write_text("new-token")
    users.write_text("no colon, but a secret")
    processes = 1 if workers == "1" else 3
    line = reload(server, "not reloaded")
    for _ in range(processes - 1):
        assert server.wait_for_log("not reloaded")["error"] == line["error"]
    assert line["error"].startswith(f"--basic-auth-file {users}, line 1: a user must be written as NAME:PASSWORD")
    assert "secret" not in line["error"]
    for _ in range(8):
        assert handshake(server.port, bearer("old-token"))[0] == 101
        assert handshake(server.port, bearer("new-token"))[0] == 401
    users.write_text("user:new")
    reload(server)
    for _ in range(processes - 1):
        server.wait_for_log("reloaded")
    for _ in range(8):
        assert handshake(server.port, bearer("new-token"))[0] == 101
        assert handshake(server.port, bearer("old-token"))[0] == 401
    server.stop()
    forgive(server, "not reloaded")


def test_a_secret_verifies_where_it_was_asked_to(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    server = serve("--jwt-key-file", str(tmp_path / "secret"), "--jwt-algorithms", "HS256")
    assert handshake(server.port, bearer(signed(algorithm="HS256")))[0] == 101
    assert handshake(server.port, bearer(signed("rsa")))[0] == 401


# Configuration errors


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (["--auth-token", "se cret"], {}, "--auth-token"),
        (["--auth-token", ""], {}, "--auth-token"),
        ([], {"WSECHO_AUTH_TOKEN": ""}, "--auth-token"),
        ([], {"WSECHO_AUTH_TOKEN": "good,se cret"}, "--auth-token"),
        ([], {"WSECHO_METRICS_AUTH": "se cret"}, "--metrics-auth"),
        ([], {"WSECHO_BASIC_AUTH": "secret"}, "--basic-auth"),
        (["--basic-auth", ":secret"], {}, "--basic-auth"),
        (["--auth-token-file", "/does/not/exist"], {}, "--auth-token-file /does/not/exist: No such file or directory"),
        (["--auth-token-file", "/dev/null"], {}, "--auth-token-file /dev/null: the file has no entry"),
        (["--basic-auth-file", "/dev/zero"], {}, "--basic-auth-file /dev/zero: it is longer than 1048576"),
        (["--jwt-key-file", "/dev/null"], {}, "--jwt-key-file /dev/null: it contains no public key in PEM format"),
        (["--jwt-jwks", "/dev/null"], {}, "--jwt-jwks /dev/null: it is not a JSON Web Key Set"),
        (["--jwt-jwks", "http://example.com/"], {}, "--jwt-jwks"),
        (["--jwt-jwks", "ftp://127.0.0.1/"], {}, "--jwt-jwks"),
        (["--jwt-jwks", "https://user:secret@a/"], {}, "--jwt-jwks"),
        (["--jwt-jwks", "/dev/null", "--jwt-key-file", "x"], {}, "--jwt-key-file and --jwt-jwks exclude each other"),
        (
            ["--jwt-jwks", "/dev/null", "--jwt-algorithms", "HS256"],
            {},
            "--jwt-algorithms names algorithms that need a shared secret",
        ),
        (["--jwt-key-file", "/dev/null", "--jwt-algorithms", "HS256,RS256"], {}, "--jwt-algorithms must not mix"),
        (["--jwt-key-file", "/dev/null", "--jwt-algorithms", "none"], {}, "--jwt-algorithms"),
        (["--jwt-algorithms", "ES256"], {}, "--jwt-algorithms has no effect without --jwt-key-file or --jwt-jwks"),
        (["--jwt-audience", "x"], {}, "--jwt-audience has no effect without --jwt-key-file or --jwt-jwks"),
        (["--allow-origin", "https://a/"], {}, "--allow-origin"),
    ],
)
def test_a_mistake_is_one_line_that_tells_no_secret(
    arguments: list[str], environment: dict[str, str], line: str
) -> None:
    result = run("-m", "wsecho", "--port", "0", *arguments, **environment)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith(f"wsecho: {line}")
    assert "se cret" not in result.stderr
    assert "secret@" not in result.stderr


def test_a_private_key_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(private_pem("rsa"))
    result = run("-m", "wsecho", "--port", "0", "--jwt-key-file", str(tmp_path / "key"))
    assert result.returncode == 2
    assert "something other than public keys" in result.stderr
