"""What Google's Cloud Logging looks for in a line that a service on Cloud Run wrote.

https://cloud.google.com/logging/docs/structured-logging
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from wsecho.http.request import Request

# W3C Trace Context section 3.2. Versions after 00 may append fields; ff is none.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
# TRACE_ID/SPAN_ID;o=OPTIONS, the span a decimal number.
_CLOUD_TRACE = re.compile(r"([0-9A-Fa-f]{32})/(\d{1,20})(?:;o=([01]))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class CloudRun:
    """The service we are. `project` is what traces are filed under, empty where the environment does not say it.

    The metadata server would know, but is never asked: a server should not speak to the network to write its log.
    """

    project: str

    @classmethod
    def detect(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the service that `environment` tells of, None outside Cloud Run."""
        return cls(environment.get("GOOGLE_CLOUD_PROJECT", "")) if environment.get("K_SERVICE") else None

    def trace_fields(self, request: Request) -> dict[str, str | bool]:
        """Return the fields that file a line under the trace that `request` belongs to; none without both."""
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
    """Return trace, parent span and whether they are recorded, as the first of the two headers that is valid has it."""
    if match := _TRACEPARENT.fullmatch(request.value("traceparent")):
        version, trace_id, span_id, flags, more = match.groups()
        if int(trace_id, 16) and int(span_id, 16) and not (version == "00" and more):
            return trace_id, span_id, bool(int(flags, 16) & 1)
    if match := _CLOUD_TRACE.fullmatch(request.value("x-cloud-trace-context")):
        trace_id, span, option = match.groups()
        if int(trace_id, 16) and 0 < int(span) < 1 << 64:
            return trace_id.lower(), f"{int(span):016x}", option == "1"
    return None
