"""Tables in Markdown."""

from collections.abc import Iterable


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def header(cells: list[str]) -> list[str]:
    return [row(cells), row(["---", *["---:"] * (len(cells) - 1)])]
