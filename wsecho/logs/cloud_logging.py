"""The fields that Google Cloud Logging expects in a log line of a service on Cloud Run.

https://cloud.google.com/logging/docs/structured-logging
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from wsecho.http.pattern import pattern
from wsecho.http.request import Request

# W3C Trace Context section 3.2. Versions after 00 may append fields; ff is not a version.
_TRACEPARENT = pattern(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
# TRACE_ID/SPAN_ID;o=OPTIONS, where SPAN_ID is a decimal number.
_CLOUD_TRACE = pattern(r"([0-9A-Fa-f]{32})/(\d{1,20})(?:;o=([01]))?", re.ASCII)


class CloudRun(NamedTuple):
    """The Cloud Run service that this server is. `project` owns its traces; it is empty if the environment lacks it.

    The metadata server of Google Cloud knows the project too, but it is not asked: a server should not need the network
    to write its log.
    """

    project: str

    @classmethod
    def detect(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the service that the variables in `environment` describe, None outside Cloud Run."""
        return cls(environment.get("GOOGLE_CLOUD_PROJECT", "")) if environment.get("K_SERVICE") else None

    def trace_fields(self, request: Request) -> dict[str, str | bool]:
        """Return the fields that assign a line to the trace of `request`; none without a trace or a project."""
        trace = _trace(request) if self.project else None
        if trace is None:
            return {}
        trace_id, span_id, sampled = trace
        return {
            "logging.googleapis.com/trace": f"projects/{self.project}/traces/{trace_id}",
            "logging.googleapis.com/spanId": span_id,
            "logging.googleapis.com/trace_sampled": sampled,
        }


def _trace(request: Request) -> tuple[str, str, bool] | None:
    """Return trace id, parent span id and the sampled flag, from `traceparent` or, if that is invalid, from
    `X-Cloud-Trace-Context`.
    """
    if match := _TRACEPARENT.fullmatch(request.value("traceparent")):
        version, trace_id, span_id, flags, more = match.groups()
        if int(trace_id, 16) and int(span_id, 16) and not (version == "00" and more):
            return trace_id, span_id, bool(int(flags, 16) & 1)
    if match := _CLOUD_TRACE.fullmatch(request.value("x-cloud-trace-context")):
        trace_id, span, option = match.groups()
        if int(trace_id, 16) and 0 < int(span) < 1 << 64:
            return trace_id.lower(), f"{int(span):016x}", option == "1"
    return None
