"""The units in deploy/systemd/, as systemd's own programs judge them."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shared.server import ROOT

UNITS = sorted((ROOT / "deploy/systemd").iterdir())

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs the Debian package systemd")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the units, whose program exists."""
    program = shutil.which("true")
    assert program
    for unit in UNITS:
        text = unit.read_text()
        (tmp_path / unit.name).write_text(re.sub("(?m)^ExecStart=[^ ]+", f"ExecStart={program}", text))
    return tmp_path


def analyze(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@needs_systemd
def test_systemd_understands_every_unit(installed: Path) -> None:
    verified = analyze(
        "verify", "--man=no", "--recursive-errors=no", *(f"./{unit.name}" for unit in UNITS), folder=installed
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@needs_systemd
def test_systemd_would_complain_of_a_misspelt_setting(installed: Path) -> None:
    service = installed / "wsecho.service"
    service.write_text(service.read_text().replace("LockPersonality", "LockPersonalty"))
    assert "LockPersonalty" in analyze("verify", "./wsecho.service", folder=installed).stderr


@needs_systemd
def test_the_service_is_hardened(installed: Path) -> None:
    """The exposure is 0.0 for what may do nothing, and 10.0 for what may do everything. From 2.0 on this fails."""
    judged = analyze("security", "--offline=yes", "--threshold=20", "./wsecho.service", folder=installed)
    assert judged.returncode == 0, judged.stdout


def test_the_admin_socket_is_the_servers_and_it_has_time_to_shut_down() -> None:
    units = {unit.name: configparser.ConfigParser(strict=False, interpolation=None) for unit in UNITS}
    for unit in UNITS:
        units[unit.name].read(unit)
    assert units["wsecho-admin.socket"]["Socket"]["FileDescriptorName"] == "admin"
    assert units["wsecho-admin.socket"]["Socket"]["Service"] == "wsecho.service"
    assert int(units["wsecho.service"]["Service"]["TimeoutStopSec"]) > 7
