"""The clients: how each is run, and which version it is."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tests.compatibility.runners.with_chromium import CHROMIUM
from tests.shared.server import PATIENCE, ROOT

_JAVASCRIPT = ROOT / "tests/clients"
# Where `make compatibility` installs Bun and Deno, if they are not on the path.
_BINARIES = ROOT / "build/clients/node_modules/.bin"
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True)
class Client:
    """`command` reads tasks and prints outcomes. `version` returns None where the client is not installed.

    A client that `hands_over_frames` leaves rules of RFC 6455 to its application.
    """

    name: str
    version: Callable[[], str | None]
    command: Sequence[str | Path]
    hands_over_frames: bool = False


def _of_distribution(name: str) -> Callable[[], str | None]:
    def version() -> str | None:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    return version


def _of_package(name: str) -> Callable[[], str | None]:
    def version() -> str | None:
        file = _JAVASCRIPT / "node_modules" / name / "package.json"
        if not file.exists() or not shutil.which("node"):
            return None
        found = re.search(r'"version": "([^"]+)"', file.read_text())
        return found[1] if found else None

    return version


def _program(name: str) -> str:
    """Return the path of a program, its name alone if it is not installed."""
    return shutil.which(name) or shutil.which(name, path=str(_BINARIES)) or name


def _of_program(program: str | Path) -> Callable[[], str | None]:
    def version() -> str | None:
        try:
            done = subprocess.run(
                [program, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return None
        found = _VERSION.search(done)
        return found[0] if found else None

    return version


def _of_curl() -> str | None:
    try:
        from curl_cffi import __curl_version__ as version
    except ImportError:
        return None
    found = _VERSION.search(version)
    return found[0] if found else None


def _python(runner: str) -> Sequence[str]:
    return (sys.executable, "-m", f"tests.compatibility.runners.{runner}")


_SCRIPT = _JAVASCRIPT / "compatibility.js"
CLIENTS = (
    Client("websockets", _of_distribution("websockets"), _python("with_websockets")),
    Client("aiohttp", _of_distribution("aiohttp"), _python("with_aiohttp")),
    Client("websocket-client", _of_distribution("websocket-client"), _python("with_websocket_client")),
    Client("picows", _of_distribution("picows"), _python("with_picows"), hands_over_frames=True),
    Client("curl", _of_curl, _python("with_curl")),
    Client("ws", _of_package("ws"), ("node", _SCRIPT, "ws")),
    Client("undici", _of_package("undici"), ("node", _SCRIPT, "undici")),
    Client("Bun", _of_program(_program("bun")), (_program("bun"), _SCRIPT, "global")),
    Client(
        "Deno",
        _of_program(_program("deno")),
        (_program("deno"), "run", "--allow-all", "--unsafely-ignore-certificate-errors", _SCRIPT, "global"),
    ),
    Client("Chromium", _of_program(CHROMIUM), _python("with_chromium")),
)
