"""`--public`: limits for a server on the internet, each of which can be overridden. Modules: `config`, `option`."""

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.conftest import Serve
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE
from wsecho.cli import command, configured
from wsecho.options.config import OPTIONS, PUBLIC, Config

MIB = 1 << 20
ROWS = {option.name: option for option in OPTIONS}


def config(*arguments: str) -> Config:
    with command.make_context("wsecho", list(arguments)) as context:
        return configured(context, context.params)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_limit_is_set_unless_it_is_chosen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    option = ROWS[name]
    public = option.value(PUBLIC[name])
    assert getattr(config("--public"), name) == public != getattr(Config(), name)
    assert getattr(config("--public", option.flag, "7"), name) == 7
    monkeypatch.setenv(option.environment[0], "8")
    assert getattr(config("--public"), name) == 8
    monkeypatch.setenv(option.environment[0], "")
    assert getattr(config("--public"), name) == public


def values(config: Config) -> dict[str, object]:
    return {name: getattr(config, name) for name in ROWS}


def test_without_it_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert values(config()) == values(Config())
    monkeypatch.setenv("WSECHO_PUBLIC", "off")
    assert values(config()) == values(Config())
    monkeypatch.setenv("WSECHO_PUBLIC", "on")
    assert values(config()) == values(config("--public"))


def test_the_limits_hold_and_can_be_chosen_through_the_wire(serve: Serve) -> None:
    server = serve("--public", "--max-connections-per-address", "2", "--metrics-auth", "secret")
    with connect(server.ws_url, compression=None, max_size=None) as client:
        client.send(b"x" * MIB)
        assert client.recv(timeout=PATIENCE) == b"x" * MIB
        client.send(b"x" * (MIB + 1))
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=PATIENCE)
        assert client.close_code == 1009
    server.wait_for_log("protocol error")
    with (
        RawConnection(server.port).open(),
        RawConnection(server.port).open(),
        RawConnection(server.port) as third,
    ):
        third.send(HANDSHAKE)
        assert third.receive_all().startswith(b"HTTP/1.1 429 ")
    assert not [line for line in server.logs if line["severity"] == "WARNING"]


def test_open_metrics_are_told(serve: Serve) -> None:
    server = serve("--public")
    (warning,) = [line for line in server.logs if line["severity"] == "WARNING"]
    assert warning["event"] == "anybody can read the metrics"
    server = serve("--public", "--admin-port", "0")
    assert not [line for line in server.logs if line["severity"] == "WARNING"]
