"""Tests what differs between versions of Python, on every supported one that this machine has, but for our own.

    python -m tests.other_pythons

Each version gets a copy of the working tree with an environment of its own, so that it is set up as on a fresh machine.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.shared.server import ROOT

# Ends well with an interpreter of the version that is named, which can make environments and compile extensions.
COMPLETE = """
import os, sys, sysconfig
import ensurepip, venv
assert "%d.%d" % sys.version_info[:2] == sys.argv[1]
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
"""


def supported() -> list[str]:
    """Return the versions that the package says it supports, as in "3.13"."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    return re.findall(r"^Programming Language :: Python :: (\d+\.\d+)$", "\n".join(classifiers), re.MULTILINE)


def find(version: str) -> Path | None:
    """Return an interpreter of that version, from PATH or from pyenv, or None."""
    for candidate in _candidates(version):
        tried = subprocess.run([candidate, "-c", COMPLETE, version], capture_output=True, check=False)
        if tried.returncode == 0:
            return candidate
    return None


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    for folder in os.get_exec_path():
        if found := shutil.which(name, path=folder):
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from pyenv.glob(f"versions/{version}.*/bin/{name}")


def passes(interpreter: Path) -> bool:
    """Tell whether the tests pass that `make test-core` runs, in a copy of this tree, after printing what they say."""
    # What is said to this make, such as another PYTHON, is not for that one.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "VIRTUAL_ENV")}
    with tempfile.TemporaryDirectory(prefix=f"wsecho-{interpreter.name}-") as copy:
        _copy_tree(Path(copy))
        done = subprocess.run(["make", "test-core", f"PYTHON={interpreter}"], cwd=copy, env=environment, check=False)
    return done.returncode == 0


def _copy_tree(folder: Path) -> None:
    """Copy what git knows of, or would."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.rstrip("\0").split("\0"):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def main() -> int:
    """Return the exit code: 1 if a version failed. That this machine lacks one is said, and no failure."""
    ours = "{}.{}".format(*sys.version_info)
    outcomes = {}
    for version in supported():
        if version == ours:
            continue
        interpreter = find(version)
        if interpreter:
            print(f"Python {version}: {interpreter}", flush=True)
        outcomes[version] = ("passed" if passes(interpreter) else "FAILED") if interpreter else "not on this machine"
    for version, outcome in outcomes.items():
        print(f"Python {version}: {outcome}")
    return "FAILED" in outcomes.values()


if __name__ == "__main__":
    sys.exit(main())
