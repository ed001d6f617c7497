"""The scripts that workflows run for a release, without a release."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shared.server import ROOT
from wsecho import __version__

CHANGES = """# Changelog

## Unreleased

- Not yet.

## 1.2.3 (2026-12-24)

### Added

- Added presents.

## 1.2.2 (2026-11-30)

- Fixed snow.
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in (".ci", "wsecho"):
        (tmp_path / name).mkdir()
    for script in ("check-image", "check-release"):
        shutil.copy2(ROOT / ".ci" / script, tmp_path / ".ci")
    (tmp_path / "wsecho" / "__init__.py").write_text('"""A server."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    return tmp_path


def check_release(repository: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([repository / ".ci/check-release", tag], capture_output=True, text=True, check=False)


def test_the_notes_of_a_release_are_its_section_of_the_changelog(repository: Path) -> None:
    done = check_release(repository, "v1.2.3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "### Added\n\n- Added presents."


@pytest.mark.parametrize("tag", ["v1.2.2", "1.2.3", "v1.2.30", "v1.2"])
def test_a_tag_that_is_not_the_version_is_refused(repository: Path, tag: str) -> None:
    done = check_release(repository, tag)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"the tag is {tag}, but the version in wsecho/__init__.py is 1.2.3: expected v1.2.3\n"


@pytest.mark.parametrize(
    "heading", ["## 1.2.3 (not released)", "## 1.2.3", "## 1.2.30 (2026-12-24)", "## 1x2y3 (2026-12-24)"]
)
def test_a_version_whose_changes_have_no_date_is_refused(repository: Path, heading: str) -> None:
    (repository / "CHANGELOG.md").write_text(CHANGES.replace("## 1.2.3 (2026-12-24)", heading))
    done = check_release(repository, "v1.2.3")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CHANGELOG.md has no changes under a heading such as '## 1.2.3 (" in done.stderr


def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed (Debian package: shellcheck)")
    scripts = sorted((ROOT / ".ci").iterdir())
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_image_that_is_named_has_the_version_as_its_tag() -> None:
    """The version is stated in one place. Manifests, and what the documentation says of them, cannot read it there."""
    files = [*(ROOT / "deploy").rglob("*.yaml"), ROOT / "docs/kubernetes.md"]
    tags = [tag for file in files for tag in re.findall(r"(?:/wsecho:|newTag: )(\d\S+)", file.read_text())]
    assert tags
    assert set(tags) == {__version__}
