"""Reads OTEL_* variables: the resource of this process, and its exporters.

OpenTelemetry's SDK reads most of these variables itself. This module reads those that are left to applications, as
the OpenTelemetry specification defines them: the exporters, their protocol and their timeout.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import structlog

from wsecho import __version__
from wsecho.options.extras import MissingExtraError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

    from opentelemetry.sdk.resources import Resource

Log = structlog.typing.FilteringBoundLogger
Signal = Literal["metrics", "traces", "logs"]
T = TypeVar("T")

# The entry point names of the OTLP exporters, by value of OTEL_EXPORTER_OTLP_PROTOCOL.
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def is_configured() -> bool:
    """Return whether any variable of OpenTelemetry is set. If none is, no SDK is needed before the first scrape."""
    return any(value and name.startswith("OTEL_") for name, value in os.environ.items())


def is_disabled() -> bool:
    """Return whether OTEL_SDK_DISABLED switches the SDK off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def exporter_names(signal: Signal) -> list[str]:
    """Return the names in OTEL_{signal}_EXPORTER; none if it is unset or `none`, or if the SDK is disabled.

    `prometheus` is left out, because the server has a Prometheus page on its own port anyway.
    """
    if is_disabled():
        return []
    ignored = {"", "none", "prometheus"} if signal == "metrics" else {"", "none"}
    given = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").lower().split(",")
    return list(dict.fromkeys(name for part in given if (name := part.strip()) not in ignored))


def exporters(signal: Signal, log: Log) -> list[Any]:
    """Return the exporters for `signal`. One that cannot be made is logged, and the server goes on without it."""
    made = []
    for name in exporter_names(signal):
        try:
            made.append(_exporter(signal, name, log))
        except MissingExtraError as error:
            cause, remedy = str(error), error.remedy
            log.warning("telemetry is not exported", signal=signal, exporter=name, cause=cause, remedy=remedy)
        except Exception as error:  # Libraries and the credentials of a cloud platform can raise anything.
            log.warning("telemetry is not exported", signal=signal, exporter=name, cause=text_of_error(error))
    return made


def text_of_error(error: BaseException) -> str:
    """Return the text of an error as part of one line; its type if it has no text."""
    return " ".join(str(error).split()) or type(error).__name__


def _exporter(signal: Signal, name: str, log: Log) -> Any:
    entry = _OTLP[_otlp_protocol(signal, log)] if name == "otlp" else name
    found = _entry_points(group=f"opentelemetry_{signal}_exporter", name=entry)
    if not found:
        raise _missing(entry)
    arguments = {}
    if entry in _OTLP.values():
        _require_credential_provider(signal, entry)
        arguments["timeout"] = _otlp_timeout(signal, log)
    first: EntryPoint = next(iter(found))
    return first.load()(**arguments)


def _entry_points(*, group: str, name: str) -> EntryPoints:
    # Imported only when needed, because this import is slow.
    from importlib.metadata import entry_points

    return entry_points(group=group, name=name)


def _missing(entry: str) -> Exception:
    if entry == _OTLP["grpc"]:
        return MissingExtraError("OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "grpc")
    return LookupError("no installed package has an exporter of this name")


def _require_credential_provider(signal: Signal, entry: str) -> None:
    """Raise MissingExtraError if a credential provider of Google is configured and not installed."""
    protocol = "GRPC" if entry == _OTLP["grpc"] else "HTTP"
    for scope in (protocol, f"{protocol}_{signal.upper()}"):
        variable = f"OTEL_PYTHON_EXPORTER_OTLP_{scope}_CREDENTIAL_PROVIDER"
        name = os.environ.get(variable, "")
        if name.startswith("gcp_") and not _entry_points(group="opentelemetry_otlp_credential_provider", name=name):
            raise MissingExtraError(f"{variable}={name}", "gcp")


def _require_detector(log: Log) -> None:
    """Log a warning if Google's resource detector is configured and not installed."""
    given = os.environ.get("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "").split(",")
    if "gcp" in map(str.strip, given) and not _entry_points(group="opentelemetry_resource_detector", name="gcp"):
        error = MissingExtraError("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=gcp", "gcp")
        log.warning("no resource was detected", cause=str(error), remedy=error.remedy)


def _otlp_protocol(signal: Signal, log: Log) -> str:
    # The default is the specification's; the SDK's default is grpc.
    return _otlp_value(signal, "PROTOCOL", "http/protobuf", lambda given: given if given in _OTLP else None, log)


def _otlp_timeout(signal: Signal, log: Log) -> float:
    """Return the timeout of an export in seconds.

    The specification has the variables in milliseconds; the SDK would read them as seconds.
    """

    def parse(given: str) -> float | None:
        try:
            return float(given) / 1000 if 0 < float(given) < float("inf") else None
        except ValueError:
            return None

    return _otlp_value(signal, "TIMEOUT", 10.0, parse, log)


def _otlp_value(signal: Signal, name: str, default: T, parse: Callable[[str], T | None], log: Log) -> T:
    """Return the value of the variable for `signal`, or else of the one for all signals, or else `default`.

    An empty variable counts as unset. A bad value is logged, and `default` is used.
    """
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if given := os.environ.get(variable, "").strip():
            if (value := parse(given)) is not None:
                return value
            log.warning("a variable is ignored", variable=variable, value=given, instead=default)
            return default
    return default


def resource(instance_id: str, log: Log) -> Resource:
    """Return the resource of this process, which describes the origin of its telemetry.

    Attributes from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence over those that are set here, and
    these over the attributes that the detectors in OTEL_EXPERIMENTAL_RESOURCE_DETECTORS find.
    """
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    known = {"service.name": "wsecho", "service.version": __version__, "service.instance.id": instance_id}
    given = dict(OTELResourceDetector().detect().attributes)
    _require_detector(log)
    try:
        found = Resource.create({**known, **given})
    except Exception as error:
        log.warning("no resource was detected", cause=text_of_error(error))
        found = Resource({**known, **given})
    if found.attributes.get("cloud.provider") == "gcp" and "gcp.project_id" not in found.attributes:
        # Google's OTLP endpoint needs the project in gcp.project_id; Google's detector sets only cloud.account.id.
        found = found.merge(Resource({"gcp.project_id": found.attributes.get("cloud.account.id", "")}))
    return found
