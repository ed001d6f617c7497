"""The hooks, the fixtures and the mark of the pytest plugin."""

import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from wsecho.testing.current import CurrentPeer
from wsecho.testing.flags import flags
from wsecho.testing.peer import Peer
from wsecho.testing.remote import VARIABLE, RemotePeer, url_from_environment
from wsecho.testing.server import Server
from wsecho.testing.servers import Servers

StartServer = Callable[..., Server]

_COMMAND = "wsecho_command"
_MARK = "wsecho"
# What the mark of the current test asks for.
_OPTIONS = pytest.StashKey[tuple[str, ...]]()
_SELF_SIGNED = ("--tls-self-signed",)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option that names the command of the server."""
    parser.addini(
        _COMMAND,
        "Command that starts wsecho, to which its options are added; by default the wsecho of this Python.",
        type="args",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and check the environment before any test runs."""
    config.addinivalue_line(
        "markers", f"{_MARK}(*options, **options): options of the server that the fixture `wsecho` stands for"
    )
    config.stash[_OPTIONS] = ()
    try:
        url_from_environment()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the options of the test's marks. Those of its class and module come first, so that its own ones win."""
    marks = reversed(list(item.iter_markers(_MARK)))
    item.config.stash[_OPTIONS] = tuple(option for mark in marks for option in flags(*mark.args, **mark.kwargs))


@pytest.fixture(scope="session")
def _wsecho_servers(pytestconfig: pytest.Config) -> Iterator[Servers]:
    """The servers that this process has started."""
    servers = Servers(pytestconfig.getini(_COMMAND) or (sys.executable, "-m", "wsecho"))
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def wsecho(pytestconfig: pytest.Config, _wsecho_servers: Servers) -> Peer:
    """A server that all tests share which ask for the same options by the mark `wsecho`, or for none."""
    url = url_from_environment()
    remote = RemotePeer(url) if url else None
    if remote:
        # Here, so that every test fails at once if the first one has waited in vain.
        remote.wait_until_ready()
    return CurrentPeer(partial(_current, pytestconfig, _wsecho_servers, remote))


@pytest.fixture(scope="session")
def wsecho_tls(_wsecho_servers: Servers) -> Peer:
    """A server with TLS that all tests share. A client must trust its `ca_file`."""
    _skip_without_servers("has no certificate that tests could trust")
    return _wsecho_servers.shared(_SELF_SIGNED)


@pytest.fixture
def wsecho_server(_wsecho_servers: Servers) -> Iterator[StartServer]:
    """Starts servers for this test: `wsecho_server("--idle-timeout=1s", max_message_size="1KiB")`."""
    _skip_without_servers("cannot be stopped or given options by a test")
    started: list[Server] = []

    def start(*options: str, **settings: object) -> Server:
        started.append(_wsecho_servers.start(flags(*options, **settings)))
        return started[-1]

    yield start
    for server in started:
        server.close()


def _current(config: pytest.Config, servers: Servers, remote: RemotePeer | None) -> Peer:
    options = config.stash[_OPTIONS]
    if options or not remote:
        _skip_without_servers(f"cannot be given the options {' '.join(options)}")
        return servers.shared(options)
    return remote


def _skip_without_servers(reason: str) -> None:
    """Skip the test where no server can be started."""
    if url_from_environment():
        pytest.skip(f"the server at {VARIABLE} {reason}")
    if sys.platform == "win32":
        pytest.skip(f"wsecho does not run on Windows; {VARIABLE} can name one that runs elsewhere")
