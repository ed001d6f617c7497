"""Which modules of the page import which."""

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parents[2] / "static"
INDEX = STATIC / "index.html"
ENTRY = STATIC / "view" / "page.js"

_COMMENT = re.compile(r"/\*.*?\*/|^\s*//[^\n]*", re.DOTALL | re.MULTILINE)
_IMPORT = re.compile(r"""^(?:import|export)\s(?:[^;"'()=]*?\sfrom\s+)?["']([^"']+)["']""", re.MULTILINE)


@cache
def imports_of(module: Path) -> tuple[Path, ...]:
    """Return the modules that a module imports, in their order. Raises ValueError for an import that is not static."""
    code = _COMMENT.sub("", module.read_text())
    if "import(" in code:
        raise ValueError(f"{module} has a dynamic import")
    return tuple((module.parent / name).resolve() for name in _IMPORT.findall(code))


def graph(entry: Path) -> list[Path]:
    """Return a module and all that it imports, directly or not."""
    found = [entry]
    for module in found:
        found += [imported for imported in imports_of(module) if imported not in found]
    return found


def preloads() -> str:
    """Return the elements that load all modules of the page at once: else each level of imports takes a round trip."""
    modules = sorted(module.relative_to(STATIC.parent).as_posix() for module in graph(ENTRY)[1:])
    return "\n".join(f'    <link rel="modulepreload" href="{module}">' for module in modules)
