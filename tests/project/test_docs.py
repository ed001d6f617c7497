"""Statements in the documentation that can be checked."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.other_pythons import find, supported
from tests.shared.server import ROOT, RunningServer
from wsecho import __version__
from wsecho.__main__ import OLDEST_PYTHON

# In prose, or as a whole URL in a command.
SCENARIO = re.compile(
    r"`(?:ws://localhost:8080)?(/ws(?:[/?][^`\s]*)?)`|(?:ws|http)://localhost:\d+(/ws[^\s`)\"'|<\]]*)",
)
DOCUMENTS = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")})


def test_the_generated_tables_are_current() -> None:
    check = subprocess.run([sys.executable, "docs/tables.py", "--check"], cwd=ROOT, timeout=60, check=False)
    assert check.returncode == 0, "a generated table is not current: run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_linked_or_named_exists(document) -> None:  # type: ignore[no-untyped-def]
    text = document.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if not re.match(r"\w+:", link)]
    assert [link for link in links if not (document.parent / link).exists()] == []
    named = re.findall(r"`((?:wsecho|tests|benchmarks|docs|static|deploy)/[\w./-]+\.\w+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_path_that_any_file_names_exists() -> None:
    """In comments, recipes and settings as well, where the old path of a moved file is easily overlooked."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    if not files:
        pytest.skip("this is no git checkout")
    named = re.compile(r"(?<![\w./-])((?:wsecho|tests|benchmarks|docs|static|deploy|fuzz)/[\w./-]*\.\w+)")
    unknown = set()
    # The test of packaging names files that must not exist, and files that git ignores are not listed.
    for name in files - {"tests/project/test_packaging.py"}:
        text = (ROOT / name).read_bytes().decode(errors="ignore")
        unknown |= {(name, path) for path in named.findall(text) if path not in files}
    assert unknown == set()


def test_every_scenario_that_a_document_names_exists(server: RunningServer) -> None:
    named = {
        (document.name, "".join(found)) for document in DOCUMENTS for found in SCENARIO.findall(document.read_text())
    }
    assert len(named) > 100
    wrong = {(name, path) for name, path in named if "..." not in path and server.get(path)[0] != 426}
    assert wrong == set()


def test_architecture_names_every_module() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    modules = {file.stem for file in (ROOT / "wsecho").rglob("*.py")} - {"__init__", "__main__"}
    assert {module for module in modules if not re.search(rf"\b{module}\b", text)} == set()


def test_lines_are_at_most_120_characters_long() -> None:
    """Except for tables and for text that is shown as it is written or printed."""
    for document in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
        prose = [line for line in text.splitlines() if not line.startswith(("|", "    "))]
        assert [line for line in prose if len(line) > 120] == [], document


def test_the_changelog_knows_this_version() -> None:
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_versions_of_python_that_are_named_are_those_that_are_tested() -> None:
    versions = supported()
    assert versions[0] == "{}.{}".format(*OLDEST_PYTHON)
    needed = re.search(r"needs Python (.*)", (ROOT / "README.md").read_text())
    assert needed
    named = re.findall(r"3\.\d+", needed[1])
    assert named[0] == versions[0]
    assert set(named) <= set(versions)
    image = re.search(r"^ARG PYTHON_IMAGE=python:([\d.]+)-", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert image
    assert image[1] in versions


def test_a_version_that_this_machine_lacks_or_has_in_part_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find("3.11") is None
    other = tmp_path / "python3.11"
    # Like pyenv's, if the version is not selected, and like Debian's, if python3-venv is not installed.
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    assert find("3.11") is None
    within = tmp_path / "versions" / "3.11.2" / "bin"
    within.mkdir(parents=True)
    (within / "python3.11").write_text("#!/bin/sh\nexit 0\n")
    (within / "python3.11").chmod(0o755)
    assert find("3.11") == within / "python3.11"
    other.write_text("#!/bin/sh\nexit 0\n")
    assert find("3.11") == other


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        assert set(re.findall(r"`make ([a-z-]+)`", document.read_text())) <= targets


@pytest.mark.parametrize("interactive", [True, False], ids=["pasted", "as a script"])
def test_where_no_project_is_chosen_the_cloud_commands_do_nothing(tmp_path: Path, interactive: bool) -> None:
    """Also in a shell that continues after a failed line, and if the first commands were run in another shell."""
    for program, body in {"gcloud": 'echo "$*" >>"$CALLS"', "curl": ":", "python3": ":"}.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / program).chmod(0o755)
    calls = tmp_path / "calls"
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/cloud-run.md").read_text(), re.DOTALL)
    for block in blocks:
        subprocess.run(
            ["bash", "--norc", *(["-i"] if interactive else [])],
            input=block,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(calls)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,  # so that it has no terminal
        )
    assert {line.split()[0] for line in calls.read_text().splitlines()} <= {"config", "auth"}


def test_the_readme_is_short() -> None:
    """It is what people read first. What only some of them need is in docs/."""
    assert len((ROOT / "README.md").read_text().split()) <= 1600


def test_nothing_was_left_to_be_filled_in() -> None:
    for document in DOCUMENTS:
        assert not re.search(r"^(MEASURED|TODO|TBD|FIXME)", document.read_text(), re.MULTILINE)


def test_every_test_that_answers_a_threat_exists() -> None:
    named = re.findall(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)", (ROOT / "docs/security.md").read_text())
    assert len(named) > 40
    assert [name for name, file in named if f"def {name}(" not in (ROOT / file).read_text()] == []
