"""The plan of the packages: which packages there are, which may import which, and where the tests of a module are."""

import ast
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.shared.server import ROOT

PACKAGE = ROOT / "wsecho"
# The architecture, from the inside out. A package may import the packages that stand before it and no other.
PACKAGES = (
    *("http", "websocket", "proxies", "counting", "tcp", "codec", "options", "logs", "access", "tls", "telemetry"),
    *("routes", "connections", "scenarios", "processes", "conformance"),
)
# Apart from the server: these are imported by none of it, and import nothing of it.
APART = ("testing",)
# All that those may import from elsewhere, besides the standard library.
APART_MAY_IMPORT = {"pytest"}
# The commands, above all packages.
OUTSIDE = {"bytecode", "cli", "__main__"}
# Bytes and `now` in, bytes out: these import no sockets, event loops, clocks, processes, logs or telemetry.
PURE = ("http", "websocket", "proxies", "scenarios.language", "scenarios.steps")
IMPURE = {"asyncio", "socket", "ssl", "os", "time", "logging", "structlog", "opentelemetry", "uvloop", "aiofastnet"}
# The smallest and largest number of files in a package. Where a package has too many, it has packages inside, and the
# largest number holds for each of them.
FEWEST, MOST = 4, 14

MODULES = sorted(
    ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in PACKAGE.rglob("*.py") if file.stem != "__init__"
)


def imports_of(module: str) -> set[str]:
    """Return the modules that a module imports, also for the type checker and inside functions."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} has a relative import"
            base = node.module or ""
            found |= {f"{base}.{name.name}" if f"{base}.{name.name}" in MODULES else base for name in node.names}
    return found


def package_of(module: str) -> str:
    """Return the package that contains a module of wsecho, or an empty string for a module of the package `wsecho`
    itself.
    """
    return module.split(".")[1] if module.count(".") > 1 else ""


def test_every_package_is_in_the_list_and_has_a_size_that_can_be_overlooked() -> None:
    folders = {folder.name: folder for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert folders.keys() == {*PACKAGES, *APART}
    assert {file.stem for file in PACKAGE.glob("*.py")} == OUTSIDE | {"__init__"}
    for name, folder in folders.items():
        counts = Counter(
            file.parent
            for file in folder.rglob("*")
            if file.suffix in (".py", ".pyx", ".pxd", ".h") and file.stem != "__init__"
        )
        assert counts.total() >= FEWEST, name
        assert max(counts.values()) <= MOST, name


def test_every_folder_is_installed() -> None:
    folders = {".".join(file.parent.relative_to(ROOT).parts) for file in PACKAGE.rglob("__init__.py")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {*project["tool"]["setuptools"]["packages"]} == folders | {"wsecho.static"}


def test_the_architecture_shows_the_same_list() -> None:
    picture = (ROOT / "ARCHITECTURE.md").read_text().split("## The packages")[1]
    shown = re.findall(r"^    (\w+) {2,}", picture, re.MULTILINE)
    assert shown == [*PACKAGES, "cli", *APART]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_in_one_sentence_what_belongs_there(package: str) -> None:
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text())
    assert len(tree.body) == 1
    sentence = ast.get_docstring(tree) or ""
    before = PACKAGES[: PACKAGES.index(package)]
    imported = {package_of(name) for module in MODULES if package_of(module) == package for name in imports_of(module)}
    imported &= set(before)
    assert [name for name in before if f"`{name}`" in sentence] == [name for name in before if name in imported]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_inward(module: str) -> None:
    package = package_of(module)
    for name in imports_of(module):
        if name.startswith("wsecho.") and package and package_of(name) != package:
            assert package not in APART, f"{module} imports {name}"
            assert package_of(name) in PACKAGES[: PACKAGES.index(package)], f"{module} imports {name}"
    if module.removeprefix("wsecho.").startswith(tuple(f"{pure}." for pure in PURE)):
        assert not {name.split(".")[0] for name in imports_of(module)} & IMPURE


@pytest.mark.parametrize("package", APART)
def test_what_is_apart_can_be_used_without_the_server(package: str) -> None:
    """Where the tests of a client run, the server's dependencies need not be installed."""
    for module in MODULES:
        names = imports_of(module)
        if package_of(module) == package:
            own = {name for name in names if package_of(name) == package}
            others = {name.split(".")[0] for name in names - own}
            assert others - sys.stdlib_module_names <= APART_MAY_IMPORT, module
        else:
            assert not [name for name in names if package_of(name) == package], module


@pytest.mark.parametrize("package", [*PACKAGES, *APART])
def test_inside_a_package_there_is_no_circle(package: str) -> None:
    imported = {module: imports_of(module) & set(MODULES) for module in MODULES if package_of(module) == package}
    while free := [module for module, names in imported.items() if not names & imported.keys()]:
        for module in free:
            del imported[module]
    assert not imported


def modules_named_in(file: Path) -> set[str]:
    """Return the modules that the docstring of a test file names after `Modules:`, in backticks."""
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    return set(re.findall(r"`(\w+)`", docstring.partition("Modules:")[2]))


@pytest.mark.parametrize("module", MODULES)
def test_the_tests_of_a_module_are_found_by_its_name(module: str) -> None:
    """They are in a file of its name, or other files in the same folder name it in their docstrings."""
    folder, name = ROOT / "tests" / package_of(module), module.split(".")[-1]
    assert (folder / f"test_{name}.py").exists() or any(name in modules_named_in(file) for file in folder.glob("*.py"))
