"""The reports: Autobahn's index.json with a file for each case, JUnit XML, and a page for people."""

import json
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wsecho import __version__
from wsecho.conformance.results import Results
from wsecho.conformance.summary_page import summary_page
from wsecho.conformance.verdict import UNIMPLEMENTED, Verdict

_JSON = "application/json"
# Characters that XML 1.0 cannot have.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9-]", re.ASCII)


class Reports:
    """Makes the reports of what is known so far, for HTTP and in a folder."""

    def __init__(self, results: Results, folder: Path | None) -> None:
        """Without a `folder`, nothing is written."""
        self._results = results
        self._folder = folder

    def page(self, path: str) -> tuple[str, bytes] | None:
        """Return media type and content of the report at a path, None if there is none."""
        if path == "/":
            return "text/html; charset=utf-8", self._file("index.html")
        name = path.removeprefix("/")
        kinds = {"index.html": "text/html; charset=utf-8", "index.json": _JSON, "junit.xml": "application/xml"}
        if name in kinds:
            return kinds[name], self._file(name)
        verdict = self._by_file().get(name)
        return (_JSON, _as_json(verdict)) if verdict else None

    def write(self) -> None:
        """Write all reports to the folder. Raises OSError."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, verdict in self._by_file().items():
            (self._folder / name).write_bytes(_as_json(verdict))
        # Last: who finds the index finds all that it names.
        for name in ("junit.xml", "index.html", "index.json"):
            (self._folder / name).write_bytes(self._file(name))

    def _file(self, name: str) -> bytes:
        if name == "index.html":
            return summary_page({agent: self._results.of(agent) for agent in self._results.agents}, file_name).encode()
        return self._junit() if name == "junit.xml" else self._index()

    def _by_file(self) -> dict[str, Verdict]:
        return {file_name(verdict): verdict for agent in self._results.agents for verdict in self._results.of(agent)}

    def _index(self) -> bytes:
        return _encoded(
            {
                agent: {
                    verdict.case.id: {
                        "behavior": verdict.behavior,
                        "behaviorClose": verdict.behavior_close,
                        "duration": round(verdict.seconds * 1000),
                        "remoteCloseCode": verdict.code,
                        "reportfile": file_name(verdict),
                    }
                    for verdict in self._results.of(agent)
                }
                for agent in self._results.agents
            }
        )

    def _junit(self) -> bytes:
        suites = ElementTree.Element("testsuites", name="wsecho conformance")
        for agent in self._results.agents:
            verdicts = self._results.of(agent)
            suite = ElementTree.SubElement(
                suites,
                "testsuite",
                name=_xml(agent),
                tests=str(len(verdicts)),
                failures=str(sum(verdict.is_failure for verdict in verdicts)),
                errors="0",
                skipped=str(sum(verdict.behavior == UNIMPLEMENTED for verdict in verdicts)),
                time=f"{sum(verdict.seconds for verdict in verdicts):.3f}",
            )
            for verdict in verdicts:
                suite.append(_test_case(verdict))
        text: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
        return text


def _test_case(verdict: Verdict) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=f"wsecho.{verdict.case.word.name.replace('/', '.')}",
        name=_xml(f"{verdict.case.id} {verdict.case.name}"),
        time=f"{verdict.seconds:.3f}",
    )
    if verdict.behavior == UNIMPLEMENTED:
        ElementTree.SubElement(case, "skipped", message=_xml(verdict.result))
    elif verdict.is_failure:
        message = f"{verdict.behavior}, close {verdict.behavior_close}"
        failure = ElementTree.SubElement(case, "failure", message=message)
        failure.text = _xml("\n".join(lines(verdict)))
    return case


def lines(verdict: Verdict) -> Iterator[str]:
    """Yield what there is to say about a verdict, for people."""
    yield f"Expected: {verdict.case.expectation}"
    yield f"Found: {verdict.result}"
    yield f"Close: {verdict.result_close}"
    yield from map(str, verdict.log)


def file_name(verdict: Verdict) -> str:
    """Return the name of the file of a case. Agents that differ have files that differ."""
    # In lower case last: that of some other letters is two characters, and a name would be too long for a file system.
    agent = _NOT_IN_FILE_NAMES.sub("_", verdict.agent).lower()
    if agent != verdict.agent:
        agent += f"_{zlib.crc32(verdict.agent.encode()):08x}"
    return f"{agent}_case_{verdict.case.id.replace('.', '_')}.json"


def _as_json(verdict: Verdict) -> bytes:
    case = verdict.case
    return _encoded(
        {
            "agent": verdict.agent,
            "id": case.id,
            "name": case.name,
            "description": case.description,
            "expectation": case.expectation,
            "behavior": verdict.behavior,
            "behaviorClose": verdict.behavior_close,
            "result": verdict.result,
            "resultClose": verdict.result_close,
            "duration": round(verdict.seconds * 1000),
            "remoteCloseCode": verdict.code,
            "remoteCloseReason": verdict.reason,
            "reportTime": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": __version__,
            "links": list(case.row.cases),
            "wirelog": [str(event) for event in verdict.log],
        }
    )


def _encoded(document: Any) -> bytes:
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)
