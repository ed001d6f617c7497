"""Installs and compiles what the benchmarks need. If something cannot be installed, the run names it and goes on."""

import functools
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import programs
from benchmarks.peers import HERE as PEERS_FOLDER
from benchmarks.peers import PYTHON_PINS, Peer, bun_program
from benchmarks.programs import BUILD
from benchmarks.servers import ROOT, BenchmarkError, environment

VENV = BUILD / "venv"
GO_PACKAGE = "golang-github-gorilla-websocket-dev"
DEBIAN_GO_PATH = Path("/usr/share/gocode")
INSTALL_SECONDS = 600.0


def run(*command: str | Path, **more_environment: str) -> None:
    """Run a command that installs or compiles something. Raises BenchmarkError with the last line of its output."""
    name = Path(command[0]).name
    try:
        outcome = subprocess.run(
            [str(part) for part in command],
            env=environment() | more_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=INSTALL_SECONDS,
        )
    except FileNotFoundError:
        raise BenchmarkError(f"{name} was not found") from None
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{name} took longer than {INSTALL_SECONDS:.0f} s") from None
    if outcome.returncode:
        lines = [line for line in outcome.stdout.splitlines() if line.strip()]
        raise BenchmarkError(f"{name} failed: {lines[-1] if lines else f'exit code {outcome.returncode}'}")


def compile_program(name: str) -> Path:
    """Compile a C program of this folder, and return its path."""
    try:
        return programs.compile_program(name)
    except programs.CompilationError as error:
        raise BenchmarkError(str(error)) from None


def install_python_peers() -> None:
    """Create the virtual environment of the Python peers, again whenever the pinned versions have changed."""
    made_of = hashlib.sha256(PYTHON_PINS.read_bytes()).hexdigest()
    stamp = VENV / "made-of"
    if stamp.exists() and stamp.read_text() == made_of:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    run(sys.executable, "-m", "venv", VENV)
    run(VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--requirement", PYTHON_PINS)
    stamp.write_text(made_of)


def install_npm_peers() -> None:
    """Install exactly the versions in the lock file. Bun is a plain file in its package, so no install script runs."""
    installed = PEERS_FOLDER / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (PEERS_FOLDER / "package-lock.json").stat().st_mtime:
        run("npm", "ci", "--prefix", PEERS_FOLDER, "--ignore-scripts", "--no-audit", "--no-fund")
        installed.touch()


def install_bun() -> None:
    install_npm_peers()
    run(bun_program(), "--version")


def install_go_peer() -> None:
    """Compile the Go peer with the pinned compiler and Debian's library, which is installed if this process is root."""
    install_python_peers()
    run("sh", ROOT / "tests" / "debian_packages.sh", GO_PACKAGE)
    if not (DEBIAN_GO_PATH / "src/github.com/gorilla/websocket").exists():
        raise BenchmarkError(f"Debian's {GO_PACKAGE} is not installed, and only root can do that")
    cache = str(BUILD / "go-cache")
    source = PEERS_FOLDER / "gorilla_echo.go"
    go = {"GO111MODULE": "off", "GOPATH": str(DEBIAN_GO_PATH), "GOCACHE": cache, "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    run(VENV / "bin" / "go", "build", "-o", BUILD / "gorilla_echo", source, **go)


INSTALLERS: dict[str, Callable[[], object]] = {
    "wsecho": lambda: None,  # `make build` has done it
    "c": lambda: compile_program("floor"),
    "python": install_python_peers,
    "npm": install_npm_peers,
    "bun": install_bun,
    "go": install_go_peer,
}


def install(peers: Sequence[Peer]) -> dict[str, str]:
    """Install what these servers need, and return the reason for each server that cannot be installed."""

    @functools.cache
    def trouble(need: str) -> str | None:
        try:
            INSTALLERS[need]()
        except BenchmarkError as error:
            return str(error)
        return None

    return {peer.name: reason for peer in peers if (reason := trouble(peer.needs))}


def make_certificate() -> tuple[Path, Path]:
    """Make a self-signed certificate (ECDSA on P-256) and return the files of the certificate and of its key."""
    BUILD.mkdir(parents=True, exist_ok=True)
    certificate, key = BUILD / "certificate.pem", BUILD / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    subject = ("-subj", "/CN=localhost", "-addext", names, "-days", "2")
    run("openssl", "req", "-x509", *curve, *subject, "-out", certificate, "-keyout", key)
    return certificate, key
