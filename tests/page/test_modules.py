"""The modules of the page: which import which, and which files a browser needs to show the page."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.shared.server import ROOT

STATIC = ROOT / "static"
INDEX = STATIC / "index.html"
ENTRY = STATIC / "view/page.js"
MODULES = sorted(STATIC.rglob("*.js"))

_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_IMPORT = re.compile(r"""^(?:import|export)\s(?:[^;"'()=]*?\sfrom\s+)?["']([^"']+)["']""", re.MULTILINE)


@cache
def imports_of(module: Path) -> tuple[Path, ...]:
    """Return the modules that a module imports, in their order. All are named by relative paths."""
    code = _COMMENT.sub("", module.read_text())
    assert "import(" not in code
    names = _IMPORT.findall(code)
    assert all(name.startswith(("./", "../")) and name.endswith(".js") for name in names), names
    return tuple((module.parent / name).resolve() for name in names)


def graph(entry: Path) -> list[Path]:
    """Return a module and all that it imports, directly or not."""
    found = [entry]
    for module in found:
        found += [imported for imported in imports_of(module) if imported not in found]
    return found


def references(attribute: str, element: str) -> list[str]:
    return re.findall(rf'<{element}\b[^>]*\s{attribute}="([^"]+)"', INDEX.read_text())


def workers() -> Iterator[Path]:
    """Yield the scripts of workers: those that the Trusted Types policy lets through."""
    policy = (STATIC / "view/worker.js").read_text()
    (names,) = re.findall(r"\[((?:\"\w+\",? ?)+)\]", policy)
    yield from (STATIC / f"line/{name}.js" for name in re.findall(r"\w+", names))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(STATIC).as_posix())
def test_every_import_leads_to_a_file_of_the_page(module: Path) -> None:
    for imported in imports_of(module):
        assert imported in MODULES, f"{module} imports {imported}"


def test_every_file_is_part_of_the_page_or_of_a_worker() -> None:
    styles = {STATIC.parent / name for name in references("href", "link") if name.endswith(".css")}
    scripts = {module for entry in (ENTRY, *workers()) for module in graph(entry)}
    assert {file for file in STATIC.rglob("*") if file.is_file()} == {INDEX, *styles, *scripts}


def test_the_page_preloads_exactly_the_modules_that_it_imports() -> None:
    """Or the chain of imports would cost a round trip for each level."""
    (entry,) = references("src", "script")
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)">', INDEX.read_text())
    assert STATIC.parent / entry == ENTRY
    assert sorted(preloaded) == sorted(module.relative_to(ROOT).as_posix() for module in graph(ENTRY)[1:])


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    left = {module: set(imports_of(module)) for module in MODULES}
    while free := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in free:
            del left[module]
    assert not left


def test_all_addresses_are_relative() -> None:
    """A proxy may serve the page under a path."""
    assert not [name for name in references("(?:href|src)", "\\w+") if name.startswith("/") or "//" in name]
