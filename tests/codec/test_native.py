"""The compiled codec is current and has the interface of the Python codec. Modules: `selection`, `wire`."""

import ast
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from tests.shared.echoing import CODECS
from tests.shared.server import ROOT
from wsecho.codec import selection

PACKAGE = ROOT / "wsecho"


@pytest.mark.parametrize(
    "name",
    ["Echo", "Inflater", "ReceiveBuffer", "MessageCounters", "Cells", "InflateBudget", "Wire", "TcpTransports"],
)
def test_the_compiled_codec_has_the_interface_of_the_python_codec(name: str) -> None:
    python, compiled = (getattr(CODECS[codec], name) for codec in ("python", "compiled"))
    offered = {name for name, member in vars(python).items() if callable(member) and not name.startswith("_")}
    # The transport calls a C method in place of the wire's `get_buffer`.
    assert offered - {"get_buffer"} <= set(dir(compiled))


def test_the_wire_for_tls_has_the_interface_of_the_other_one() -> None:
    plain, encrypted = (selection.load("compiled", encrypted=is_encrypted).Wire for is_encrypted in (False, True))
    assert plain is not encrypted
    assert set(dir(plain)) <= set(dir(encrypted))


def test_the_compiled_codec_is_not_older_than_its_sources() -> None:
    plain = [PACKAGE / name for name in ("websocket/echo.py", "websocket/inflater.py", "tls/client_hello.py")]
    sources = [
        *PACKAGE.rglob("*.p[xy][xdi]"),
        *PACKAGE.rglob("*.h"),
        *plain,
        ROOT / "setup.py",
    ]
    built = list(PACKAGE.rglob(f"*{EXTENSION_SUFFIXES[0]}"))
    assert len(built) == 14
    assert min(file.stat().st_mtime for file in built) >= max(file.stat().st_mtime for file in sources)


@pytest.mark.parametrize(
    ("module", "untyped"),
    [("echo", {"may_be_sent"}), ("inflater", {"has_room", "_size", "_window_bits", "_new_stream"})],
)
def test_every_method_named_in_the_c_types_is_in_the_source(module: str, untyped: set[str]) -> None:
    declared = {
        word.split("(")[0].split()[-1]
        for word in (PACKAGE / f"codec/native/{module}.pxd").read_text().splitlines()
        if "(self" in word
    }
    defined = {
        node.name
        for node in ast.walk(ast.parse((PACKAGE / f"websocket/{module}.py").read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert declared == defined - {"__init__"} - untyped
