"""The reports, read by what reads them. Modules: `reports`, `summary_page`."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.request import urlopen

import pytest
from junitparser import Failure, JUnitXml, Skipped

from tests.conformance.runs import Run, index, started
from tests.scenarios.scenes import head
from tests.shared.frames import CLOSE, TEXT, client_frame
from tests.shared.server import PATIENCE
from wsecho.conformance.cases import all_cases
from wsecho.conformance.reports import Reports, file_name
from wsecho.conformance.results import LONGEST_AGENT, Results
from wsecho.conformance.verdict import Verdict, not_run, unimplemented

FIRST, SECOND, THIRD = all_cases()[:3]
HOSTILE = "</pre><script>alert(1)</script>\x01 ../..//Ünï"


def results(*verdicts: Verdict) -> Results:
    found = Results((FIRST, SECOND, THIRD))
    for verdict in verdicts:
        found.add(verdict)
    return found


def passed(agent: str) -> Verdict:
    return Verdict(THIRD, agent, "OK", "OK", "fine", "fine", 1000, "", 0.25)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of reports on two agents, with a failure, a case that was not run, and one that passed."""
    found = results(not_run(FIRST, HOSTILE, "did not connect"), unimplemented(SECOND, HOSTILE, "no deflate"))
    found.add(passed(HOSTILE))
    found.add(passed("plain"))
    Reports(found, tmp_path / "reports").write()
    return tmp_path / "reports"


def test_the_index_names_files_that_exist(folder: Path) -> None:
    document = index(folder)
    assert document.keys() == {HOSTILE, "plain"}
    assert document["plain"] == {
        THIRD.id: {
            **{"behavior": "OK", "behaviorClose": "OK", "duration": 250, "remoteCloseCode": 1000},
            "reportfile": f"plain_case_{THIRD.id.replace('.', '_')}.json",
        }
    }
    assert [each["behavior"] for each in document[HOSTILE].values()] == ["FAILED", "UNIMPLEMENTED", "OK"]
    for agent, found in document.items():
        for number, each in found.items():
            report = json.loads((folder / each["reportfile"]).read_text())
            assert (report["id"], report["agent"], report["behavior"]) == (number, agent, each["behavior"])
            assert report["description"]
            assert report["expectation"]


def test_a_parser_of_junit_reads_the_same(folder: Path) -> None:
    suites = list(JUnitXml.fromfile(str(folder / "junit.xml")))
    assert [(suite.tests, suite.failures, suite.skipped) for suite in suites] == [(3, 1, 1), (1, 0, 0)]
    failed, skipped, fine = suites[0]
    assert failed.name == f"{FIRST.id} {FIRST.name}"
    assert isinstance(failed.result[0], Failure)
    assert "did not connect" in failed.result[0].text
    assert isinstance(skipped.result[0], Skipped)
    assert (fine.result, fine.time) == ([], 0.25)


class Page(HTMLParser):
    """The tags and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name == "href"]


def test_the_page_links_to_what_failed_and_runs_no_script_of_an_agent(folder: Path) -> None:
    page = Page((folder / "index.html").read_text())
    assert "script" not in page.tags
    assert FIRST.name in page.links
    for agent in index(folder).values():
        assert all(each["reportfile"] in page.links for each in agent.values())


def test_no_agent_leaves_the_folder_or_takes_the_file_of_another() -> None:
    agents = ("a", "A", "a/b", "a_b", "..", ".", "../a", "a\\b", "ä", "_")
    names = [file_name(passed(agent)) for agent in agents]
    assert len({*names}) == len(agents)
    assert all(name == Path(name).name and not name.startswith(".") for name in names)


def test_no_agent_has_files_whose_names_are_too_long(tmp_path: Path) -> None:
    longest = "\u0130" * LONGEST_AGENT
    Reports(results(passed(longest)), tmp_path).write()
    assert index(tmp_path).keys() == {longest}


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Reports(results(passed("plain")), None).write()
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """A run in which the agent `a` has failed one case."""
    with started("--only", "31.3.1") as run:
        with run.raw("/runCase?case=1&agent=a") as connection:
            head(connection)
            connection.receive(7)
            connection.send(client_frame(TEXT, b"hullo") + client_frame(CLOSE, b"\x03\xe8"))
            connection.receive_all()
        assert run.verdict("case=1&agent=a") == "FAILED"
        yield run


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [
        ("/", "text/html; charset=utf-8", "hullo"),
        ("/index.html", "text/html; charset=utf-8", "hullo"),
        ("/index.json", "application/json", "FAILED"),
        ("/junit.xml", "application/xml", "hullo"),
        ("/a_case_31_3_1.json", "application/json", "hullo"),
        ("/health", "text/plain; charset=utf-8", "ok"),
        ("/scenarios.json", "application/json", "close-empty"),
    ],
)
def test_the_reports_are_served(run: Run, path: str, kind: str, content: str) -> None:
    with urlopen(f"http://127.0.0.1:{run.port}{path}", timeout=PATIENCE) as response:
        assert response.headers["Content-Type"] == kind
        assert response.headers["Access-Control-Allow-Origin"] == "*" or path == "/health"
        assert content in response.read().decode()
