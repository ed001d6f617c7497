"""The servers that are compared: how each is started, which features it lacks, and its version.

All of them except the floor take the switches of `peers/switches.py`. The floor has none of the features that a switch
enables.
"""

import json
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from benchmarks.programs import BUILD
from benchmarks.servers import ROOT
from benchmarks.workloads import Workload

HERE = Path(__file__).resolve().parent / "peers"
PEER_PYTHON = BUILD / "venv" / "bin" / "python"
PYTHON_PINS = HERE.parent / "requirements.txt"
BUN = "node_modules/@oven/bun-linux-{}/bin/bun"
BUN_CPUS = {"x86_64": "x64", "aarch64": "aarch64"}

# Seconds of warm-up of servers with a just-in-time compiler. After 0.3 s a handshake of Node.js costs a fifth more.
COMPILING = 2.0
ONE_PROCESS = {"workers": "one process; more are left to its user"}


@dataclass(frozen=True)
class Peer:
    """A server. `lacks` has the reason for each feature that is missing."""

    name: str
    title: str
    command: tuple[str, ...]
    version: Callable[[], str]
    needs: str  # a key of INSTALLERS in installation.py
    lacks: Mapping[str, str] = field(default_factory=dict)
    deflate_switches: tuple[str, ...] = ("--deflate",)
    one_announcement: bool = False  # it prints its port once all workers listen; otherwise each worker prints it
    like: str = ""  # the server that this one is a variant of, measured under another condition
    scraped: bool = False
    warm_up: float = 0.3  # seconds

    def unsupported(self, workload: Workload) -> str | None:
        """Return why the server is not measured under this workload; None if it is measured."""
        reasons = [self.lacks[feature] for feature in sorted(workload.features) if feature in self.lacks]
        return "; ".join(reasons) or None

    def start_command(self, workload: Workload, certificate: tuple[Path, Path] | None) -> list[str]:
        """Return the server's command line for this workload."""
        command = list(self.command)
        if workload.deflate:
            command += self.deflate_switches
        if workload.tls and certificate:
            command += ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
        if workload.workers > 1:
            command += ["--workers", str(workload.workers)]
        return command

    def announcements(self, workload: Workload) -> int:
        """Return how many lines with the port the server prints until all its workers listen."""
        return 1 if self.one_announcement else workload.workers


def pinned(package: str) -> str:
    """Return the version of a Python package in requirements.txt."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", PYTHON_PINS.read_text(), re.MULTILINE)
    if not found:
        raise ValueError(f"{PYTHON_PINS.name} has no {package}")
    return found[1]


def pinned_npm(package: str) -> str:
    """Return the version of a package in package.json."""
    manifest = json.loads((HERE / "package.json").read_text())
    return str((manifest["dependencies"] | manifest["optionalDependencies"])[package])


@cache
def first_line(*command: str) -> str:
    """Return the first line that a command prints; empty if there is no such command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.partition("\n")[0].strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def on_uvloop(package: str) -> Callable[[], str]:
    return lambda: f"{package} {pinned(package)} on uvloop {pinned('uvloop')}"


def picows_version() -> str:
    return f"{on_uvloop('picows')()} aiofastnet {pinned('aiofastnet')}"


def wsecho_version() -> str:
    packages = "import importlib.metadata as m; print(*(p + ' ' + m.version(p) for p in ('uvloop', 'aiofastnet')))"
    version = first_line(sys.executable, str(ROOT / "wsecho.py"), "--version")
    return f"{version}, compiled codec, on {first_line(sys.executable, '-c', packages)}"


def gorilla_version() -> str:
    package = first_line("dpkg-query", "--show", "--showformat=${Version}", "golang-github-gorilla-websocket-dev")
    compiler = first_line(str(PEER_PYTHON.with_name("go")), "version").removeprefix("go version ")
    return f"gorilla/websocket {package} with {compiler}"


def ws_version() -> str:
    """Return the version of ws, and whether bufferutil is compiled: without a binary it silently uses JavaScript."""
    bufferutil = str(HERE / "node_modules" / "bufferutil")
    unmask = first_line("node", "-p", f"/native code/.test(require({bufferutil!r}).unmask)")
    beside = f"bufferutil {pinned_npm('bufferutil')}" if unmask == "true" else "no bufferutil"
    return f"ws {pinned_npm('ws')} with {beside} on Node.js {first_line('node', '--version')}"


def python_peer(module: str) -> tuple[str, ...]:
    return (str(PEER_PYTHON), str(HERE / f"{module}.py"))


def bun_program() -> str:
    machine = platform.machine()
    return str(HERE / BUN.format(BUN_CPUS.get(machine, machine)))


WSECHO = (sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", "0", "--codec", "compiled")
# By default wsecho declines compression when inflaters take 256 MiB, which some 6,000 connections with one need.
ALL_DEFLATED = ("--inflater-memory", "4GiB")
PEERS = (
    Peer(
        "floor",
        "floor (C)",
        (str(BUILD / "floor"),),
        lambda: f"floor.c with {first_line('cc', '--version')}",
        "c",
        {"deflate": "knows no compression", "tls": "knows no TLS", "workers": "one thread"},
    ),
    Peer("wsecho", "wsecho", WSECHO, wsecho_version, "wsecho", deflate_switches=ALL_DEFLATED, one_announcement=True),
    Peer(
        "wsecho-scraped",
        "wsecho, scraped each second",
        WSECHO,
        wsecho_version,
        "wsecho",
        deflate_switches=ALL_DEFLATED,
        one_announcement=True,
        like="wsecho",
        scraped=True,
    ),
    Peer(
        "wsecho-watched",
        "wsecho, its loop watched",
        tuple("benchmarks.turns" if word == "wsecho" else word for word in WSECHO),
        wsecho_version,
        "wsecho",
        one_announcement=True,
        like="wsecho",
    ),
    Peer(
        "bun",
        "Bun",
        (bun_program(), str(HERE / "bun_echo.js")),
        lambda: f"Bun {first_line(bun_program(), '--version')}",
        "bun",
        warm_up=COMPILING,
    ),
    Peer("picows", "picows", python_peer("picows_echo"), picows_version, "python", ONE_PROCESS),
    Peer("gorilla", "Go gorilla", (str(BUILD / "gorilla_echo"),), gorilla_version, "go", one_announcement=True),
    Peer(
        "ws",
        "Node.js ws",
        ("node", str(HERE / "ws_echo.js")),
        ws_version,
        "npm",
        warm_up=COMPILING,
    ),
    Peer("uvicorn", "uvicorn", python_peer("uvicorn_echo"), on_uvloop("uvicorn"), "python"),
    Peer("aiohttp", "aiohttp", python_peer("aiohttp_echo"), on_uvloop("aiohttp"), "python", ONE_PROCESS),
    Peer("websockets", "websockets", python_peer("websockets_echo"), on_uvloop("websockets"), "python", ONE_PROCESS),
)
BY_NAME = {peer.name: peer for peer in PEERS}
PYTHON_PEERS = tuple(peer.name for peer in PEERS if peer.needs == "python")
OURS = ("floor", "wsecho", "wsecho-scraped", "wsecho-watched")
QUICK = ("floor", "wsecho", "bun", "picows", "websockets")
