"""Builds images without a daemon and without an image registry: buildah, on a base made from Debian's packages."""

import ast
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]

# What the official Python image has of Debian: Python with its headers, venv and pip, and no compiler.
BASE_PACKAGES = ("ca-certificates", "python3", "python3-dev", "python3-pip", "python3-venv")
# Left out as in Debian's slim images; and Python's static library, because every copy of the base costs time.
BASE_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*", "/usr/lib/python3*/config-*/*.a")
# Like the official image, the base has no bytecode of the standard library.
BASE_WITHOUT_BYTECODE = 'find "$1"/usr/lib/python3.* -name __pycache__ -prune -exec rm -r {} +'

# The settings of pip that say where packages come from; others (user, target, require-virtualenv, ...) are the
# business of whoever runs the tests.
PIP_SETTINGS = {
    "cert",
    "client-cert",
    "default-timeout",
    "extra-index-url",
    "find-links",
    "index-url",
    "no-index",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
}


def why_impossible() -> str | None:
    """Return why no image can be built and run here, or None."""
    if os.geteuid() != 0:
        return "needs root: an image is built and started by chroot and namespaces"
    if missing := [tool for tool in ("buildah", "mmdebstrap", "nsenter", "unshare") if shutil.which(tool) is None]:
        return f"needs the programs {', '.join(missing)} (Debian: buildah, mmdebstrap, util-linux)"
    if subprocess.run(["unshare", "--mount", "--pid", "--ipc", "--fork", "true"], capture_output=True).returncode != 0:
        return "needs the right to make namespaces (CAP_SYS_ADMIN)"
    return None


def _run(*command: str | Path, env: dict[str, str] | None = None) -> str:
    """Return what `command` prints; when it fails, raise with the end of all that it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=400)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-60:])
        raise AssertionError(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{said}")
    return done.stdout


class Images:
    """A store of images. The base stays in `folder` for the next run, all else goes with the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        # One run at a time, so that whatever else is in the store was left by one that was killed.
        self._lock = (self._folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._scratch = Path(tempfile.mkdtemp(prefix="wsecho-images-"))
        self._buildah("rm", "--all")
        self._buildah("rmi", "--prune")
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch)
        self._lock.close()

    def _buildah(self, *arguments: str | Path) -> str:
        # The vfs driver keeps plain folders: a test that is killed leaves no mount behind.
        store = ("--root", self._folder / "images", "--runroot", self._scratch / "run", "--storage-driver", "vfs")
        env = os.environ | {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(self._scratch)}
        return _run("buildah", *store, *arguments, env=env)

    def base(self, suite: str) -> str:
        """Return the name of the base image of Debian's `suite`, made on first use and then once a month."""
        debootstrap = [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(BASE_PACKAGES)}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in BASE_LEFT_OUT),
            *(f"--aptopt={setting}" for setting in _apt_settings()),
            f"--customize-hook={BASE_WITHOUT_BYTECODE}",
            suite,
        ]
        sources = _apt_sources(suite)
        # A stale base would drift from the packages that the build adds to it.
        recipe = json.dumps([debootstrap, sources, f"{datetime.now(UTC):%Y-%m}"])
        repository = f"localhost/wsecho-base-{suite}"
        name = f"{repository}:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
        if name not in (known := self._buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()):
            for outdated in known:
                if outdated.startswith(f"{repository}:"):
                    self._buildah("rmi", outdated)
            with self._container("scratch") as (container, folder):
                _run(*debootstrap, folder, *sources)
                self._buildah("commit", "--quiet", container, name)
        return name

    @contextmanager
    def build(self, context: Path, *options: str) -> Iterator[str]:
        """Build `context` and yield the image's id. `options` are those of `buildah build`."""
        # The store may lie in the context: a build that saw it would copy it into itself until the disk is full.
        assert "*" in (context / ".dockerignore").read_text().splitlines(), ".dockerignore leaves nothing out"
        id_file = self._scratch / "image-id"
        arguments = ("--format", "docker", "--layers=false", "--pull-never", "--network", "host", *self._pip_volumes())
        self._buildah("build", *arguments, "--iidfile", str(id_file), *options, str(context))
        image = id_file.read_text()
        try:
            yield image
        finally:
            self._buildah("rmi", "--force", image)

    def config(self, image: str) -> dict[str, Any]:
        """Return the image's configuration as Docker writes it."""
        config: dict[str, Any] = json.loads(self._buildah("inspect", "--type", "image", image))["Docker"]["config"]
        return config

    def mount_points(self) -> set[str]:
        """Return the paths, relative to the image's root, that the volumes of the build leave behind as empty files."""
        return {volume.split(":")[1].lstrip("/") for volume in self._pip_volumes()}

    @contextmanager
    def unpacked(self, image: str) -> Iterator[Path]:
        """Yield a folder that holds the image's files."""
        with self._container(image) as (_, folder):
            yield folder

    @contextmanager
    def _container(self, image: str) -> Iterator[tuple[str, Path]]:
        container = self._buildah("from", "--pull-never", image).strip()
        try:
            yield container, Path(self._buildah("mount", container).strip())
        finally:
            self._buildah("rm", container)

    def _pip_volumes(self) -> Iterator[str]:
        """Let pip inside the build find packages as pip here does, without a word of it in the image."""
        settings = _pip_settings()
        file = self._scratch / "pip.conf"
        file.write_text("\n".join(["[global]", *(f"{key} = {value}" for key, value in settings.items())]) + "\n")
        yield f"--volume={file}:/etc/pip.conf:ro"
        for word in sorted({word for value in settings.values() for word in value.split()}):
            path = Path(word.removeprefix("file://"))
            # The pages of a local index point to files beside it.
            path = path.parent if path.name == "simple" else path
            if path.is_absolute() and path.exists():
                yield f"--volume={path}:{path}:ro"


def _pip_settings() -> dict[str, str]:
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    settings = {}
    # In pip's own order: files, then the environment, so that what comes later wins.
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in PIP_SETTINGS:
            settings[key] = " ".join(str(ast.literal_eval(value)).split())
    return settings


def _apt_settings() -> list[str]:
    """Return how apt here reaches its mirror: proxies, time-outs, checks of dates."""
    wanted = re.compile(r"Acquire::(https?::(Proxy|Timeout|Verify-)|Retries|Check-(Date|Valid-Until)).* \".+\";")
    return [line for line in _run("apt-config", "dump").splitlines() if wanted.match(line)]


def _apt_sources(suite: str) -> list[str]:
    """Return the lines of sources.list for `suite`, from the mirrors that apt here uses; none: mmdebstrap's own."""
    targets = _run("apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages")
    mirrors = dict(line.split(" ", 1) for line in sorted(targets.splitlines()))
    if "Debian" not in mirrors:
        return []
    lines = [f"deb {mirrors['Debian']} {suite} main", f"deb {mirrors['Debian']} {suite}-updates main"]
    if "Debian-Security" in mirrors:
        lines.append(f"deb {mirrors['Debian-Security']} {suite}-security main")
    return lines
