"""What the OTEL_* variables say: who this is, and what is sent to whom.

The SDK reads most of them itself, in what they are about. What it leaves to others is read here, as the specification
says: which exporters there are, in which protocol they speak, how long they may take.
"""

import os
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar

import structlog
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from wsecho import __version__
from wsecho.options.extras import MissingExtraError

Log = structlog.typing.FilteringBoundLogger
Signal = Literal["metrics", "traces", "logs"]
T = TypeVar("T")

# By the values of OTEL_EXPORTER_OTLP_PROTOCOL, the names under which packages offer their exporters.
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def is_disabled() -> bool:
    """Tell whether the SDK is switched off (OTEL_SDK_DISABLED)."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def exporter_names(signal: Signal) -> list[str]:
    """Return what OTEL_{signal}_EXPORTER names: nothing where it is unset or `none`, or the SDK is disabled.

    `prometheus` is left out: the page is served on our own port already.
    """
    if is_disabled():
        return []
    ignored = {"", "none", "prometheus"} if signal == "metrics" else {"", "none"}
    given = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").lower().split(",")
    return list(dict.fromkeys(name for part in given if (name := part.strip()) not in ignored))


def exporters(signal: Signal, log: Log) -> list[Any]:
    """Return the exporters for `signal`. One that cannot be had is a line in the log: the server goes on without."""
    made = []
    for name in exporter_names(signal):
        try:
            made.append(_exporter(signal, name, log))
        except MissingExtraError as error:
            cause, remedy = str(error), error.remedy
            log.warning("telemetry is not exported", signal=signal, exporter=name, cause=cause, remedy=remedy)
        except Exception as error:  # Whatever a library or a platform's credentials raise.
            log.warning("telemetry is not exported", signal=signal, exporter=name, cause=words(error))
    return made


def words(error: BaseException) -> str:
    """Return an error as part of a line."""
    return " ".join(str(error).split()) or type(error).__name__


def _exporter(signal: Signal, name: str, log: Log) -> Any:
    entry = _OTLP[_otlp_protocol(signal, log)] if name == "otlp" else name
    found = entry_points(group=f"opentelemetry_{signal}_exporter", name=entry)
    if not found:
        raise _missing(entry)
    arguments = {}
    if entry in _OTLP.values():
        _require_credential_provider(signal, entry)
        arguments["timeout"] = _otlp_timeout(signal, log)
    first: EntryPoint = next(iter(found))
    return first.load()(**arguments)


def _missing(entry: str) -> Exception:
    if entry == _OTLP["grpc"]:
        return MissingExtraError("OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "grpc")
    return LookupError("there is no such exporter here")


def _require_credential_provider(signal: Signal, entry: str) -> None:
    """Raise MissingExtraError if Google's is asked for and not installed."""
    protocol = "GRPC" if entry == _OTLP["grpc"] else "HTTP"
    for scope in (protocol, f"{protocol}_{signal.upper()}"):
        variable = f"OTEL_PYTHON_EXPORTER_OTLP_{scope}_CREDENTIAL_PROVIDER"
        name = os.environ.get(variable, "")
        if name.startswith("gcp_") and not entry_points(group="opentelemetry_otlp_credential_provider", name=name):
            raise MissingExtraError(f"{variable}={name}", "gcp")


def _require_detector(log: Log) -> None:
    """Log it if Google's is asked for and not installed."""
    given = os.environ.get("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "").split(",")
    if "gcp" in map(str.strip, given) and not entry_points(group="opentelemetry_resource_detector", name="gcp"):
        error = MissingExtraError("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=gcp", "gcp")
        log.warning("no resource was detected", cause=str(error), remedy=error.remedy)


def _otlp_protocol(signal: Signal, log: Log) -> str:
    # The specification's default; the SDK's is grpc.
    return _otlp_value(signal, "PROTOCOL", "http/protobuf", lambda given: given if given in _OTLP else None, log)


def _otlp_timeout(signal: Signal, log: Log) -> float:
    """Return the seconds that an export may take. The variables are in milliseconds; the SDK takes them for seconds."""

    def parse(given: str) -> float | None:
        try:
            return float(given) / 1000 if 0 < float(given) < float("inf") else None
        except ValueError:
            return None

    return _otlp_value(signal, "TIMEOUT", 10.0, parse, log)


def _otlp_value(signal: Signal, name: str, default: T, parse: Callable[[str], T | None], log: Log) -> T:
    """Return what the signal's variable says, or the one for all signals. Empty is unset, a bad value ignored."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if given := os.environ.get(variable, "").strip():
            if (value := parse(given)) is not None:
                return value
            log.warning("a variable is ignored", variable=variable, value=given, instead=default)
            return default
    return default


def resource(instance_id: str, log: Log) -> Resource:
    """Return what all telemetry of this process says about its origin.

    What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes first, then what is known here, then what the detectors
    of OTEL_EXPERIMENTAL_RESOURCE_DETECTORS find out.
    """
    known = {"service.name": "wsecho", "service.version": __version__, "service.instance.id": instance_id}
    given = dict(OTELResourceDetector().detect().attributes)
    _require_detector(log)
    try:
        found = Resource.create({**known, **given})
    except Exception as error:
        log.warning("no resource was detected", cause=words(error))
        found = Resource({**known, **given})
    if found.attributes.get("cloud.provider") == "gcp" and "gcp.project_id" not in found.attributes:
        # By which Google's OTLP endpoint knows the project; its detector has only the general name for it.
        found = found.merge(Resource({"gcp.project_id": found.attributes.get("cloud.account.id", "")}))
    return found
