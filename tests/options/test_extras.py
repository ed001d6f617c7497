"""The error line for an option that needs an extra that is not installed."""

import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.shared.commands import run
from tests.shared.server import ROOT
from wsecho.options import extras
from wsecho.options.extras import REQUIREMENTS
from wsecho.telemetry import environment

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def brings(extra: str) -> str:
    """Return the command that the error line must contain."""
    return f"{sys.executable} -m pip install {shlex.join(EXTRAS[extra])}"


def test_what_is_said_to_be_needed_is_what_the_extras_bring() -> None:
    assert {extra: list(requirements) for extra, requirements in REQUIREMENTS.items()} == EXTRAS


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("jwt", ("--jwt-key-file", "/dev/null"), "jwt"),
        ("jwt", ("--jwt-jwks", "/dev/null"), "jwt"),
        ("cryptography", ("--tls-self-signed",), "self-signed"),
    ],
)
def test_a_missing_extra_is_named_by_option_and_by_the_command_that_brings_it(
    tmp_path: Path, package: str, arguments: tuple[str, ...], extra: str
) -> None:
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError(name={package!r})")
    result = run("-m", "wsecho", "--port", "0", *arguments, PYTHONPATH=str(tmp_path))
    told = f"wsecho: {arguments[0]} needs the extra {extra!r}, which is not installed: {brings(extra)}\n"
    assert (result.returncode, result.stderr) == (2, told)


def test_where_nothing_can_be_installed_into_it_is_said_how_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    line = extras.missing("--tls-self-signed", "self-signed")
    assert f"uv pip install --python {sys.executable} 'cryptography" in line
    assert line.endswith("docker build --build-arg EXTRAS=self-signed")


class Log:
    """Keeps the log lines that it gets."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that hides the entry points with some names."""
    found = environment._entry_points

    def hide(*names: str) -> None:
        def entry_points(*, group: str, name: str) -> Any:
            return () if name in names else found(group=group, name=name)

        monkeypatch.setattr(environment, "_entry_points", entry_points)

    return hide


@pytest.mark.parametrize(
    ("variable", "value", "hidden", "extra"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "otlp_proto_grpc", "grpc"),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "gcp_http_credentials", "gcp_http_credentials", "gcp"),
        (
            "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
            *("gcp_http_credentials", "gcp_http_credentials", "gcp"),
        ),
    ],
)
def test_an_exporter_that_lacks_an_extra_is_told_with_the_command(
    monkeypatch: pytest.MonkeyPatch, without: Any, variable: str, value: str, hidden: str, extra: str
) -> None:
    without(hidden)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setenv(variable, value)
    log: Any = Log()
    assert environment.exporters("traces", log) == []
    assert log.lines == [
        {
            "event": "telemetry is not exported",
            "signal": "traces",
            "exporter": "otlp",
            "cause": f"{variable}={value} needs the extra {extra!r}",
            "remedy": brings(extra),
        }
    ]


def test_a_detector_that_lacks_its_extra_is_told_with_the_command(
    monkeypatch: pytest.MonkeyPatch, without: Any
) -> None:
    without("gcp")
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "gcp")
    log: Any = Log()
    environment._require_detector(log)
    (line,) = log.lines
    assert line["cause"] == "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS=gcp needs the extra 'gcp'"
    assert line["remedy"] == brings("gcp")
