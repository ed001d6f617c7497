"""Fixtures: servers, certificates and collectors; and the rule that no test may be skipped where the whole suite must
run.
"""

import os
import signal
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.shared.certificates import Authority, Certificate
from tests.shared.collectors import Collector, OtelTap, Rotel
from tests.shared.server import RunningServer

# The plugin of this project for tests of clients, and the one of pytest for tests of plugins.
pytest_plugins = ["wsecho.testing", "pytester"]

Serve = Callable[..., RunningServer]

# An example is not wrong because it took long on a busy machine or was slow to generate. And the examples are the same
# in each run, so that a change is not judged by what another run would have found. `make fuzz` looks for others.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("searching"), derandomize=True)
settings.load_profile("repeatable")


# Tests that run in the background may have these signals ignored, which servers would inherit. They do not inherit
# handlers.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Turn a skip into a failure where the whole suite must run."""
    report = yield
    # No package with gcloud can be installed here, and instruction counts of one compiler say nothing about another.
    may_skip = any(reason in str(report.longrepr) for reason in ("gcloud", "the figures are of"))
    if report.skipped and not may_skip and os.environ.get("WSECHO_TEST_NOTHING_SKIPPED") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers with the given options. At the end it checks that none of them has logged an error."""
    servers: list[RunningServer] = []

    def start(*options: str, **settings: Any) -> RunningServer:
        server = RunningServer(*options, **settings)
        servers.append(server)
        return server

    yield start
    exit_codes = [server.stop() for server in servers]
    complaints = [complaint for server in servers for complaint in server.complaints()]
    for server in servers:
        server.close()
    assert not complaints
    assert not any(exit_codes)


@pytest.fixture(scope="session", params=["compiled", "python"])
def codec_name(request: pytest.FixtureRequest) -> str:
    """The codecs on which everything through the wire is tested."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_server(codec_name: str) -> Iterator[RunningServer]:
    """One server for each codec, for all tests that leave nothing behind."""
    yield from _server("--codec", codec_name)


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """One server with default options, for all tests that leave nothing behind."""
    yield from _server()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("server")


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> ssl.SSLContext:
    """A client that trusts the authority and checks the server's name."""
    return authority.client()


@pytest.fixture(scope="module")
def tls_server(certificate: Certificate, codec_name: str) -> Iterator[RunningServer]:
    """One server with TLS for each codec, for all tests of a file that leave nothing behind."""
    yield from _server("--codec", codec_name, *certificate.options)


@pytest.fixture(params=["oteltap", "rotel"])
def collector(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collector]:
    with OtelTap() if request.param == "oteltap" else Rotel(tmp_path) as running:
        yield running


@pytest.fixture
def rotel(tmp_path: Path) -> Iterator[Rotel]:
    with Rotel(tmp_path) as running:
        yield running


def _server(*options: str) -> Iterator[RunningServer]:
    server = RunningServer(*options)
    yield server
    exit_code = server.stop()
    complaints = server.complaints()
    server.close()
    assert not complaints
    assert exit_code == 0
