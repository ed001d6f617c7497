"""The Autobahn cases against a real server, judged strictly: `python -m tests.conformance` prints every verdict.

OK is demanded everywhere. INFORMATIONAL is accepted only where the suite itself gives no other verdict, NON-STRICT
nowhere. The number of cases is fixed: a runner that ran nothing must not look like a success.
"""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any

import kosoku

from tests.server import RunningServer

# Cases by section.
EXPECTED_CASES = {
    **{"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1},
    **{"12": 90, "13": 126},
}
# The suite observes what the server does in these, and has no right answer.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


@dataclass(frozen=True)
class Verdict:
    """How one case ended: what was received, and how the connection was closed."""

    case: str
    behavior: str
    behavior_close: str

    @property
    def section(self) -> str:
        return self.case.partition(".")[0]

    @property
    def passes(self) -> bool:
        wanted = "INFORMATIONAL" if self.case in INFORMATIONAL else "OK"
        return self.behavior == wanted and self.behavior_close in ("OK", wanted)


def judge(server: RunningServer, left_out: list[str] | None = None) -> list[Verdict]:
    """Run all cases but those that match a pattern of `left_out`, four at a time, and return their verdicts."""

    async def run() -> list[Any]:
        try:
            return await kosoku.run_fuzzingclient(server.ws_url, None, left_out, concurrency=4)
        except kosoku.FailureError as failure:
            return failure.results

    return [
        Verdict(result.case_id, result.behavior.value, result.behavior_close.value) for result in asyncio.run(run())
    ]


def count_cases(verdicts: list[Verdict]) -> dict[str, int]:
    """Return the number of cases by section."""
    return dict(Counter(verdict.section for verdict in verdicts))


def main() -> int:
    """Print sections by verdict for both codecs; return 0 if everything is as it must be."""
    good = True
    for codec in ("compiled", "python"):
        server = RunningServer("--codec", codec)
        try:
            verdicts = judge(server)
        finally:
            exit_code = server.stop()
            complaints = server.complaints()
            server.close()
        print(f"\n{codec} codec: {len(verdicts)} cases")
        print(f"{'section':>8} {'cases':>6}  verdicts")
        for section, cases in EXPECTED_CASES.items():
            kinds = Counter(f"{verdict.behavior}" for verdict in verdicts if verdict.section == section)
            print(f"{section:>8} {cases:>6}  {', '.join(f'{kind} {count}' for kind, count in sorted(kinds.items()))}")
        failures = [verdict for verdict in verdicts if not verdict.passes]
        for failure in failures:
            print(f"not as it must be: {failure}")
        for complaint in complaints:
            print(f"the server complained: {complaint}")
        good = good and not failures and not complaints and not exit_code and count_cases(verdicts) == EXPECTED_CASES
    print("\nas it must be" if good else "\nNOT as it must be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
