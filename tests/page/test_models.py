"""The modules of the page that need no browser, each tested by node's own test runner in a file of its name."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shared.server import PATIENCE, ROOT

MODELS = ROOT / "static" / "model"
FILES = sorted(Path(__file__).parent.glob("*.test.js"))
# Releases of node before this one do not see by themselves that a file is a module.
DETECTS_MODULES = (22, 7)


@pytest.fixture(scope="module")
def node() -> list[str]:
    """The command that runs a file of tests."""
    if shutil.which("node") is None:
        pytest.skip("node is missing: install the Debian package nodejs")
    shown = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", shown)[:2])
    options = [] if version >= DETECTS_MODULES else ["--experimental-default-type=module"]
    return ["node", *options, "--test-reporter=tap"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.js"))
def test_node_accepts(node: list[str], file: Path) -> None:
    run = subprocess.run([*node, file], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    counts = dict(re.findall(r"^# (\w+) (\d+)$", run.stdout, re.MULTILINE))
    assert int(counts["pass"]) > 0, run.stdout
    assert int(counts["skipped"]) == int(counts["todo"]) == 0, run.stdout


@pytest.mark.parametrize("file", sorted(MODELS.glob("*.js")), ids=lambda file: file.stem)
def test_a_model_has_its_tests_and_imports_only_models(file: Path) -> None:
    assert (Path(__file__).parent / f"{file.stem}.test.js").exists()
    for imported in re.findall(r'from "([^"]+)"', file.read_text()):
        assert (MODELS / imported).resolve().parent == MODELS, f"{file.name} imports {imported}"
