"""Log lines that are exported as OpenTelemetry log records."""

from tests.conftest import Serve
from tests.shared.collectors import (
    Collector,
    eventually,
)
from tests.shared.frames import TEXT, client_frame
from tests.shared.raw import RawConnection


def test_log_lines_become_log_records(collector: Collector, serve: Serve) -> None:
    variables = {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_TRACES_EXPORTER": "otlp"}
    server = serve("--log-level", "debug", environment={**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint})
    with RawConnection(server.port).open() as client:
        client.send(client_frame(TEXT, b"secret", fin=False) + client_frame(TEXT))
        client.receive_all()
    server.wait_for_metrics(websocket_active_connections=0)
    assert server.stop() == 0
    assert not server.complaints()

    def check() -> None:
        records = {record.body: record for record in collector.log_records()}
        assert list(records) == [line["event"] for line in server.logs]
        assert (records["listening"].severity, records["websocket closed"].severity) == (9, 5)
        assert records["listening"].attributes["port"] == server.port
        assert records["listening"].trace_id.strip("0") == ""
        (span,) = collector.spans()
        closed = records["websocket closed"]
        assert (closed.trace_id, closed.span_id) == (span.trace_id, span.span_id)

    eventually(check)
    assert "secret" not in str(collector.log_records())
