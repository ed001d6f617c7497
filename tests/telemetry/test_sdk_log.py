"""Log lines of the OpenTelemetry SDK: a collector that fails causes one line per minute."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Serve
from tests.shared.collectors import (
    FaultyCollector,
    wait_until,
)
from tests.shared.pushing import echo_some, everything
from wsecho.telemetry.sdk_log import SdkLog


class Lines:
    """A log that keeps the lines."""

    def __init__(self) -> None:
        self.details: list[str] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.details.append(fields["detail"])


@pytest.fixture
def sdk_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("opentelemetry")
    before = logger.handlers, logger.propagate
    yield logger
    logger.handlers, logger.propagate = before


def test_during_the_set_up_only_the_thread_that_does_it_is_not_limited(sdk_logger: logging.Logger) -> None:
    """An exporter that was set up first may fail in its own thread while the next one is set up."""

    def fail_twice() -> None:
        sdk_logger.warning("not exported")
        sdk_logger.warning("not exported again")

    lines: Any = Lines()
    with SdkLog(lines).unlimited():
        exporter = threading.Thread(target=fail_twice)
        exporter.start()
        exporter.join()
        sdk_logger.warning("one mistake")
        sdk_logger.warning("another mistake")
    sdk_logger.warning("not exported once more")
    assert lines.details == ["not exported", "one mistake", "another mistake"]


def test_a_set_up_within_another_one_does_not_end_it(sdk_logger: logging.Logger) -> None:
    lines: Any = Lines()
    log = SdkLog(lines)
    with log.unlimited():
        with log.unlimited():
            sdk_logger.warning("a mistake in the inner one")
        sdk_logger.warning("a mistake after it")
        sdk_logger.warning("another one")
    assert lines.details == ["a mistake in the inner one", "a mistake after it", "another one"]


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
