"""Every process collects the same tests, whenever and wherever it does so, and with every hash seed."""

import json
import os
import shutil
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

from tests.shared.server import ROOT

OTHER_CLOCK = ("faketime", "-f", "+400d")


def test_every_process_collects_the_same_tests(tmp_path: Path) -> None:
    """pytest-xdist runs nothing if its workers collect different names, and a time that is fixed at collection is past
    later.
    """
    # The second clock is ahead in any case, by as long as the first process takes.
    here = collect(tmp_path / "here", seed="1")
    elsewhere = collect(tmp_path / "elsewhere", seed="2", under=OTHER_CLOCK if shutil.which("faketime") else ())
    assert len(here) > 1000
    different = [pair for pair in zip_longest(here, elsewhere) if pair[0] != pair[1]]
    assert not different, f"{len(different)} of {len(here)} tests"


def collect(folder: Path, *, seed: str, under: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return the names and parameters of all tests, as a process of its own collects them from within `folder`."""
    folder.mkdir()
    names = folder / "collected"
    finding = ("--collect-only", "--quiet", "--quiet", "-p", "no:cacheprovider", f"--rootdir={ROOT}")
    plugin = ("-p", "tests.shared.collected", f"--collected={names}", f"--config-file={ROOT / 'pyproject.toml'}")
    changed = {"PYTHONHASHSEED": seed, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [*under, sys.executable, "-m", "pytest", *finding, *plugin, str(ROOT / "tests")],
        cwd=folder,
        env=os.environ | changed,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr
    return [tuple(json.loads(line)) for line in names.read_text().splitlines()]
