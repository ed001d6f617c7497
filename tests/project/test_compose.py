"""compose.yaml and the files that its containers read: they fit together, and what can be had here runs with them.

Prometheus runs with its configuration and our rules; only the address of the server is replaced. The server runs with
its variables. Rotel takes the place of the OpenTelemetry Collector, and a receiver of OTLP that of Jaeger.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from websockets.sync.client import connect

from tests.shared.collectors import FaultyCollector, Rotel, wait_until
from tests.shared.prometheus import RunningPrometheus
from tests.shared.server import PATIENCE, ROOT, RunningServer
from tests.shared.trace_context import PARENT_ID, SAMPLED, TRACE_ID
from wsecho.options.config import Config


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


COMPOSE = read("compose.yaml")
SERVICES = COMPOSE["services"]
OTHERS = {name: service for name, service in SERVICES.items() if name != "wsecho"}
PROMETHEUS = read("deploy/prometheus/prometheus.yml")
COLLECTOR = read("deploy/collector/collector.yaml")
SOURCES = read("deploy/grafana/provisioning/datasources/wsecho.yaml")
PROVIDERS = read("deploy/grafana/provisioning/dashboards/wsecho.yaml")
DASHBOARD = json.loads((ROOT / "deploy/grafana/wsecho.json").read_text())
RULES = [
    rule
    for name in ("rules.yml", "alerts.yml")
    for group in read(f"deploy/prometheus/{name}")["groups"]
    for rule in group["rules"]
]

# The ports on which the programs listen, without settings that say otherwise.
LISTENS = {
    "wsecho": {Config().port},
    "prometheus": {9090},
    "grafana": {3000},
    "jaeger": {4318, 13133, 16686},
    "collector": {4318},
}

# The fields that Grafana knows, and those of the Collector's components that are used here.
OF_A_SOURCE = {
    "access", "basicAuth", "basicAuthUser", "correlations", "database", "editable", "isDefault", "jsonData", "name",
    "orgId", "orgName", "secureJsonData", "type", "uid", "url", "user", "version", "withCredentials",
}  # fmt: skip
OF_A_PROVIDER = {
    "allowUiUpdates", "disableDeletion", "editable", "folder", "folderUid", "name", "options", "orgId", "type",
    "updateIntervalSeconds",
}  # fmt: skip
COMPONENTS = {
    "receivers": {"otlp": {"protocols"}},
    "processors": {"memory_limiter": {"check_interval", "limit_mib", "spike_limit_mib"}},
    "exporters": {"otlp_http": {"endpoint", "compression", "headers", "timeout", "tls"}},
}


def mounts(service: str) -> dict[str, str]:
    """Return the files and folders of the repository that a container sees, by their paths in the container."""
    parts = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    return {part[1]: part[0].removeprefix("./") for part in parts if part[0].startswith("./")}


# The compose file


def test_compose_knows_every_field(tmp_path: Path) -> None:
    assert check_schema(ROOT / "compose.yaml").returncode == 0
    misspelt = tmp_path / "compose.yaml"
    misspelt.write_text((ROOT / "compose.yaml").read_text().replace("stop_grace_period", "stop_grace_time"))
    assert "stop_grace_time" in check_schema(misspelt).stdout


def check_schema(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_images_are_pinned_by_version_and_digest() -> None:
    for service in OTHERS.values():
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", service["image"])
    assert SERVICES["wsecho"]["build"] == "."


def test_ports_are_published_on_the_loopback_interface_and_documented() -> None:
    published = {}
    for name, service in SERVICES.items():
        for port in service["ports"]:
            address, outside, inside = port.split(":")
            assert (address, outside) == ("127.0.0.1", inside)
            assert int(inside) in LISTENS[name]
            published[f"http://localhost:{outside}"] = name
    documented = set(re.findall(r"^\| <(\S+)> \|", (ROOT / "docs/compose.md").read_text(), re.MULTILINE))
    assert documented == published.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # The user of our own image is tested with the image.
    assert name == "wsecho" or re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("./"):
            assert (ROOT / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]
            assert target


def test_nothing_waits_for_the_health_of_what_has_no_check() -> None:
    checked = {name for name, service in SERVICES.items() if "healthcheck" in service}
    assert checked == SERVICES.keys() - {"collector"}
    awaited = {
        name
        for service in SERVICES.values()
        for name, dependency in service.get("depends_on", {}).items()
        if dependency["condition"] == "service_healthy"
    }
    assert awaited <= checked
    for name in checked - {"wsecho"}:
        kind, program, *_, url = SERVICES[name]["healthcheck"]["test"]
        assert (kind, program) == ("CMD", "wget")
        assert urlsplit(url).port in LISTENS[name]


def test_the_server_has_time_for_its_shutdown() -> None:
    assert int(SERVICES["wsecho"]["stop_grace_period"].removesuffix("s")) > Config().drain_timeout


# The files that the containers read


def test_every_address_is_one_on_which_a_service_listens() -> None:
    asked = {
        "the server's spans": SERVICES["wsecho"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"],
        "the collector's spans": COLLECTOR["exporters"]["otlp_http"]["endpoint"],
        "scrapes": f"http://{scraped()}",
        **{source["name"]: source["url"] for source in SOURCES["datasources"]},
    }
    for url in map(urlsplit, asked.values()):
        assert url.scheme == "http"
        assert url.hostname
        assert url.port in LISTENS[url.hostname]
    receiver = COLLECTOR["receivers"]["otlp"]["protocols"]
    assert receiver == {"http": {"endpoint": f"0.0.0.0:{min(LISTENS['collector'])}"}}


def scraped() -> str:
    (job,) = PROMETHEUS["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    return str(target)


def test_the_collector_knows_every_field_and_uses_every_component() -> None:
    assert COLLECTOR.keys() == COMPONENTS.keys() | {"service"}
    assert COLLECTOR["service"].keys() == {"pipelines"}
    (traces,) = COLLECTOR["service"]["pipelines"].values()
    for kind, known in COMPONENTS.items():
        assert traces[kind] == list(COLLECTOR[kind])
        for name, settings in COLLECTOR[kind].items():
            assert settings.keys() <= known[name]
    assert mounts("collector") == {"/etc/otelcol/config.yaml": "deploy/collector/collector.yaml"}


def test_grafana_knows_every_field_and_finds_its_files() -> None:
    assert SOURCES.keys() == {"apiVersion", "datasources"}
    assert PROVIDERS.keys() == {"apiVersion", "providers"}
    assert SOURCES["apiVersion"] == PROVIDERS["apiVersion"] == 1
    assert all(source.keys() <= OF_A_SOURCE for source in SOURCES["datasources"])
    (provider,) = PROVIDERS["providers"]
    assert provider.keys() <= OF_A_PROVIDER
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert mounts("grafana") == {
        "/etc/grafana/provisioning/datasources": "deploy/grafana/provisioning/datasources",
        "/etc/grafana/provisioning/dashboards": "deploy/grafana/provisioning/dashboards",
        str(home): "deploy/grafana/wsecho.json",
    }
    assert provider["options"] == {"path": str(home.parent)}


def test_the_dashboard_gets_the_source_that_it_asks_for_and_rates_that_have_enough_scrapes() -> None:
    (default,) = [source for source in SOURCES["datasources"] if source.get("isDefault")]
    asked = {variable["name"]: variable["query"] for variable in DASHBOARD["templating"]["list"]}
    assert default["type"] == asked["datasource"]
    assert default["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]


# What runs


@dataclass
class Stack:
    """The server and what observes it."""

    server: RunningServer
    prometheus: RunningPrometheus
    collector: Rotel
    jaeger: FaultyCollector


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack after one WebSocket of a client that has a trace of its own."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian package: prometheus)")
    folder = tmp_path_factory.mktemp("stack")
    with FaultyCollector() as jaeger, Rotel(folder, exports_to=jaeger.endpoint) as collector:
        variables = SERVICES["wsecho"]["environment"] | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        server = RunningServer(environment=variables)
        try:
            with RunningPrometheus(program, prometheus_config(folder / "prometheus", server.port)) as prometheus:
                with connect(server.ws_url, additional_headers={"traceparent": SAMPLED}) as client:
                    client.send("observed")
                    assert client.recv() == "observed"
                yield Stack(server, prometheus, collector, jaeger)
            assert server.stop() == 0
            assert not server.complaints()
        finally:
            server.close()


def prometheus_config(folder: Path, port: int) -> Path:
    """Copy what Prometheus is given, and replace the address of the server."""
    assert mounts("prometheus") == {"/etc/prometheus": "deploy/prometheus"}
    shutil.copytree(ROOT / "deploy/prometheus", folder)
    config = folder / "prometheus.yml"
    config.write_text(config.read_text().replace(scraped(), f"127.0.0.1:{port}"))
    return config


def test_prometheus_reads_the_server_and_judges_every_rule(stack: Stack) -> None:
    assert stack.prometheus.wait_for_value('websocket_connections_total{job="wsecho"} > 0') == 1
    rules = stack.prometheus.wait_for_rules()
    assert {rule["name"] for rule in rules} == {rule.get("record") or rule["alert"] for rule in RULES}
    assert [rule for rule in rules if rule["health"] != "ok"] == []


def test_prometheus_answers_its_health_check(stack: Stack) -> None:
    stack.prometheus.wait_for_value("up")
    url = SERVICES["prometheus"]["healthcheck"]["test"][-1]
    with urlopen(url.replace("http://127.0.0.1:9090", stack.prometheus.url), timeout=PATIENCE) as answer:
        assert answer.status == 200


def test_the_variables_of_the_dashboard_have_values(stack: Stack) -> None:
    stack.prometheus.wait_for_value("websocket_active_connections")
    definitions = [variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable]
    found = {}
    for definition in definitions:
        query = re.fullmatch(r"label_values\((.+), (\w+)\)", definition.replace("$job", ".+"))
        assert query
        found[query[2]] = stack.prometheus.label_values(query[2], query[1])
    assert found == {"job": ["wsecho"], "instance": [f"127.0.0.1:{stack.server.port}"]}


def test_a_span_passes_through_the_collector_and_continues_the_trace_of_the_client(stack: Stack) -> None:
    wait_until(lambda: bool(stack.jaeger.posted))
    (posted,) = stack.jaeger.posted
    assert posted.path == "/v1/traces"
    (spans,) = ExportTraceServiceRequest.FromString(posted.body).resource_spans
    assert {pair.key: pair.value.string_value for pair in spans.resource.attributes}["service.name"] == "wsecho"
    (span,) = spans.scope_spans[0].spans
    assert span.name == "GET /{websocket}"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
