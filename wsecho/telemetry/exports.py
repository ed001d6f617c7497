"""All that one process sends to collectors: what was configured, and a last export at the end."""

import contextlib
import threading
from collections.abc import Callable
from time import monotonic

from wsecho.counting.shared_page import SharedPage, Totals
from wsecho.logs import structured_log
from wsecho.telemetry import environment
from wsecho.telemetry.environment import Log, words
from wsecho.telemetry.sdk_log import SdkLog
from wsecho.telemetry.spans import NoTraces, Traces

# Seconds for the last exports, whatever time is left for them.
_LEAST_SECONDS, _MOST_SECONDS = 0.5, 3.0


class Exports:
    """Made in the process that it serves, never before a fork: there are threads in it.

    What is heavy to import is imported only where a variable asks for it. Mistakes are lines in the log.
    """

    def __init__(self, instance_id: str, log: Log) -> None:
        self._log = log
        self._sdk_log = SdkLog(log)
        self._shutdowns: list[Callable[[], object]] = []
        with self._sdk_log.unlimited():
            self.resource = environment.resource(instance_id, log)

    def push(self, shared_page: SharedPage, exported: Totals | None = None) -> None:
        """Push the metrics; exactly one process of a server may. Deltas begin at `exported`, by default at what is."""
        with self._sdk_log.unlimited():
            for exporter in environment.exporters("metrics", self._log):
                from wsecho.telemetry import push

                try:
                    self._shutdowns.append(push.start(exporter, shared_page, self.resource, exported))
                except Exception as error:
                    self._complain("metrics", error)

    def traces(self) -> Traces:
        """Return what traces the requests of this process."""
        with self._sdk_log.unlimited():
            if exporters := environment.exporters("traces", self._log):
                from wsecho.telemetry.traces import Traces as SdkTraces

                try:
                    traces = SdkTraces(exporters, self.resource, self._log)
                except Exception as error:
                    self._complain("traces", error)
                else:
                    self._shutdowns += traces.shutdowns
                    return traces
        return NoTraces()

    def log_lines(self) -> None:
        """Send the lines of this process's log from now on."""
        with self._sdk_log.unlimited():
            if exporters := environment.exporters("logs", self._log):
                from wsecho.telemetry.log_records import LogRecords

                try:
                    records = LogRecords(exporters, self.resource)
                except Exception as error:
                    self._complain("logs", error)
                else:
                    self._shutdowns += records.shutdowns
                    structured_log.add_processor(records)

    def _complain(self, signal: str, error: Exception) -> None:
        self._log.warning("telemetry is not exported", signal=signal, cause=words(error))

    def shutdown(self, left: float) -> None:
        """Let everything that has been collected be exported, all at once.

        `left` is what a drain has left of its time, in seconds.
        """
        # Not to be waited for by the process either, so they are daemons.
        threads = [threading.Thread(target=_quietly, args=(end,), daemon=True) for end in self._shutdowns]
        deadline = monotonic() + last_export_seconds(left)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - monotonic()))


def last_export_seconds(left: float) -> float:
    """Return how long the last exports may take where a drain has `left` seconds left."""
    return max(_LEAST_SECONDS, min(_MOST_SECONDS, left))


def _quietly(end: Callable[[], object]) -> None:
    # The SDK has said in its log what went wrong.
    with contextlib.suppress(Exception):
        end()
