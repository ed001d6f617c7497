"""Runs a command of the user once for each case, for clients that have no harness."""

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Callable, Sequence
from urllib.parse import quote

from wsecho.conformance.cases import Case
from wsecho.conformance.results import LONGEST_AGENT, Results
from wsecho.conformance.verdict import Verdict, not_run

_URL = "{url}"
# Seconds beyond those of the case that a command has: it must start, and may wait for a while before it ends.
_GRACE = 30.0
# Seconds until the server has seen what the command did last.
_AFTER_EXIT = 1.0


class ClientCommand:
    """A command line in which `{url}` stands for the address of the case."""

    def __init__(self, text: str, agent: str | None = None) -> None:
        """`agent` is the name of the client in the reports; otherwise that of its program.

        Raises ValueError, whose text is one line for the user."""
        self.words = shlex.split(text)
        if not any(_URL in word for word in self.words):
            raise ValueError(f"it must have {_URL} where the address of the case belongs")
        self.agent = (agent or os.path.basename(self.words[0]))[:LONGEST_AGENT]

    async def run_all(
        self, cases: Sequence[Case], results: Results, url: str, report: Callable[[Verdict], None]
    ) -> None:
        """Run the command for one case after the other, and `report` each verdict.

        Raises OSError if it cannot start.
        """
        for number, case in enumerate(cases, start=1):
            seconds = 2 * case.seconds + _GRACE
            await self._run(f"{url}/runCase?case={number}&agent={quote(self.agent, safe='')}", seconds)
            is_running = results.is_running(case, self.agent)
            verdict = await results.verdict(case, self.agent, seconds if is_running else _AFTER_EXIT)
            if verdict is None:
                verdict = not_run(case, self.agent, "The client did not connect, or did not end the connection.")
                results.add(verdict)
            report(verdict)

    async def _run(self, url: str, seconds: float) -> None:
        """Run the command. If it does not end, it is killed, with what it has started."""
        words = [word.replace(_URL, url) for word in self.words]
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, start_new_session=True
        )
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
