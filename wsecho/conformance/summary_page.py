"""The page for people: what failed comes first, each with a link to the scenario and what went over the wire."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape

from wsecho import __version__
from wsecho.conformance.verdict import Verdict

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; }
td, th { border: 1px solid #bbb; padding: .3em .6em; text-align: left; }
pre { background: #f4f4f4; padding: 1em; overflow: auto; } .failure { background: #fdd; } .other { background: #ffd; }
@media (prefers-color-scheme: dark) {
  body { background: #181818; color: #eee; } a { color: #8bf; }
  pre { background: #262626; } .failure { background: #522; } .other { background: #442; }
}
"""


def summary_page(verdicts: Mapping[str, Sequence[Verdict]], file_name: Callable[[Verdict], str]) -> str:
    """Return the page on all agents. `file_name` is the name of the file of a case."""
    agents = "".join(_agent(agent, found, file_name) for agent, found in verdicts.items())
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>wsecho conformance</title>'
        f"<style>{_STYLE}</style><h1>wsecho conformance</h1>"
        '<p><a href="index.json">index.json</a> <a href="junit.xml">junit.xml</a></p>'
        f"{agents or '<p>No case has been run.</p>'}<p>wsecho {escape(__version__)}</p></html>\n"
    )


def _agent(agent: str, verdicts: Sequence[Verdict], file_name: Callable[[Verdict], str]) -> str:
    counts = Counter(verdict.behavior for verdict in verdicts)
    failures = [verdict for verdict in verdicts if verdict.is_failure]
    counted = ", ".join(f"{count} {behavior}" for behavior, count in counts.items())
    rows = "".join(_row(verdict, file_name(verdict)) for verdict in verdicts)
    return (
        f"<h2>{escape(agent)}</h2><p>{len(verdicts)} cases, {len(failures)} of them failed: {escape(counted)}.</p>"
        f"{''.join(map(_failure, failures))}"
        "<table><tr><th>case<th>scenario<th>behaviour<th>close<th>close code<th>ms</tr>"
        f"{rows}</table>"
    )


def _failure(verdict: Verdict) -> str:
    case = verdict.case
    cases = f"<p>The same in others: {escape(', '.join(case.row.cases))}</p>" if case.row.cases else ""
    log = "\n".join(map(str, verdict.log))
    return (
        f'<h3><a href="{escape(case.name)}">{escape(case.id)} {escape(case.name)}</a></h3>'
        f"<p>The server: {escape(case.word.server)}<br>Expected: {escape(case.expectation)}<br>"
        f"Found: {escape(verdict.result)}<br>Close: {escape(verdict.result_close)}</p>{cases}"
        f"<pre>{escape(log)}</pre>"
    )


def _row(verdict: Verdict, file: str) -> str:
    kind = ' class="failure"' if verdict.is_failure else "" if verdict.is_ok else ' class="other"'
    code = "" if verdict.code is None else verdict.code
    return (
        f'<tr{kind}><td><a href="{escape(file)}">{escape(verdict.case.id)}</a><td>{escape(verdict.case.name)}'
        f"<td>{escape(verdict.behavior)}<td>{escape(verdict.behavior_close)}<td>{code}"
        f"<td>{round(verdict.seconds * 1000)}</tr>"
    )
