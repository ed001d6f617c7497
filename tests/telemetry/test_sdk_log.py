"""Log lines of the OpenTelemetry SDK: a collector that fails causes one line per minute."""

import pytest

from tests.conftest import Serve
from tests.shared.collectors import (
    FaultyCollector,
    wait_until,
)
from tests.shared.pushing import echo_some, everything


# 400 is final; 503 is retried; a proxy without a backend closes the connection.
@pytest.mark.parametrize("status", [400, 503, 0], ids=["refuses", "is overloaded", "closes"])
def test_a_failing_collector_is_worth_one_line_a_minute(serve: Serve, status: int) -> None:
    with FaultyCollector(status) as collector:
        server = serve("--drain-timeout", "1s", environment=everything(collector.endpoint))
        echo_some(server)
        wait_until(lambda: len({posted.path for posted in collector.posted}) == 3 and len(collector.posted) > 5)
        assert server.stop() == 0
        assert not server.complaints()
    (line,) = [line for line in server.logs if line["severity"] == "WARNING"]
    assert line["event"] == "opentelemetry"
    assert line["logger"].startswith("opentelemetry.exporter.otlp.")
