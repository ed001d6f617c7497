"""The Autobahn cases against a real server, judged strictly; `python -m tests.conformance` prints the verdicts.

OK is demanded everywhere but in three cases to which the suite itself has no right answer. What every case must end
with is committed, and compared exactly: a runner that ran nothing must not look like a success.
"""

import argparse
import asyncio
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import kosoku

from tests.memory import resident_memory
from tests.server import ROOT, RunningServer
from tests.tls_bridge import tls_bridge

EXPECTED = ROOT / "tests" / "autobahn_verdicts.txt"
# permessage-deflate: 1,000 messages a case, some minutes a setting.
LONG_SECTIONS = ("12", "13")
# The last one drives the branches for split headers and for frames that are passed on through all the cases.
SETTINGS = {
    "compiled codec": ("--codec", "compiled"),
    "python codec": ("--codec", "python"),
    "compiled codec, tiny limits": ("--codec", "compiled", "--receive-buffer-size", "256", "--hold-limit", "64"),
    "compiled codec, TLS": ("--codec", "compiled", "--tls-self-signed"),
}


@dataclass(frozen=True, order=True)
class Verdict:
    """How one case ended: what was received, and how the connection was closed."""

    case: str
    behavior: str
    behavior_close: str

    @property
    def section(self) -> str:
        """The first number of the case."""
        return self.case.partition(".")[0]


def expected_verdicts(sections: tuple[str, ...] = ()) -> set[Verdict]:
    """Return what every case must end with, or those of `sections` only."""
    lines = [line.split() for line in EXPECTED.read_text().splitlines() if not line.startswith("#")]
    verdicts = {Verdict(*line) for line in lines}
    return {verdict for verdict in verdicts if not sections or verdict.section in sections}


def judge(server: RunningServer, sections: tuple[str, ...] = ()) -> set[Verdict]:
    """Run all cases, or those of `sections`, four at a time, and return their verdicts."""
    included = [f"{section}.*" for section in sections] or None

    async def run(url: str) -> list[Any]:
        try:
            return await kosoku.run_fuzzingclient(url, included, None, concurrency=4)
        except kosoku.FailureError as failure:
            return failure.results

    # The runner speaks no TLS.
    with tls_bridge(server.port) if server.is_encrypted else nullcontext(server.port) as port:
        results = asyncio.run(run(f"ws://127.0.0.1:{port}"))
    return {Verdict(result.case_id, result.behavior.value, result.behavior_close.value) for result in results}


def print_by_section(verdicts: set[Verdict]) -> None:
    """Print one line a section: how many cases, how many of each verdict."""
    print(f"{'section':>8} {'cases':>6}  verdicts")
    for section in sorted({verdict.section for verdict in verdicts}, key=int):
        kinds = Counter(verdict.behavior for verdict in verdicts if verdict.section == section)
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        print(f"{section:>8} {sum(kinds.values()):>6}  {counts}")


def run_setting(name: str, sections: tuple[str, ...]) -> bool:
    """Run the cases in one setting, print what came of it, and tell whether it is as it must be."""
    server = RunningServer(*SETTINGS[name])
    server.get("/metrics")
    before = resident_memory(server.pid)
    try:
        verdicts = judge(server, sections)
        server.wait_for_metrics(websocket_active_connections=0)
        grown = (resident_memory(server.pid) - before) / (1 << 20)
    finally:
        exit_code = server.stop()
        complaints = server.complaints()
        server.close()
    print(f"\n{name}: {len(verdicts)} cases", flush=True)
    print_by_section(verdicts)
    print(f"resident memory: {before / (1 << 20):.1f} MiB before, {grown:+.1f} MiB after")
    expected = expected_verdicts(sections)
    for verdict in sorted(expected ^ verdicts):
        print("missing:" if verdict in expected else "found:  ", verdict)
    for complaint in complaints:
        print("the server complained:", complaint)
    return verdicts == expected and not complaints and exit_code == 0


def main() -> int:
    """Run every setting and return 0 if all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sections", nargs="*", default=[], help="run these only, for example 6 12 13")
    sections = tuple(parser.parse_args().sections)
    good = [run_setting(name, sections) for name in SETTINGS]
    print("\nas it must be" if all(good) else "\nNOT as it must be")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
