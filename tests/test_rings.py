"""The shape of the package: imports point inward, the compiled twins offer what the plain ones do."""

import ast
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tests.echoing import CODECS
from tests.server import ROOT

PACKAGE = ROOT / "wsecho"
INNER, MIDDLE, OUTER = 0, 1, 2
RINGS = {
    INNER: {
        "counters",
        "violations",
        "lifetime",
        "receive_buffer",
        "tally",
        "echo",
        "deflate",
        "inflater",
        "inflate_state",
        "request",
        "response",
        *("http1", "list_fields"),
        "handshake",
        "client_hello",
        *("auth", "credentials", "origins"),
        *("addresses", "forwarded", "proxies", "proxy_header", "shares", "caller"),
    },
    MIDDLE: {
        *(
            "config",
            "environment",
            "extras",
            "roster",
            "stats",
            "processes",
            "ledger",
            "metrics",
            "telemetry",
            "assets",
            "routes",
        ),
        "json_web_tokens",
        *("logs", "log_fields", "log_limits", "log_writer", "cloud_logging"),
        *("opentelemetry_environment", "exports", "push", "spans", "traces", "log_records", "sdk_log"),
    },
    OUTER: {
        *(
            "wire",
            "turns",
            "codec",
            "connections",
            "capacity",
            "loans",
            "schedule",
            "mishaps",
            "transports",
            "websocket_connection",
            "http_connection",
            "listener",
            "binding",
            "sweep",
            "listening_socket",
            "socket_activation",
            "orders",
            "supervisor",
            "push_process",
            "terminal",
            "worker",
            "access",
            "remote_keys",
            "fetch",
        ),
        *("tls", "tls_messages", "self_signed", "peek"),
        *("cli", "__main__", "start", "health_probe"),
    },
}
RING_OF = {module: ring for ring, modules in RINGS.items() for module in modules}
# What the inner ring must not know: sockets, loops, clocks, processes, logs, telemetry.
FORBIDDEN_INSIDE = {
    "asyncio",
    "socket",
    "ssl",
    "os",
    "time",
    "logging",
    "structlog",
    "opentelemetry",
    "uvloop",
    "aiofastnet",
}


def imports_of(file: Path) -> set[str]:
    """Return the modules that a file imports, relative ones spelt out, those for the type checker left out."""
    found = set()
    tree = ast.parse(file.read_text())
    for_types = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "wsecho." * bool(node.level) + (node.module or "")
            found |= {f"{base}.{name.name}" for name in node.names} if base == "wsecho" else {base}
    return found


MODULES = sorted(file.stem for file in PACKAGE.glob("*.py") if file.stem != "__init__")


def test_every_module_has_its_ring() -> None:
    assert set(MODULES) == RING_OF.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_inward(module: str) -> None:
    imported = imports_of(PACKAGE / f"{module}.py")
    for name in imported:
        if name.startswith("wsecho."):
            other = name.split(".")[1]
            assert RING_OF.get(other, INNER) <= RING_OF[module], f"{module} imports {other}"
    if RING_OF[module] == INNER:
        assert not {name.split(".")[0] for name in imported} & FORBIDDEN_INSIDE


@pytest.mark.parametrize("name", ["Echo", "Inflater", "ReceiveBuffer", "Tally", "Turn", "Wire"])
def test_the_compiled_twin_offers_what_the_plain_one_does(name: str) -> None:
    plain, compiled = (getattr(CODECS[codec], name) for codec in ("python", "compiled"))
    offered = {name for name, member in vars(plain).items() if callable(member) and not name.startswith("_")}
    assert offered <= set(dir(compiled))


def test_the_compiled_codec_is_not_older_than_its_sources() -> None:
    plain = [PACKAGE / "echo.py", PACKAGE / "inflater.py"]
    sources = [*PACKAGE.glob("native/*.p[xy][xd]"), *PACKAGE.glob("native/*.h"), *plain, ROOT / "setup.py"]
    built = list(PACKAGE.glob(f"native/*{EXTENSION_SUFFIXES[0]}"))
    assert len(built) == 5
    assert min(file.stat().st_mtime for file in built) >= max(file.stat().st_mtime for file in sources)


@pytest.mark.parametrize(
    ("module", "untyped"),
    [("echo", {"may_be_sent"}), ("inflater", {"has_room", "_size", "_window_bits", "_new_stream"})],
)
def test_every_method_named_in_the_c_types_is_in_the_source(module: str, untyped: set[str]) -> None:
    declared = {
        word.split("(")[0].split()[-1]
        for word in (PACKAGE / f"native/{module}.pxd").read_text().splitlines()
        if "(self" in word
    }
    defined = {
        node.name
        for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert declared == defined - {"__init__"} - untyped
