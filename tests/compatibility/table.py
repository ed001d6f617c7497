"""Writes docs/compatibility.md."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from tests.compatibility.clients import Client
from tests.compatibility.performance import LATE, Cell
from wsecho import __version__
from wsecho.scenarios.language.word import Row, Word

_DEMANDS = {"must": "must", "should": "should", "unspecified": "free", "load": "must"}
_HEAD = f"""# Compatibility of clients

What WebSocket clients make of the [scenarios](scenarios.md), each with its defaults. `make compatibility` has written
this file: it lets each client perform the rows of the catalogue, compares what the client tells its application with
what the row expects, and takes the verdicts of [`wsecho conformance`](conformance.md) on the same client. Nothing here
is a judgement of a library as a whole: read the row before you conclude from it.

- `.` the client does what the row expects. `X` it does not; the last table says what it does instead.
- `{LATE}`: it was not done in this time, when the table gave up; the row allows more.
- In rows that are `free`, no outcome is wrong, and the table says what the client does.
- `-` the row does not apply: the client does not offer what it needs, or it hands frames to the application by design,
  which is then to see to it.
- Rows that need an action or a privilege that not every client has are left out, and so are rows that take long.
- Where messages, a Close frame and the end of TCP race each other, two runs can differ.
"""

Cells = Mapping[str, Mapping[str, Cell]]
Rows = Sequence[tuple[Word, Row]]
Marks = Mapping[str, Sequence[str]]


def document(rows: Rows, clients: Mapping[str, str], missing: Sequence[Client], cells: Cells, day: date) -> str:
    """Return the document. `clients` are the versions by name; `cells` are by number of the row, then by client."""
    names = list(clients)
    marks = {row.number: [cells[row.number][name].mark for name in names] for _, row in rows}
    kinds: dict[str, list[tuple[Word, Row]]] = {"separating": [], "wrong": [], "alike": [], "right": []}
    for each in rows:
        kinds[_kind({*marks[each[1].number]} - {"-"})].append(each)
    lines = [
        _HEAD,
        f"Made on {day.isoformat()} with wsecho {__version__}.",
        "",
        "| client | version | rows as expected | not as expected |",
        "|---|---|---|---|",
        *(_summary(name, version, marks, names.index(name)) for name, version in clients.items()),
        *(f"| {client.name} | not installed | | |" for client in missing),
        "",
        *_section("Rows that separate clients", kinds["separating"], names, marks),
        *_section("Rows in which no client does what is expected", kinds["wrong"], names, marks),
        *_section("Free rows in which all clients do the same", kinds["alike"], names, marks),
        f"## Rows in which all clients do what is expected: {len(kinds['right'])}",
        "",
        "| row | scenario |",
        "|---|---|",
        *(f"| {row.number} | `{row.url}` |" for _, row in kinds["right"]),
        "",
        "## What clients do instead",
        "",
        "| row | client | what it does |",
        "|---|---|---|",
        *_details([*kinds["separating"], *kinds["wrong"]], names, cells),
        "",
    ]
    return "\n".join(lines)


def _kind(marks: set[str]) -> str:
    if len(marks) > 1:
        return "separating"
    return "right" if marks <= {"."} else "wrong" if marks <= {"X", LATE} else "alike"


def _summary(name: str, version: str, marks: Marks, at: int) -> str:
    counts = Counter(each[at] for each in marks.values())
    return f"| {name} | {version} | {counts['.']} | {counts['X']} |"


def _section(title: str, rows: Rows, clients: Sequence[str], marks: Marks) -> list[str]:
    return [f"## {title}: {len(rows)}", "", *_table(rows, clients, marks), ""] if rows else []


def _table(rows: Rows, clients: Sequence[str], marks: Marks) -> list[str]:
    lines = [f"| row | scenario | client | {' | '.join(clients)} |", "|---|---|---" + "|---" * len(clients) + "|"]
    for _, row in rows:
        lines.append(f"| {row.number} | `{row.url}` | {_DEMANDS[row.demand]} | {' | '.join(marks[row.number])} |")
    return lines


def _details(rows: Rows, clients: Sequence[str], cells: Cells) -> list[str]:
    found = []
    for _, row in rows:
        by_text: dict[str, list[str]] = {}
        for name in clients:
            if (cell := cells[row.number][name]).faults and cell.mark != "-":
                by_text.setdefault("; ".join(cell.faults), []).append(name)
        for text, names in by_text.items():
            found.append(f"| {row.number} | {', '.join(names)} | {_escaped(text)} |")
    return found


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
