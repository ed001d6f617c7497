"""The verdicts on all agents, the last one for each case."""

import asyncio
from collections.abc import Sequence

from wsecho.conformance.cases import Case
from wsecho.conformance.verdict import Verdict

# Agents are named by clients, so their number is limited; a longer name is cut.
_MOST_AGENTS = 32
LONGEST_AGENT = 128


class Results:
    """What is known of each agent."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = cases
        self._verdicts: dict[str, dict[str, Verdict]] = {}
        self._running: set[tuple[str, str]] = set()
        self._waiting: dict[tuple[str, str], list[asyncio.Future[Verdict]]] = {}

    @property
    def agents(self) -> list[str]:
        """The names of all agents, in the order in which they came."""
        return list(self._verdicts)

    def of(self, agent: str) -> list[Verdict]:
        """Return the verdicts on an agent, in the order of the cases."""
        found = self._verdicts.get(agent, {})
        return [found[case.id] for case in self.cases if case.id in found]

    @property
    def failures(self) -> list[Verdict]:
        """All verdicts that are failures."""
        return [verdict for agent in self._verdicts for verdict in self.of(agent) if verdict.is_failure]

    def has_room(self, agent: str) -> bool:
        """Return whether verdicts on an agent can be kept."""
        return agent in self._verdicts or len(self._verdicts) < _MOST_AGENTS

    def begin(self, case: Case, agent: str) -> None:
        """A case begins. An earlier verdict on it is forgotten."""
        self._running.add((agent, case.id))
        self._verdicts.setdefault(agent, {}).pop(case.id, None)

    def is_running(self, case: Case, agent: str) -> bool:
        """Return whether a client has begun a case and there is no verdict yet."""
        return (agent, case.id) in self._running

    def add(self, verdict: Verdict) -> None:
        """Keep a verdict, and give it to those that wait for it."""
        self._running.discard((verdict.agent, verdict.case.id))
        self._verdicts.setdefault(verdict.agent, {})[verdict.case.id] = verdict
        for waiter in self._waiting.pop((verdict.agent, verdict.case.id), ()):
            if not waiter.done():
                waiter.set_result(verdict)

    async def verdict(self, case: Case, agent: str, seconds: float) -> Verdict | None:
        """Return the verdict on a case, and wait for it if there is none. None: it did not come in time."""
        if found := self._verdicts.get(agent, {}).get(case.id):
            return found
        waiter: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault((agent, case.id), []).append(waiter)
        try:
            return await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return None
        finally:
            self._leave((agent, case.id), waiter)

    def _leave(self, place: tuple[str, str], waiter: asyncio.Future[Verdict]) -> None:
        if waiter in (waiting := self._waiting.get(place, [])):
            waiting.remove(waiter)
        if not waiting:
            self._waiting.pop(place, None)
