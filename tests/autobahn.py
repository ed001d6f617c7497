"""The Autobahn cases against a real server, judged strictly; `python -m tests.autobahn` prints the verdicts.

OK is demanded everywhere but in three cases to which the suite itself has no right answer. What every case must end
with is committed, and compared exactly: a runner that ran nothing must not look like a success.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import kosoku

from tests.shared.memory import resident_memory
from tests.shared.server import PATIENCE, ROOT, RunningServer
from tests.shared.tls_bridge import tls_bridge

EXPECTED = ROOT / "tests" / "autobahn_verdicts.txt"
# permessage-deflate: 1,000 messages a case, three minutes a setting.
LONG_SECTIONS = ("12", "13")
# The last one drives the branches for split headers and for frames that are passed on through all the cases.
SETTINGS = {
    "compiled codec": ("--codec", "compiled"),
    "python codec": ("--codec", "python"),
    "compiled codec, tiny limits": ("--codec", "compiled", "--receive-buffer-size", "256", "--hold-limit", "64"),
    "compiled codec, TLS": ("--codec", "compiled", "--tls-self-signed"),
}
# Every change is run with all cases of the long sections on this one, with a sample of them on the others. The sample
# has every kind of data, every offer, every size and fragmentation, but not all combinations of them: some groups as
# they are, and of all others the messages of up to 64 KiB in one piece. What takes most of the time is data that cannot
# be compressed, in little pieces, and there the runner.
FULL_SETTING = "compiled codec"
_SAMPLED_GROUPS = ("12.1", "12.4", "13.3")
_SAMPLED_NUMBERS = range(1, 10)


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


def is_sampled(case: str) -> bool:
    """Tell whether a case of the long sections belongs to the sample."""
    group, _, number = case.rpartition(".")
    return group in _SAMPLED_GROUPS or int(number) in _SAMPLED_NUMBERS


class _Patient:
    """The connection of a case, with longer time limits.

    A case drops or closes the connection about half a second after it has begun, and judges what arrived until then.
    On a busy machine that would judge the machine. Delays that are part of a case stay as they are.
    """

    def __init__(self, connection: Any) -> None:
        vars(self)["_connection"] = connection

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._connection, name, value)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name in ("killAfter", "closeAfter"):
            return lambda seconds: found(max(seconds, PATIENCE))
        if name == "continueLater":
            # Step B of 6.4.* is for servers that did not end the connection after step A, as they must.
            return lambda seconds, step, tag=None: found(PATIENCE if tag == "B" else seconds, step, tag)
        return found


def _time_for_all_cases() -> AbstractContextManager[Any]:
    """Return a context in which the cases run with `_Patient` connections."""
    # Not above: it changes `sys.path` and `binascii`.
    from kosoku.cases import CASES

    def patient(case: Callable[[Any], Any], connection: Any) -> Any:
        return case(_Patient(connection))

    return patch.dict(CASES, {name: partial(patient, case) for name, case in CASES.items()})


def judge(server: RunningServer, cases: Sequence[str]) -> set[Verdict]:
    """Run the cases, each named or a pattern such as `12.*`, four at a time, and return their verdicts."""

    async def run(url: str) -> list[Any]:
        try:
            return await kosoku.run_fuzzingclient(url, cases, None, concurrency=4)
        except kosoku.FailureError as failure:
            return failure.results

    # The runner speaks no TLS.
    with _time_for_all_cases(), tls_bridge(server.port) if server.is_encrypted else nullcontext(server.port) as port:
        results = asyncio.run(run(f"ws://127.0.0.1:{port}"))
    return {Verdict(result.case_id, result.behavior.value, result.behavior_close.value) for result in results}


@dataclass(frozen=True)
class Share:
    """What is run by one process against one server: a section in a setting, or the sample of it."""

    setting: str
    section: str
    sample: bool

    @property
    def expected(self) -> set[Verdict]:
        """What every case must end with."""
        verdicts = expected_verdicts((self.section,))
        return {verdict for verdict in verdicts if not self.sample or is_sampled(verdict.case)}

    @property
    def cases(self) -> list[str]:
        """What the runner is told: a pattern where it is all of them, so that it has no case that we do not know."""
        return [verdict.case for verdict in sorted(self.expected)] if self.sample else [f"{self.section}.*"]

    def run(self) -> "Outcome":
        """Run the cases and end the server."""
        server = RunningServer(*SETTINGS[self.setting])
        server.get("/metrics")
        before = resident_memory(server.pid)
        try:
            verdicts = judge(server, self.cases)
            server.wait_for_metrics(websocket_active_connections=0)
            grown = resident_memory(server.pid) - before
        finally:
            exit_code = server.stop()
            complaints = server.complaints()
            server.close()
        wrong = [f"missing: {verdict}" for verdict in sorted(self.expected - verdicts)]
        wrong += [f"found: {verdict}" for verdict in sorted(verdicts - self.expected)]
        wrong += [f"the server complained: {complaint}" for complaint in complaints]
        wrong += [f"the server ended with {exit_code}"] if exit_code else []
        return Outcome(verdicts, before, grown, wrong)


@dataclass(frozen=True)
class Outcome:
    """What came of a share. Memory is in bytes; `wrong` says what is not as it must be."""

    verdicts: set[Verdict]
    memory_before: int
    memory_grown: int
    wrong: list[str]

    def __str__(self) -> str:
        kinds = Counter(verdict.behavior for verdict in self.verdicts)
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        before, grown = self.memory_before / (1 << 20), self.memory_grown / (1 << 20)
        return f"{len(self.verdicts):>3} cases, {counts}; resident memory {before:.1f} MiB, then {grown:+.1f} MiB"


def shares(sections: Sequence[str], *, sample: bool) -> list[Share]:
    """Return what is to be run, the longest first: at the end of the list, one would keep everybody waiting."""
    found = [
        Share(setting, section, sample and section in LONG_SECTIONS and setting != FULL_SETTING)
        for section in sections
        for setting in SETTINGS
    ]
    return sorted(found, key=lambda share: (share.section not in LONG_SECTIONS, share.sample))


def all_sections() -> list[str]:
    """Return the first numbers of all cases."""
    return sorted({verdict.section for verdict in expected_verdicts()}, key=int)


def main() -> int:
    """Run every setting and return 0 if all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sections", nargs="*", default=[], help="run these only, for example 6 12 13")
    parser.add_argument("--sample", action="store_true", help=f"run 12 and 13 fully on the {FULL_SETTING} alone")
    options = parser.parse_args()
    todo = shares(options.sections or all_sections(), sample=options.sample)
    all_is_well = True
    # The runner takes a core for itself, the server much less.
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn")) as pool:
        for share, outcome in zip(todo, pool.map(Share.run, todo), strict=True):
            print(f"{share.setting}, section {share.section}: {outcome}", *outcome.wrong, sep="\n", flush=True)
            all_is_well &= not outcome.wrong
    print("\nas it must be" if all_is_well else "\nNOT as it must be")
    return 0 if all_is_well else 1


if __name__ == "__main__":
    sys.exit(main())
