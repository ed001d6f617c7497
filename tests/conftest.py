"""Servers for tests, and the rule that nothing is skipped where nothing may be."""

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

Serve = Callable[..., RunningServer]

# An example is not wrong because the machine was elsewhere for a fifth of a second, nor are they slow to make.
settings.register_profile("without time", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("without time")


# Whoever runs the tests in the background may have had these ignored, which servers inherit. Handlers they do not.
for number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Turn a skip into a failure where the whole suite must run."""
    report = yield
    # gcloud is in no package that could be installed here, and figures of one compiler say nothing of another.
    may_skip = any(reason in str(report.longrepr) for reason in ("gcloud", "the figures are of"))
    if report.skipped and not may_skip and os.environ.get("WSECHO_TEST_NOTHING_SKIPPED") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, each with the options given, and requires at the end that none of them complained."""
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
    """The codecs that everything through the wire is tested on."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_server(codec_name: str) -> Iterator[RunningServer]:
    """One server a codec for all tests that leave nothing behind."""
    yield from _server("--codec", codec_name)


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """One server as it is started by default, for all tests that leave nothing behind."""
    yield from _server()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("server")


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> ssl.SSLContext:
    """A client that believes the authority, and checks the server's name."""
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
