"""Key sets at a URL: when they are fetched, and which keys are used meanwhile.

Modules: `remote_keys`, `fetch`, `json_web_tokens`.
"""

import asyncio
import http.server
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from tests.conftest import Serve
from tests.shared.commands import run
from tests.shared.handshakes import bearer, handshake
from tests.shared.json_web_keys import key_set, public_jwk, signed
from tests.shared.processes import wait_until
from tests.shared.reloads import forgive, reload
from tests.shared.server import PATIENCE
from wsecho.access import remote_keys
from wsecho.access.remote_keys import RemoteKeys


class KeyServer(http.server.ThreadingHTTPServer):
    """Answers each request with `status` and `body`, a key set at first, as soon as `let_go` is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _KeyHandler)
        self.status, self.body = 200, b""
        self.asked = 0
        self.let_go = threading.Event()
        self.let_go.set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/jwks.json"


class _KeyHandler(http.server.BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked += 1
        body = self.server.body
        assert self.server.let_go.wait(PATIENCE)
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def key_server(*keys: str) -> Iterator[KeyServer]:
    with KeyServer() as server:
        server.body = key_set(*map(public_jwk, keys))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()
            thread.join()


def test_an_unknown_key_is_looked_up_once_and_nobody_waits_for_it(serve: Serve) -> None:
    with key_server("rsa") as keys:
        server = serve("--jwt-jwks", keys.url)
        assert keys.asked == 1
        assert handshake(server.port, bearer(signed("rsa", kid="rsa")))[0] == 101
        keys.body = key_set(public_jwk("rsa-new"))
        keys.let_go.clear()
        new = bearer(signed("rsa-new", kid="rsa-new"))
        status, answer = handshake(server.port, new)
        assert (status, "\r\nRetry-After: 1\r\n" in answer) == (503, True)
        # Meanwhile the old set is used, and the server answers as usual.
        assert handshake(server.port, bearer(signed("rsa", kid="rsa")))[0] == 101
        assert handshake(server.port, new)[0] == 503
        keys.let_go.set()
        server.wait_for_log("key set fetched")
        assert handshake(server.port, new)[0] == 101
        assert handshake(server.port, bearer(signed("rsa", kid="rsa")))[0] == 401
        # A client that invents key names does not cause a fetch for each of them.
        for number in range(5):
            assert handshake(server.port, bearer(signed("rsa", kid=f"unknown-{number}")))[0] == 401
        assert keys.asked == 2
        looked_up = 'websocket_handshakes_total{outcome="refused",reason="keys",status_class="5xx"}'
        assert server.metrics_with(signed("rsa-new", kid="rsa-new"))[looked_up] == 2


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, b"", "the response has status 500"),
        (302, b"", "the response has status 302"),
        (200, b"{}", "it is not a JSON Web Key Set"),
        (200, b"[" * 300_000, "it is longer than 262144 bytes"),
    ],
)
def test_a_key_set_that_cannot_be_had_again_stays_as_it_was(
    serve: Serve, status: int, body: bytes, reason: str
) -> None:
    with key_server("rsa") as keys:
        server = serve("--jwt-jwks", keys.url)
        keys.status, keys.body = status, body
        line = reload(server, "key set not fetched, the one before stays in use")
        assert line["error"] == reason
        assert handshake(server.port, bearer(signed("rsa", kid="rsa")))[0] == 101
    server.stop()
    forgive(server, "key set not fetched, the one before stays in use")


def test_a_key_set_that_has_become_old_is_fetched_again_behind_the_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(keys: KeyServer) -> None:
        remote = RemoteKeys(keys.url, ["RS256"], structlog.wrap_logger(structlog.ReturnLogger()))
        remote.find("rsa", "RS256")
        assert not remote.start_refresh(), "no fetch before there is a loop"
        remote.start(asyncio.get_running_loop())
        keys.body = key_set(public_jwk("rsa-new"))
        assert remote.find("rsa", "RS256")
        assert keys.asked == 1
        monkeypatch.setattr(remote_keys, "_MAX_AGE", -1)
        assert remote.find("rsa", "RS256"), "the old set is good until there is a new one"
        async with asyncio.timeout(PATIENCE):
            while not remote.find("rsa-new", "RS256"):
                await asyncio.sleep(0.01)
        for _ in range(100):
            remote.find("rsa", "RS256")
        assert not remote.start_refresh()
        assert keys.asked == 2

    with key_server("rsa") as keys:
        asyncio.run(ask(keys))


def test_a_hangup_fetches_the_key_set(serve: Serve) -> None:
    with key_server("rsa") as keys:
        server = serve("--jwt-jwks", keys.url, "--workers", "2")
        keys.body = key_set(public_jwk("rsa-new"))
        server.process.send_signal(signal.SIGHUP)
        for _ in range(2):
            server.wait_for_log("key set fetched")
        for _ in range(8):
            assert handshake(server.port, bearer(signed("rsa-new", kid="rsa-new")))[0] == 101
        assert keys.asked == 3


def test_a_fetch_that_hangs_does_not_hold_up_the_end(serve: Serve) -> None:
    with key_server("rsa") as keys:
        server = serve("--jwt-jwks", keys.url)
        keys.let_go.clear()
        assert handshake(server.port, bearer(signed("rsa", kid="unknown")))[0] == 503
        wait_until(lambda: keys.asked == 2)
        assert server.stop() == 0


def test_a_key_set_that_cannot_be_fetched_is_said_at_the_start() -> None:
    with key_server("rsa") as keys:
        keys.status = 404
        result = run("-m", "wsecho", "--port", "0", "--jwt-jwks", keys.url)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "wsecho: --jwt-jwks: the response has status 404\n"
