"""Bytecode: after `wsecho.bytecode`, no server that may not write files compiles a module at its start or later."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.shared.certificates import Certificate
from tests.shared.clients import echoes
from tests.shared.collectors import FaultyCollector
from tests.shared.commands import run
from tests.shared.imported import CODE, imported, uncompiled
from tests.shared.server import ROOT


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bytecode, in place of the folders beside the sources."""
    folder = tmp_path_factory.mktemp("bytecode")
    variables = {"PYTHONPYCACHEPREFIX": str(folder), "PYTHONDONTWRITEBYTECODE": ""}
    # It compiles the modules of all libraries.
    written = run("-m", "wsecho.bytecode", seconds=400, **variables)
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    return folder


def compiled_at_start(serve: Serve, bytecode: Path, *options: str, **environment: str) -> set[str]:
    """Return the modules that a server which writes no bytecode had to compile until its first echo and scrape."""
    environment |= {"PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": "1"}
    server = serve(*options, command=[sys.executable, "-c", CODE], environment=environment, cwd=ROOT)
    if not server.is_encrypted:
        echoes(server.port)
    assert server.get("/metrics")[0] == 200
    modules = imported(server)
    assert "prometheus_client" in modules
    return uncompiled(modules)


@pytest.mark.parametrize(
    "options", [[], ["--host", "localhost", "--workers", "2"], ["--codec", "python"]], ids=" ".join
)
def test_a_start_compiles_nothing(serve: Serve, bytecode: Path, options: list[str]) -> None:
    assert compiled_at_start(serve, bytecode, *options) == set()


def test_a_start_with_tls_compiles_nothing(serve: Serve, bytecode: Path, certificate: Certificate) -> None:
    assert compiled_at_start(serve, bytecode, *certificate.options) == set()


@pytest.fixture
def endpoint() -> Iterator[str]:
    """A collector that answers, so that a server has no error to log, however long it runs."""
    with FaultyCollector() as collector:
        yield collector.endpoint


# The endpoint comes first, so that it is there until the server has ended.
def test_a_start_that_exports_compiles_nothing(endpoint: str, serve: Serve, bytecode: Path) -> None:
    asked = {f"OTEL_{name}_EXPORTER": "otlp" for name in ("METRICS", "TRACES", "LOGS")}
    assert compiled_at_start(serve, bytecode, **asked, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) == set()


def test_without_it_a_start_compiles(serve: Serve, tmp_path: Path) -> None:
    """Otherwise the tests above would prove nothing."""
    assert {"wsecho.cli", "prometheus_client"} <= compiled_at_start(serve, tmp_path)
