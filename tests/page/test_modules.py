"""The modules of the page: what they import, and what the page loads."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page.graph import ENTRY, INDEX, STATIC, graph, imports_of

MODULES = sorted(STATIC.rglob("*.js"))


def references(attribute: str, element: str) -> list[str]:
    return re.findall(rf'<{element}\b[^>]*\s{attribute}="([^"]+)"', INDEX.read_text())


def workers() -> Iterator[Path]:
    """Yield the scripts of workers: those that the Trusted Types policy lets through."""
    policy = (STATIC / "view" / "worker.js").read_text()
    (names,) = re.findall(r"\[((?:\"\w+\",? ?)+)\]", policy)
    yield from (STATIC / "line" / f"{name}.js" for name in re.findall(r"\w+", names))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.relative_to(STATIC).as_posix())
def test_every_import_leads_to_a_file_of_the_page(module: Path) -> None:
    for imported in imports_of(module):
        assert imported in MODULES, f"{module} imports {imported}"


def test_every_file_is_part_of_the_page_or_of_a_worker() -> None:
    styles = {STATIC.parent / name for name in references("href", "link") if name.endswith(".css")}
    scripts = {module for entry in (ENTRY, *workers()) for module in graph(entry)}
    assert {file for file in STATIC.rglob("*") if file.is_file()} == {INDEX, *styles, *scripts}


def test_the_page_preloads_exactly_the_modules_that_it_imports() -> None:
    (entry,) = references("src", "script")
    preloaded = re.findall(r'<link rel="modulepreload" href="([^"]+)">', INDEX.read_text())
    assert STATIC.parent / entry == ENTRY
    wanted = sorted(module.relative_to(STATIC.parent).as_posix() for module in graph(ENTRY)[1:])
    assert preloaded == wanted, "run: make docs"


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    left = {module: set(imports_of(module)) for module in MODULES}
    while free := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in free:
            del left[module]
    assert not left


def test_all_addresses_are_relative() -> None:
    """A proxy may serve the page under a path."""
    assert not [name for name in references("(?:href|src)", "\\w+") if name.startswith("/") or "//" in name]
