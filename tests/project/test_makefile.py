"""What `make` does on machines on which something is missing, without installing anything."""

import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.project.test_packaging import clone
from tests.shared.imported import CODE, imported, uncompiled
from tests.shared.server import ROOT


def make(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # Without the variables that a make which runs these tests has set for its children.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "PYTHON"}
    return subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env=inherited | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return clone(tmp_path / "source")


def with_environment(source: Path) -> Path:
    """Give a copy of the repository an environment in which everything is installed, and return the environment."""
    environment = source / ".venv"
    venv.create(environment, with_pip=False, symlinks=True)
    site = sysconfig.get_path("purelib", vars={"base": str(environment)})
    (Path(site) / "installed.pth").write_text(sysconfig.get_path("purelib"))
    (environment / ".installed").touch()
    return environment


def interpreter(folder: Path, version: tuple[int, int, int]) -> Path:
    """Make an interpreter that reports `version`, has no pip, and makes an incomplete virtual environment."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\n\nsys.version_info = {version}\n")
    python = folder / "python3"
    number = ".".join(map(str, version))
    python.write_text(
        f"""#!/bin/sh
if [ "$1 $2 $3" = "-m venv --clear" ]; then
    for folder; do :; done
    rm -rf "$folder"; mkdir -p "$folder/bin"; cp "$0" "$folder/bin/python"
    echo "version = {number}" >"$folder/pyvenv.cfg"; exit
fi
[ "$1 $2" != "-m pip" ] || exit 1
PYTHONPATH={shlex.quote(str(folder))} exec {shlex.quote(sys.executable)} "$@"
"""
    )
    python.chmod(0o755)
    return python


@pytest.mark.parametrize("target", ["run", "build", "test", "lint"])
def test_a_python_that_is_too_old_is_told_before_anything_is_installed(
    source: Path, tmp_path: Path, target: str
) -> None:
    python = interpreter(tmp_path / "old", (3, 10, 99))
    result = make(target, f"PYTHON={python}", cwd=source, PATH=f"{tmp_path}/none:{os.environ['PATH']}")
    told, of_make = result.stdout.splitlines()[-2:]
    assert result.returncode == 2
    assert told.startswith("wsecho: Python 3.11 or newer is needed")
    assert "PYTHON=" in told
    assert of_make.startswith("make: ***")
    assert not (source / ".venv").exists()


def test_the_environment_is_made_anew_for_another_python_and_kept_for_the_same(source: Path, tmp_path: Path) -> None:
    first, second = (interpreter(tmp_path / name, (3, minor, 99)) for name, minor in (("a", 12), ("b", 13)))
    note = source / ".venv" / "pyvenv.cfg"
    is_told = []
    for asked in ([f"PYTHON={first}"], [], [f"PYTHON={second}"], [f"PYTHON={second}"], []):
        result = make(".venv/pyvenv.cfg", *asked, cwd=source)
        assert result.returncode == 0, result.stdout
        is_told.append((note.read_text().strip(), result.stdout.count(".venv is made for Python 3.")))
    of_first, of_second = "version = 3.12.99", "version = 3.13.99"
    assert is_told == [(of_first, 1), (of_first, 0), (of_second, 1), (of_second, 0), (of_second, 0)]


def test_a_build_without_a_compiler_is_tried_again_by_the_next_make(source: Path) -> None:
    environment = with_environment(source)
    for _ in range(2):
        result = make("build", cwd=source, CC="no-such-compiler")
        assert result.returncode == 0, result.stdout
        assert "a C compiler (no-such-compiler) is missing" in result.stdout
        assert "The server will use the Python codec, which takes more CPU time per message.\n" in result.stdout
    assert not (environment / ".built").exists()


def test_after_a_build_no_start_compiles_a_module(serve: Serve, source: Path) -> None:
    python = with_environment(source) / "bin" / "python"
    for _ in range(2):
        result = make("build", cwd=source, CC="no-such-compiler", PYTHONDONTWRITEBYTECODE="1")
        assert result.returncode == 0, result.stdout
    # The second time there was nothing to write.
    assert "wsecho.bytecode" not in result.stdout
    command, environment = [str(python), "-c", CODE], {"PYTHONDONTWRITEBYTECODE": "1"}
    server = serve(command=command, cwd=source, environment=environment)
    assert server.get("/metrics")[0] == 200
    assert uncompiled(imported(server)) == set()
    assert server.stop() == 0
    # A change is seen, and compiled by the next build.
    (source / "wsecho" / "__init__.py").write_text('__version__ = "9.9.9"\n')
    assert make("build", cwd=source, CC="no-such-compiler").stdout.count("-m wsecho.bytecode\n") == 1
    server = serve(command=command, cwd=source, environment=environment)
    assert 'version="9.9.9"' in server.get("/metrics")[2].decode()
    assert uncompiled(imported(server)) == set()


def test_make_run_serves(source: Path) -> None:
    environment = with_environment(source)
    for done in (".installed", ".built", ".bytecode"):
        (environment / done).touch()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    variables |= {"PORT": "0", "HOST": "127.0.0.1"}
    with subprocess.Popen(["make", "run"], cwd=source, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        listening = next(line for line in process.stdout if '"event": "listening"' in line)
        process.terminate()  # make ends what it runs
        assert '"codec": "python"' in listening
        assert '"event": "stopped"' in process.stdout.read()


def test_clean_leaves_nothing_that_git_ignores_and_takes_nothing_else(source: Path) -> None:
    kept = {path for path in source.rglob("*") if path.is_file()}
    ignored = (ROOT / ".gitignore").read_text().split()
    for pattern in ignored:
        name = pattern.replace("*", "wsecho")
        # `make clean` does not search other folders for what belongs into the top folder: there it may belong to
        # somebody else.
        folder = source / "tests" / "clients" if pattern in ("*.so", "__pycache__/", "node_modules/") else source
        made = folder / name
        if name.endswith("/"):
            made.mkdir()
            made = made / "made.so"
        made.touch()
    (source / "own").mkdir()
    own = source / "own" / "library.so"
    own.touch()
    result = make("clean", cwd=source)
    assert result.returncode == 0, result.stdout
    assert {path for path in source.rglob("*") if path.is_file()} == kept | {own}
