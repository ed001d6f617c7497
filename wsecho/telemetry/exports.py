"""All exports of one process to OpenTelemetry collectors, with a last export at the end of the process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import cached_property, partial
from time import monotonic
from typing import TYPE_CHECKING

from wsecho.counting.shared_page import SharedPage, Totals
from wsecho.logs import structured_log
from wsecho.telemetry import environment
from wsecho.telemetry.deferred_page import DeferredPage
from wsecho.telemetry.environment import Log, text_of_error
from wsecho.telemetry.sdk_log import SdkLog
from wsecho.telemetry.spans import NoTraces, Traces

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from wsecho.telemetry.prometheus_page import PrometheusPage

# Bounds of the time for the last exports, in seconds, however much of the drain timeout is left.
_MIN_SECONDS, _MAX_SECONDS = 0.5, 3.0


class Exports:
    """The metrics, traces and log records that this process exports, and its page for Prometheus.

    Must be made in the process that uses it, never before a fork, because it starts threads. Modules that take long to
    import are imported only if a variable configures an export that needs them. Errors of the configuration are logged.
    """

    def __init__(self, instance_id: str, log: Log) -> None:
        self._instance_id = instance_id
        self._log = log
        self._sdk_log = SdkLog(log)
        self._shutdowns: list[Callable[[], object]] = []

    @cached_property
    def _resource(self) -> Resource:
        with self._sdk_log.unlimited():
            return environment.resource(self._instance_id, self._log)

    def metrics_page(self, shared_page: SharedPage) -> DeferredPage | PrometheusPage:
        """Return the metrics page of a worker.

        If a variable configures the SDK, the page is made now, so that errors in these variables are logged at the
        start. Otherwise it is made at the first scrape.
        """
        make = partial(self._make_metrics_page, shared_page)
        return make() if environment.is_configured() else DeferredPage(make)

    def _make_metrics_page(self, shared_page: SharedPage) -> PrometheusPage:
        from wsecho.telemetry.prometheus_page import PrometheusPage

        return PrometheusPage(shared_page, self._resource)

    def push(self, shared_page: SharedPage, exported: Totals | None = None) -> None:
        """Push the metrics from now on. Exactly one process of a server may do it.

        Deltas begin at `exported`, by default at the present totals.
        """
        with self._sdk_log.unlimited():
            for exporter in environment.exporters("metrics", self._log):
                from wsecho.telemetry import push

                try:
                    self._shutdowns.append(push.start(exporter, shared_page, self._resource, exported))
                except Exception as error:
                    self._log_failure("metrics", error)

    def traces(self) -> Traces:
        """Return what records the spans of this process, `NoTraces` if traces are not exported."""
        with self._sdk_log.unlimited():
            if exporters := environment.exporters("traces", self._log):
                from wsecho.telemetry.traces import SdkTraces

                try:
                    traces = SdkTraces(exporters, self._resource, self._log)
                except Exception as error:
                    self._log_failure("traces", error)
                else:
                    self._shutdowns += traces.shutdowns
                    return traces
        return NoTraces()

    def export_log(self) -> None:
        """Export the log lines of this process from now on."""
        with self._sdk_log.unlimited():
            if exporters := environment.exporters("logs", self._log):
                from wsecho.telemetry.log_records import LogRecords

                try:
                    records = LogRecords(exporters, self._resource)
                except Exception as error:
                    self._log_failure("logs", error)
                else:
                    self._shutdowns += records.shutdowns
                    structured_log.add_processor(records)

    def _log_failure(self, signal: str, error: Exception) -> None:
        self._log.warning("telemetry is not exported", signal=signal, cause=text_of_error(error))

    def shutdown(self, left: float) -> None:
        """Export everything that has been collected, with all exporters at the same time, and stop exporting.

        `left` is what is left of the drain timeout, in seconds.
        """
        # Daemon threads: the exit of the process does not wait for those that are not done in time.
        threads = [
            threading.Thread(target=_ignore_errors, args=(shutdown,), daemon=True) for shutdown in self._shutdowns
        ]
        deadline = monotonic() + last_export_seconds(left)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))


def last_export_seconds(left: float) -> float:
    """Return how many seconds the last exports may take if `left` seconds of the drain timeout are left."""
    return max(_MIN_SECONDS, min(_MAX_SECONDS, left))


def _ignore_errors(shutdown: Callable[[], object]) -> None:
    # The SDK has already logged the error.
    with contextlib.suppress(Exception):
        shutdown()
