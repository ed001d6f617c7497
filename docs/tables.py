"""Writes the generated tables into README.md and the files of docs/, and the list of modules into static/index.html.

Each table is between `<!-- NAME -->` and `<!-- /NAME -->`. With `--check`, nothing is written, and the exit code is 1
if a table is not current.
"""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.fleet import figures, fleet  # noqa: E402
from benchmarks.results import Results, read  # noqa: E402
from benchmarks.summary import summary  # noqa: E402
from tests.page.graph import INDEX, preloads  # noqa: E402
from wsecho.options.config import GROUPS, OPTIONS, PUBLIC  # noqa: E402
from wsecho.options.option import Option  # noqa: E402
from wsecho.scenarios.catalogue import GROUPS as SCENARIO_GROUPS  # noqa: E402
from wsecho.scenarios.catalogue import OPTIONS as SCENARIO_OPTIONS  # noqa: E402
from wsecho.scenarios.catalogue import SEQUENCES, WORDS  # noqa: E402
from wsecho.scenarios.language.limits import LOCAL  # noqa: E402
from wsecho.scenarios.language.limits import PUBLIC as PUBLIC_LIMITS  # noqa: E402
from wsecho.scenarios.language.word import Word  # noqa: E402
from wsecho.telemetry.metrics import HISTOGRAMS, LABEL_VALUES, METRICS, Histogram, Metric  # noqa: E402

README = ROOT / "README.md"
OPTIONS_PAGE = ROOT / "docs" / "options.md"
METRICS_PAGE = ROOT / "docs" / "metrics.md"
OPERATIONS = ROOT / "docs" / "operations.md"
SCALING = ROOT / "docs" / "scaling.md"
SCENARIOS = ROOT / "docs" / "scenarios.md"
MAIN_METRICS = {
    *("websocket_connections_total", "websocket_active_connections"),
    *("websocket_messages_received_total", "websocket_messages_sent_total"),
    *("websocket_message_size_bytes", "websocket_connection_duration_seconds"),
}
MEASURED = ROOT / "benchmarks" / "results"


def options_tables() -> str:
    """Return one table for each group of options, with one row for each option."""
    lines: list[str] = []
    for option in OPTIONS:
        if option.name in GROUPS:
            heading = [
                f"**{GROUPS[option.name]}**",
                "",
                "| flag | environment | default | meaning |",
                "|---|---|---|---|",
            ]
            lines += ["", *heading] if lines else heading
        lines.append(options_row(option))
    return "\n".join(lines)


def options_row(option: Option) -> str:
    """Return a row with an option's names, default and meaning."""
    flag = f"{option.flag} {option.metavar}".strip()
    # An unescaped `|` would end the cell.
    flag = flag.replace("|", "\\|")
    variables = ", ".join(f"`{name}`" for name in option.environment)
    default = f"`{option.default.replace(',', ', ')}`" if option.default else "none"
    return f"| `{flag}` | {variables} | {default} | {option.meaning} |"


def public_table() -> str:
    """Return one row for each option that `--public` sets."""
    rows = ["| option | without `--public` | with it |", "|---|---|---|"]
    rows += [
        f"| `{option.flag}` | `{option.default}` | `{PUBLIC[option.name]}` |"
        for option in OPTIONS
        if option.name in PUBLIC
    ]
    return "\n".join(rows)


def metrics_table() -> str:
    """Return one row for each of the main metrics; `docs/metrics.md` has all metrics."""
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    rows += [
        f"| `{metric.name}` | {metric.type} | {metric.description} |"
        for metric in (*METRICS, *HISTOGRAMS)
        if metric.name in MAIN_METRICS
    ]
    return "\n".join(rows)


def all_metrics_table() -> str:
    """Return one row for each metric, with the values that its labels can have."""
    rows = ["| metric | type | unit | labels | meaning |", "|---|---|---|---|---|"]
    rows += [
        f"| `{prometheus_name(metric)}` | {metric.type} | {metric.unit.strip('{}')} | {labels_cell(metric)} "
        f"| {metric.description} |"
        for metric in (*METRICS, *HISTOGRAMS)
    ]
    return "\n".join(rows)


def prometheus_name(metric: Metric | Histogram) -> str:
    """Return a metric's name on the Prometheus page, where names have underscores instead of dots, and their unit."""
    return metric.name.replace(".", "_") + ("_seconds" if "." in metric.name else "")


def labels_cell(metric: Metric | Histogram) -> str:
    """Return the labels of a metric, each with its possible values."""
    lines = [f"`{label.replace('.', '_')}`: {', '.join(LABEL_VALUES[metric.name][label])}" for label in metric.labels]
    return "<br>".join(lines)


def words_tables() -> str:
    """Return one table of words for each group of scenarios, with their rows."""
    lines: list[str] = []
    for letter, (name, _) in SCENARIO_GROUPS.items():
        words = [word for word in WORDS if word.group == letter]
        if letter == "E":
            lines += ["", f"### {name}", "", *sequences_table()]
        if words:
            heading = [
                "| step | what the server does | what a correct client does | for example |",
                "|---|---|---|---|",
            ]
            lines += ["", f"### {name}", "", *heading, *map(words_row, words)]
    return "\n".join(lines[1:])


def sequences_table() -> list[str]:
    """Return one row for each scenario of several connections."""
    rows = ["| for example | what a client reports of its connections |", "|---|---|"]
    for row in SEQUENCES:
        attempts = "; ".join(map(attempt_text, row.expect["attempts"]))
        rows.append(f"| {row.number} `{row.url}` | {attempts} |")
    return rows


def attempt_text(attempt: dict[str, Any]) -> str:
    """Return what a client reports of one connection, in words."""
    if not attempt["opened"]:
        return f"refused with {attempt['status']}"
    return f"closed with {attempt['close_code']}" if "close_code" in attempt else "stays open"


def words_row(word: Word) -> str:
    """Return a row with the step and its arguments, both sides, and the rows of the catalogue."""
    arguments = (f"[{argument.name}]" if argument.optional else f"{{{argument.name}}}" for argument in word.arguments)
    usage = "/".join((word.name, *arguments))
    meanings = "".join(f"<br>{each.name}: {each.meaning} ({each.kind.expected})" for each in word.arguments)
    options = f"<br>options: {', '.join(word.options)}" if word.options else ""
    rows = "<br>".join(f"{row.number} `{row.url}`" for row in word.rows)
    return f"| `{usage}`{meanings}{options} | {word.server} | {word.client} {word.rfc}. | {rows} |"


def scenario_options_table() -> str:
    """Return one row for each option of scenarios."""
    rows = ["| option | accepts | meaning |", "|---|---|---|"]
    rows += [f"| `{option.name}` | {option.kind.expected} | {option.meaning} |" for option in SCENARIO_OPTIONS]
    return "\n".join(rows)


def limits_table() -> str:
    """Return one row for each limit of scenarios."""
    rows = ["| limit | without `--public` | with it |", "|---|---|---|"]
    names = LOCAL._fields
    rows += [f"| {name} | {getattr(LOCAL, name)} | {getattr(PUBLIC_LIMITS, name)} |" for name in names]
    return "\n".join(rows)


def newest_results() -> tuple[Results, str]:
    """Return the newest benchmark results and the name of their file, which begins with the date."""
    newest = max(MEASURED.glob("*.json"))
    return read(newest), newest.stem


def with_tables(text: str, tables: dict[str, str]) -> str:
    """Return `text` with its tables replaced by `tables`. Raises ValueError if the place of a table is missing."""
    for name, table in tables.items():
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text, found = marked.subn(lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text)  # type: ignore[misc]
        if not found:
            raise ValueError(f"there is no place for the table of {name}")
    return text


def main() -> int:
    """Write or check the tables, and return the exit code."""
    results, name = newest_results()
    pages = {
        README: {"metrics": metrics_table(), "measured": summary(results, name)},
        OPTIONS_PAGE: {"options": options_tables()},
        METRICS_PAGE: {"all metrics": all_metrics_table()},
        OPERATIONS: {"public": public_table()},
        SCALING: {"one worker": figures(results), "fleet": fleet(results)},
        SCENARIOS: {"words": words_tables(), "options": scenario_options_table(), "limits": limits_table()},
        INDEX: {"modules": preloads()},
    }
    stale = False
    for page, tables in pages.items():
        current = page.read_text()
        wanted = with_tables(current, tables)
        stale = stale or current != wanted
        if "--check" not in sys.argv:
            page.write_text(wanted)
    return int(stale and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
