"""Writes the generated tables into README.md; with `--check`, only tells by its exit code whether they are current.

Each stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from wsecho.config import OPTIONS  # noqa: E402
from wsecho.metrics import HISTOGRAMS, METRICS  # noqa: E402

README = ROOT / "README.md"


def options_table() -> str:
    """Return one row an option."""
    rows = ["| flag | environment | default | meaning |", "|---|---|---|---|"]
    for option in OPTIONS:
        variables = ", ".join(f"`{name}`" for name in option.environment)
        rows.append(f"| `{option.flag} {option.metavar}` | {variables} | `{option.default}` | {option.meaning} |")
    return "\n".join(rows)


def metrics_table() -> str:
    """Return one row a metric."""
    kinds = {"counter": "counter", "up_down_counter": "gauge", "gauge": "gauge"}
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    rows += [f"| `{metric.name}` | {kinds[metric.kind]} | {metric.description} |" for metric in METRICS]
    rows += [f"| `{metric.name}` | histogram | {metric.description} |" for metric in HISTOGRAMS]
    return "\n".join(rows)


def with_tables(text: str) -> str:
    """Return `text` with its tables as they must be now."""
    for name, table in (("options", options_table()), ("metrics", metrics_table())):
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, found = marked.subn(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)  # type: ignore[misc]
        if not found:
            raise ValueError(f"README.md has no place for the table of {name}")
    return text


def main() -> int:
    """Write, or check, and return the exit code."""
    current = README.read_text()
    wanted = with_tables(current)
    if "--check" in sys.argv:
        return int(current != wanted)
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
