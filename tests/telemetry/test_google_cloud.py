"""The packages of the extra `gcp`, tested without Google against a metadata server on the loopback interface.

Modules: `environment`, `exports`.
"""

import json
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.conftest import Serve
from tests.shared.collectors import FaultyCollector, wait_until
from tests.shared.server import ROOT

METADATA = {
    "instance": {
        "id": "00f46b9285",
        "region": "projects/1234/regions/europe-west1",
        "zone": "projects/1234/zones/europe-west1-1",
        "attributes": {},
        "serviceAccounts": {"default": {"email": "echo@tests.example", "scopes": ["all"]}},
    },
    "universe": {"universe-domain": "googleapis.com"},
    "project": {"projectId": "project-of-tests", "numericProjectId": 1234},
}
TOKEN = {"access_token": "token-of-tests", "expires_in": 3599, "token_type": "Bearer"}


class MetadataServer(BaseHTTPRequestHandler):
    """Answers like Cloud Run's metadata server at metadata.google.internal, also when it is used as an HTTP proxy."""

    def do_GET(self) -> None:
        path = self.path.partition("/computeMetadata/v1/")[2].partition("?")[0].rstrip("/")
        found: Any = TOKEN if path.endswith("/token") else METADATA
        if not path.endswith("/token"):
            names = {"project-id": "projectId", "service-accounts": "serviceAccounts"}
            for part in filter(None, path.split("/")):
                found = found[names.get(part, part)]
        body = found if isinstance(found, str) else json.dumps(found)
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "text/plain" if isinstance(found, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def metadata_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), MetadataServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_is_tested_is_what_the_extras_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for packages in project["project"]["optional-dependencies"].values():
        assert set(packages) <= set(project["dependency-groups"]["dev"])


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("opentelemetry_resource_detector", "gcp"),
        ("opentelemetry_otlp_credential_provider", "gcp_http_credentials"),
        ("opentelemetry_otlp_credential_provider", "gcp_grpc_credentials"),
    ],
)
def test_the_names_that_are_documented_load(group: str, name: str) -> None:
    assert any(callable(point.load()) for point in entry_points(group=group, name=name))


def test_metrics_go_straight_to_google_with_the_instance_and_a_token(serve: Serve, metadata_server: str) -> None:
    with FaultyCollector() as google:
        server = serve(
            environment={
                "OTEL_METRICS_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_ENDPOINT": google.endpoint,
                "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "gcp",
                "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER": "gcp_http_credentials",
                "OTEL_METRIC_EXPORT_INTERVAL": "100",
                "K_SERVICE": "websocket-echo",
                "K_REVISION": "websocket-echo-00001",
                "K_CONFIGURATION": "websocket-echo",
                # The credentials library can be given the address of the metadata server; the resource detector cannot.
                "GCE_METADATA_HOST": metadata_server,
                "GCE_METADATA_IP": metadata_server,
                "http_proxy": f"http://{metadata_server}",
                "no_proxy": "127.0.0.1",
            }
        )
        wait_until(lambda: len(google.posted) > 1, lambda: server.logs)
        assert server.stop() == 0
        assert not server.complaints()
        posted = google.posted[0]
    assert posted.path == "/v1/metrics"
    assert posted.headers["authorization"] == "Bearer token-of-tests"
    (metrics,) = ExportMetricsServiceRequest.FromString(posted.body).resource_metrics
    resource = {pair.key: pair.value.string_value for pair in metrics.resource.attributes}
    assert resource["service.name"] == "wsecho"
    assert resource["service.instance.id"]
    assert resource["cloud.platform"] == "gcp_cloud_run"
    assert resource["cloud.region"] == "europe-west1"
    assert resource["faas.name"] == "websocket-echo"
    assert resource["gcp.project_id"] == "project-of-tests"


def test_without_google_the_server_starts_all_the_same(serve: Serve) -> None:
    with FaultyCollector(404) as nothing:
        server = serve(
            environment={
                "OTEL_METRICS_EXPORTER": "otlp",
                "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "gcp,nonsense",
                "OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER": "gcp_http_credentials",
                "GCE_METADATA_HOST": "127.0.0.1:1",
                "GCE_METADATA_IP": "127.0.0.1:1",
                "NO_GCE_CHECK": "true",
                "http_proxy": nothing.endpoint,
                "no_proxy": "127.0.0.1",
            }
        )
        assert server.metrics()["websocket_connections_total"] == 0
        assert server.stop() == 0
        assert not server.complaints()
    warnings = [line for line in server.logs if line["severity"] == "WARNING"]
    assert any(line.get("signal") == "metrics" and "credentials" in line["cause"] for line in warnings)
