"""What a start imports: a plain server nothing that it may never need, and each option what it needs."""

import subprocess
import sys
from collections.abc import Callable, Iterable

import pytest

from tests.conftest import Serve
from tests.shared.certificates import Certificate
from tests.shared.clients import echoes
from tests.shared.imported import CODE, imported
from tests.shared.processes import children
from tests.shared.server import PATIENCE, ROOT, RunningServer

# Modules that a plain server does not need, and what is in them.
NOT_NEEDED = (
    *("opentelemetry.context", "opentelemetry.metrics", "opentelemetry.sdk.metrics", "opentelemetry.sdk.resources"),
    *("opentelemetry.exporter.prometheus", "prometheus_client", "requests", "google", "grpc", "jwt", "cryptography"),
    *("wsecho.tls.server", "wsecho.tls.transport", "wsecho.telemetry.prometheus_page", "wsecho.telemetry.traces"),
    *("importlib.metadata", "importlib.resources", "email.message", "http.client", "http.server", "urllib.request"),
    *("html", "wsgiref", "xml", "zipfile", "difflib", "optparse", "aiofastnet", "tempfile", "shutil"),
    *("pathlib", "fnmatch", "urllib", "http", "hashlib", "hmac", "shlex", "wsecho.processes.supervisor"),
    *("wsecho.scenarios.seen", "wsecho.scenarios.language"),
)
# The most modules that a plain server has imported after its first echo. Every one of them takes time at the start.
MOST_MODULES = 380
# The classes of these modules that are dataclasses, whose definition takes long: each connection reads their fields.
DATACLASSES = {"HttpContext", "Limits", "Request", "WebSocketContext"}

Start = Callable[..., RunningServer]


@pytest.fixture
def start(serve: Serve) -> Start:
    return lambda *options, **environment: serve(
        *options, command=[sys.executable, "-c", CODE], environment=environment
    )


def of(names: tuple[str, ...], modules: Iterable[str]) -> set[str]:
    """Return those of `modules` that are one of `names` or in it."""
    return {module for module in modules if any(f"{module}.".startswith(f"{name}.") for name in names)}


def test_a_plain_server_imports_only_what_it_needs(start: Start) -> None:
    server = start()
    echoes(server.port)
    modules = imported(server)
    assert not of(NOT_NEEDED, modules)
    assert len(modules) <= MOST_MODULES


def test_a_start_makes_no_expression_and_few_dataclasses() -> None:
    program = (
        "import re, sys, dataclasses, wsecho.cli, wsecho.processes.worker\n"
        "for name, module in list(sys.modules.items()):\n"
        "    for value in vars(module).values() if name.startswith('wsecho') else ():\n"
        "        if isinstance(value, re.Pattern) or dataclasses.is_dataclass(value):\n"
        "            print(getattr(value, '__name__', value))\n"
    )
    command = [sys.executable, "-c", program]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert set(made.splitlines()) == DATACLASSES


def test_the_garbage_collector_waits_until_the_imports_are_done() -> None:
    program = (
        "import gc\n"
        "from wsecho.processes import start\n"
        "start.begin()\n"
        "runs = lambda: sum(generation['collections'] for generation in gc.get_stats())\n"
        "before = runs()\n"
        "from wsecho import cli\n"
        "from wsecho.processes import prefork, worker\n"
        "inherited = prefork.prepare(cli.Config())\n"
        "print(runs() - before, gc.isenabled(), gc.get_threshold()[0] > 0, gc.get_freeze_count() > 10_000)"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert ran.stdout == "0 True True True\n"


def test_the_first_scrape_imports_what_makes_its_page(start: Start) -> None:
    server = start()
    assert server.metrics()["websocket_connections_total"] == 0
    assert {"opentelemetry.sdk.metrics", "prometheus_client"} <= imported(server).keys()


def test_with_tls_a_server_imports_tls(start: Start, certificate: Certificate) -> None:
    server = start(*certificate.options)
    modules = imported(server)
    assert {"wsecho.tls.server", "wsecho.tls.transport", "aiofastnet"} <= modules.keys()
    assert not of(("opentelemetry.sdk.metrics", "prometheus_client"), modules)


@pytest.mark.parametrize("variables", [{"OTEL_SERVICE_NAME": "mine"}, {"OTEL_TRACES_EXPORTER": "console"}])
def test_a_variable_of_the_sdk_makes_the_start_import_it(start: Start, variables: dict[str, str]) -> None:
    """So mistakes in these variables are logged at the start."""
    modules = imported(start(**variables))
    assert {"opentelemetry.sdk.metrics", "prometheus_client", "wsecho.telemetry.prometheus_page"} <= modules.keys()
    assert ("opentelemetry.sdk.trace" in modules) == ("OTEL_TRACES_EXPORTER" in variables)


def test_an_empty_variable_is_none(start: Start) -> None:
    server = start(OTEL_SERVICE_NAME="")
    assert not of(("opentelemetry.sdk.resources", "prometheus_client"), imported(server))


def test_several_workers_share_what_their_pages_need(start: Start) -> None:
    """It was imported before the fork: the supervisor has it, too."""
    server = start("--workers", "2")
    for pid in (server.pid, *children(server.pid)):
        assert {"opentelemetry.sdk.metrics", "prometheus_client"} <= imported(server, pid).keys()
