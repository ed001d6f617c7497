"""The OTEL_* variables: which exporters, endpoints and resource attributes they set, and what mistakes in them do."""

import json

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from websockets.sync.client import connect

from tests.conftest import Serve
from tests.shared.collectors import (
    FaultyCollector,
    Rotel,
    eventually,
    last_samples,
    wait_until,
)
from tests.shared.pushing import differences, page, pushing, settled, traffic


def test_grpc_is_spoken_where_it_is_asked_for(rotel: Rotel, serve: Serve) -> None:
    server = serve(environment=pushing(rotel.grpc_endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="grpc"))
    traffic(server)
    expected = page(server)
    assert server.stop() == 0

    def check() -> None:
        assert not differences(settled(last_samples(rotel.points())), expected)

    eventually(check)


def test_the_resource_is_what_the_variables_say(rotel: Rotel, serve: Serve) -> None:
    server = serve(
        environment=pushing(
            rotel.endpoint,
            OTEL_SERVICE_NAME="echo-of-tests",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.name=other,service.instance.id=number%201",
        )
    )

    def check() -> None:
        resource = rotel.resource()
        assert resource["service.name"] == "echo-of-tests"
        assert resource["deployment.environment.name"] == "test"
        assert resource["service.instance.id"] == "number 1"

    eventually(check)
    assert 'service_name="echo-of-tests"' in server.get("/metrics")[2].decode()


def test_by_default_the_resource_is_this_instance(rotel: Rotel, serve: Serve) -> None:
    server = serve(environment=pushing(rotel.endpoint))
    instance_id = json.loads(server.get("/info")[2])["instance_id"]

    def check() -> None:
        resource = rotel.resource()
        assert resource["service.name"] == "wsecho"
        assert resource["service.instance.id"] == instance_id

    eventually(check)


def test_endpoint_headers_and_compression_are_those_of_the_signal(serve: Serve) -> None:
    with FaultyCollector() as asked, FaultyCollector() as other:
        server = serve(
            environment=pushing(
                other.endpoint,
                OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{asked.endpoint}/some/path",
                OTEL_EXPORTER_OTLP_METRICS_HEADERS="x-tenant=tests,authorization=Basic%20abc",
                OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            )
        )
        wait_until(lambda: len(asked.posted) > 1)
        assert server.stop() == 0
        assert not other.posted
        posted = asked.posted[0]
        assert posted.path == "/some/path"
        assert posted.headers["content-type"] == "application/x-protobuf"
        assert posted.headers["content-encoding"] == "gzip"
        assert (posted.headers["x-tenant"], posted.headers["authorization"]) == ("tests", "Basic abc")
        request = ExportMetricsServiceRequest.FromString(posted.body)
        names = [metric.name for metric in request.resource_metrics[0].scope_metrics[0].metrics]
        assert "websocket_message_size_bytes" in names
        assert len(names) == len(set(names))


MISTAKES = {
    "OTEL_METRICS_EXPORTER": "otlp,nonsense,prometheus",
    "OTEL_TRACES_EXPORTER": "otlp,zipkin",
    "OTEL_LOGS_EXPORTER": "none,elsewhere",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "sometimes",
    "OTEL_METRIC_EXPORT_TIMEOUT": "never",
    "OTEL_TRACES_SAMPLER": "coin",
    "OTEL_PROPAGATORS": "pigeon",
    "OTEL_RESOURCE_ATTRIBUTES": "good=1,bad",
}
# A text of the log line about each mistake.
COMPLAINTS = {
    *("nonsense", "zipkin", "elsewhere", "http/json", "soon", "zip", "SOMETIMES", "export timeout"),
    *("coin", "pigeon", "attribute pair bad"),
}


def test_each_mistake_is_a_line_and_everything_else_goes_on(rotel: Rotel, serve: Serve) -> None:
    environment = {**MISTAKES, "OTEL_EXPORTER_OTLP_ENDPOINT": rotel.endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "100"}
    server = serve(environment=environment)
    with connect(server.ws_url) as client:
        client.send("still here")
        assert client.recv() == "still here"

    def is_pushed() -> None:
        assert last_samples(rotel.points())["websocket_connections_total"] == 1

    eventually(is_pushed)
    assert server.stop() == 0

    def check() -> None:
        assert [span.name for span in rotel.spans()] == ["GET /{websocket}"]
        assert rotel.resource()["good"] == "1"

    eventually(check)
    assert not server.complaints()
    lines = [" ".join(map(str, line.values())) for line in server.logs if line["severity"] == "WARNING"]
    for complaint in COMPLAINTS:
        assert any(complaint in line for line in lines), f"{complaint} in {lines}"
    assert not any("prometheus" in line for line in lines)
    assert len(lines) < 2 * len(COMPLAINTS)


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"OTEL_METRIC_EXPORT_INTERVAL": "0"}, "interval value 0"),
        (
            {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_METRICS_CREDENTIAL_PROVIDER": "nobody"},
            "component 'nobody' not found",
        ),
    ],
)
def test_an_exporter_that_cannot_be_had_is_done_without(
    serve: Serve, variables: dict[str, str], complaint: str
) -> None:
    with FaultyCollector() as collector:
        server = serve(environment={**pushing(collector.endpoint), **variables})
        assert server.metrics()["websocket_connections_total"] == 0
        assert server.stop() == 0
        assert not server.complaints()
        assert not collector.posted
    (line,) = [line for line in server.logs if line["severity"] == "WARNING"]
    assert line["event"] == "telemetry is not exported"
    assert complaint in line["cause"]


def test_the_timeout_is_in_milliseconds_as_the_specification_has_it(serve: Serve) -> None:
    with FaultyCollector(None) as tarpit:
        server = serve("--drain-timeout", "1s", environment=pushing(tarpit.endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="200"))
        wait_until(lambda: len(tarpit.posted) >= 2)
        assert server.wait_for_log("opentelemetry")["logger"].startswith("opentelemetry.exporter.otlp.")
