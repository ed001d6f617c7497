"""A server of the plugin: its life, and what it says.

Modules: `server`, `peer`, `log`, `flags`.
"""

import signal
import ssl

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import connect

from wsecho.testing import StartServer
from wsecho.testing.flags import flags
from wsecho.testing.peer import samples


def test_its_life(wsecho_server: StartServer) -> None:
    server = wsecho_server("--drain-timeout=2s", ping_interval="0")
    url, port = server.url, server.port
    with connect(url) as client:
        server.suspend()
        client.send("hello")
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.05)
        server.resume()
        assert client.recv() == "hello"
        assert server.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    with pytest.raises(ConnectionRefusedError):
        connect(url)
    server.restart()
    assert (server.url, server.port) == (url, port)
    server.restart()
    with connect(url) as client:
        server.kill()
        with pytest.raises(ConnectionClosedError, match="no close frame"):
            client.recv()
    assert server.stop() == -signal.SIGKILL
    assert [line["event"] for line in server.logs()].count("listening") == 3
    assert server.errors() == ""


def test_the_admin_port_and_credentials(wsecho_server: StartServer) -> None:
    server = wsecho_server(admin_port=0)
    assert server.metrics()["websocket_connections_total"] == 0
    server = wsecho_server(auth_token=["t1", "t2"], metrics_auth="t3")
    with pytest.raises(RuntimeError, match=r"/metrics: expected status 200, but got 401: "):
        server.metrics()


def test_its_certificate_is_the_one_of_its_last_start(wsecho_server: StartServer) -> None:
    server = wsecho_server(tls_self_signed=True)
    before = server.ca_file.read_text() if server.ca_file else ""
    server.restart()
    assert server.ca_file
    assert server.ca_file.read_text() != before
    with connect(server.url, ssl=ssl.create_default_context(cafile=server.ca_file)) as client:
        client.send(b"hello")
        assert client.recv() == b"hello"
    assert server.metrics()["websocket_connections_total"] == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--max-message-size=x"], "--max-message-size: 'x' is not a size"),
        (["--port=99999"], "--port"),
    ],
    ids=" ".join,
)
def test_a_server_that_does_not_start_is_one_line(wsecho_server: StartServer, options: list[str], line: str) -> None:
    with pytest.raises(RuntimeError) as raised:
        wsecho_server(*options)
    assert str(raised.value).startswith("wsecho did not start: ")
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_options_as_keywords() -> None:
    assert flags() == ()
    assert flags("--a=1", ping_interval="5s", public=True, greeting=None, no_scenarios=False) == (
        *("--a=1", "--ping-interval=5s", "--public"),
    )
    assert flags(auth_token=["a", "b"], workers=0) == ("--auth-token=a", "--auth-token=b", "--workers=0")


def test_samples_are_named_with_their_labels() -> None:
    page = '# HELP a text\n# TYPE a counter\na{b="c d",e="f\\"g"} 3.0\n\nh 1e+06\ni_bucket{le="+Inf"} +Inf\n'
    assert samples(page) == {'a{b="c d",e="f\\"g"}': 3.0, "h": 1e6, 'i_bucket{le="+Inf"}': float("inf")}
