"""From the repository to an installed server: source distribution, wheel, environment, echo."""

import importlib.machinery
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.shared.server import ROOT
from wsecho import __version__

# What a build in place, a test run and an editor leave in a working folder.
LEFT_BEHIND = (
    ".env",
    ".venv/lib/module.py",
    "build/cython/echo.c",
    "tests/__pycache__/test.cpython-311.pyc",
    "tests/clients/node_modules/ws/index.js",
    "wsecho/codec/native/echo.cpython-311-x86_64-linux-gnu.so",
)
# A release may sort the files of the test client into folders.
IN_SUBFOLDERS = ("static/folder/module.js", "static/folder/inside/style.css", "static/folder/icon.svg")


def repository() -> list[str]:
    """List the files that belong to the repository. In a copy without git, these are all but built files."""
    if not (ROOT / ".git").exists():
        ignored = shutil.ignore_patterns(*(name.rstrip("/") for name in (ROOT / ".gitignore").read_text().split()))
        return list(_files(ROOT, ignored))
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def _files(top: Path, ignored: Callable[[str, list[str]], set[str]]) -> Iterator[str]:
    for folder, folders, files in os.walk(top):
        left_out = ignored(folder, [*folders, *files])
        folders[:] = [name for name in folders if name not in left_out]
        yield from (str(Path(folder, name).relative_to(top)) for name in files if name not in left_out)


def clone(target: Path) -> Path:
    """Copy the files of the repository as they are now."""
    for name in repository():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)
    return target


def run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=400, check=False
    )


def succeed(command: list[str], cwd: Path, **environment: str) -> str:
    result = run(command, cwd, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def source_distribution(source: Path) -> Path:
    """Build it as `python -m build` does, but without a new environment, for which packages had to be installed."""
    code = "from setuptools import build_meta; build_meta.build_sdist('dist')"
    succeed([sys.executable, "-c", code], source)
    (made,) = (source / "dist").glob("wsecho-*.tar.gz")
    return made


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of a working folder with more files in it: some belong to a release, some do not."""
    source = clone(tmp_path_factory.mktemp("source"))
    for name in (*IN_SUBFOLDERS, *LEFT_BEHIND):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    return source_distribution(source)


def test_the_source_distribution_is_the_repository(archive: Path) -> None:
    assert archive.name == f"wsecho-{__version__}.tar.gz"
    with tarfile.open(archive) as opened:
        names = {member.name.partition("/")[2] for member in opened if member.isfile()}
    made = {name for name in names if name in ("PKG-INFO", "setup.cfg") or name.startswith("wsecho.egg-info/")}
    assert names - made == {*repository(), *IN_SUBFOLDERS}


@pytest.fixture(scope="module")
def wheels(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel for each codec, built from the source distribution: with a compiler, and without one."""
    folder = tmp_path_factory.mktemp("wheels")
    return {codec: wheel(archive, folder / codec, **BUILDING[codec]) for codec in BUILDING}


# Not optimised, which takes half of the time. What `make build` has compiled is, and the other tests use that.
BUILDING = {
    "compiled": {"WSECHO_REQUIRE_NATIVE": "1", "CFLAGS": "-O0 -g0"},
    "python": {"CC": "no-such-compiler"},
}


def wheel(archive: Path, into: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    succeed([*command, "--wheel-dir", str(into), str(archive)], archive.parent, **environment)
    (built,) = into.glob(f"wsecho-{__version__}-*.whl")
    return built


@pytest.mark.parametrize("codec", BUILDING)
def test_what_is_built_from_the_source_distribution_serves(
    serve: Serve, wheels: dict[str, Path], tmp_path: Path, codec: str
) -> None:
    """Run it in an environment that contains the dependencies but not this folder."""
    site = tmp_path / "site"
    venv.create(site, with_pip=False)
    install = [sys.executable, "-m", "pip", "--python", str(site / "bin" / "python"), "install", "--quiet", "--no-deps"]
    succeed([*install, "--no-index", str(wheels[codec])], tmp_path)
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    server = serve(command=[str(site / "bin" / "wsecho")], environment={"PYTHONPATH": packages}, cwd=tmp_path)
    assert server.listening["codec"] == codec
    for name in (name for name in (*repository(), *IN_SUBFOLDERS) if name.startswith("static/")):
        path = name.removeprefix("static/index.html")
        content = name.encode() if name in IN_SUBFOLDERS else (ROOT / name).read_bytes()
        assert server.get(f"/{path}")[2] == content
    assert f"with the {codec} codec" in succeed([*INSTALLED, "--codec", codec, "--url", server.http_url], tmp_path)


# What checks the wheels and the images of a release.
INSTALLED = [sys.executable, "-P", str(ROOT / "tests/installed.py")]


def test_a_tool_runner_installs_and_runs_it_without_privileges_and_again_offline(wheels: dict[str, Path]) -> None:
    """`uvx` downloads the dependencies into an environment of its own, which needs no compiler."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for file in (wheels["compiled"], *(Path(sys.executable).with_name(name) for name in ("uv", "uvx"))):
            shutil.copy2(file, home)
        user, interpreter = unprivileged(home)
        runner = [str(home / "uvx"), f"--python={interpreter}", "--quiet"]
        settings = {"HOME": folder, "UV_CACHE_DIR": str(home / "cache"), "PATH": "/usr/bin:/bin", "CC": "/bin/false"}
        for more in ([], ["--offline"]):
            start = [*user, *runner, *more, "--from", str(home / wheels["compiled"].name), "wsecho"]
            said = succeed([*INSTALLED, "--codec", "compiled", "--", *start], home, **settings)
            assert said == f"wsecho {__version__} works, with the compiled codec.\n"


def unprivileged(home: Path) -> tuple[list[str], str]:
    """Return the start of a command that gives up root's privileges, and an interpreter that others may run."""
    version = "python{}.{}".format(*sys.version_info)
    public = shutil.which(version, path="/usr/local/bin:/usr/bin")
    if os.geteuid() != 0 or public is None:
        return [], sys.executable
    os.chown(home, NOBODY, NOBODY)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"], public


NOBODY = 65534


BUILD = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]


@pytest.mark.parametrize("compiler", ["/bin/false", "no-such-compiler"])
def test_without_a_compiler_the_build_ends_well_and_leaves_no_older_codec(tmp_path: Path, compiler: str) -> None:
    source = clone(tmp_path / "source")
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    older = source / f"wsecho/codec/native/echo{suffix}"
    older.write_text("of sources that have changed since")
    said = succeed(BUILD, source, CC=compiler)
    assert not list(source.glob("wsecho/codec/native/*.so"))
    if compiler == "no-such-compiler":
        assert said == "The codec is not compiled: a C compiler (no-such-compiler) is missing.\n"
    assert run(BUILD, source, CC=compiler, WSECHO_REQUIRE_NATIVE="1").returncode != 0
