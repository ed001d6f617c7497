"""Exports of a process: which are started, which packages they import, and how the process ends without a collector."""

import contextlib
import json
import re
import signal
import subprocess
import sys

import pytest
from websockets.sync.client import connect

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.collectors import (
    FaultyCollector,
    wait_until,
)
from tests.shared.free_port import free_port
from tests.shared.pushing import echo_some, everything
from tests.shared.server import PATIENCE, ROOT, started


def test_no_worker_is_killed_over_its_last_exports(serve: Serve) -> None:
    command = patched("from wsecho.telemetry import exports; exports._MIN_SECONDS = 3.0")
    with FaultyCollector(None) as tarpit:
        variables = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "50"}
        environment = {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": tarpit.endpoint}
        server = serve("--workers", "2", "--drain-timeout", "500ms", command=command, environment=environment)
        echo_some(server)
        wait_until(lambda: bool(tarpit.posted))
        # These exports take longer than everything else that a worker does when it stops.
        assert server.stop() == 0
        assert not server.complaints()


def test_the_console_gets_what_it_is_asked_to_show() -> None:
    environment = {"OTEL_METRICS_EXPORTER": "console", "OTEL_TRACES_EXPORTER": "console,otlp", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "wsecho", "--host=127.0.0.1", "--port=0", "--log-format=json"]
    # Nothing listens at this endpoint. The console exporter must work all the same.
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    with started([*command, "--drain-timeout=5s"], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        with connect(f"ws://127.0.0.1:{port}") as client:
            client.send("shown")
            assert client.recv() == "shown"
        process.send_signal(signal.SIGTERM)
        printed = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0
    assert re.search(r'"name": "websocket_message_size_bytes".*?"sum": 5\b', printed, re.DOTALL)
    assert '"name": "GET /{websocket}"' in printed


def test_nothing_is_exported_by_default_or_with_the_sdk_disabled(serve: Serve) -> None:
    with FaultyCollector() as collector:
        asked = dict.fromkeys(("OTEL_METRICS_EXPORTER", "OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER"), "otlp")
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "50"}
        disabled = serve(environment={**asked, **endpoint, "OTEL_SDK_DISABLED": "true"})
        default = serve(environment=endpoint)
        none = serve(environment={**dict.fromkeys(asked, "none"), **endpoint})
        for server in (disabled, default, none):
            with connect(server.ws_url) as client:
                client.send("quiet")
                assert client.recv() == "quiet"
        status, _, body = disabled.get("/metrics")
        assert (status, body) == (200, b"")
        assert default.metrics()["websocket_connections_total"] == 1
        assert [server.stop() for server in (disabled, default, none)] == [0, 0, 0]
        assert not collector.posted


@pytest.mark.parametrize("exists", [True, False], ids=["never answers", "is not there"])
def test_a_collector_that_is_not_there_holds_nothing_up(serve: Serve, exists: bool) -> None:
    with FaultyCollector(None) as tarpit:
        endpoint = tarpit.endpoint if exists else f"http://127.0.0.1:{free_port()}"
        # An export may take longer than the test waits. The process does not wait for it.
        environment = everything(endpoint) | {"OTEL_EXPORTER_OTLP_TIMEOUT": "600000"}
        server = serve("--drain-timeout", "1s", environment=environment)
        echo_some(server)
        if exists:
            wait_until(lambda: len(tarpit.posted) >= 3)
        with connect(server.ws_url) as client:
            server.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(Exception):
                client.recv()
        assert server.process.wait(PATIENCE / 2) == 0
        assert not server.complaints()
        assert len([line for line in server.logs if line["event"] == "opentelemetry"]) <= 1
        assert server.logs[-1]["event"] in ("stopped", "opentelemetry")


def test_what_is_not_asked_for_is_not_imported() -> None:
    program = (
        "import sys, wsecho.processes.worker, wsecho.logs.structured_log, wsecho.telemetry.exports\n"
        "exports = wsecho.telemetry.exports.Exports('here', wsecho.logs.structured_log.configure('info', 'json'))\n"
        "exports.export_log(); exports.push(None); exports.traces(); exports.shutdown(1)\n"
        "heavy = 'requests', 'urllib3', 'google', 'grpc', 'opentelemetry.sdk.trace', 'opentelemetry.sdk._logs',\\\n"
        "    'opentelemetry.exporter.otlp', 'opentelemetry.propagate'\n"
        "print([name for name in sys.modules if name.startswith(tuple(heavy))])"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, env={})
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
