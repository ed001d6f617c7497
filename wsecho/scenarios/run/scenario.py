"""One scenario on one connection: its plan, and the task that performs it."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from wsecho.connections.internal_errors import report
from wsecho.http.request import Request
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.plan import Phase, Plan, Step
from wsecho.scenarios.run import headers
from wsecho.scenarios.run.endings import may_vanish
from wsecho.scenarios.run.shaping.draws import Draws
from wsecho.scenarios.seen.observation import Observation
from wsecho.scenarios.seen.ticks import OwnTicks
from wsecho.scenarios.steps.peer import Ticks


@dataclass(slots=True)
class Scenario:
    """What the connection gets. `text` is the canonical form of the URL, `identity` is unique to the connection. The
    `observation` keeps what the server sees of it, and `ticks` the last number that it was sent.

    `count_step` counts a step by its label. `on_end` is called once, when the connection has ended.
    """

    plan: Plan
    request: Request
    limits: Limits
    text: str
    attempt: int
    seed: int
    identity: str
    observation: Observation
    count_step: Callable[[str], None]
    on_end: Callable[[], None]
    ticks: Ticks = field(default_factory=OwnTicks)
    random: Random = field(init=False)
    draws: Draws = field(init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _is_stopped: bool = field(default=False, init=False)
    _has_ended: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.draws = Draws(self.seed)

    @property
    def phase(self) -> Phase:
        """The phase that this connection gets."""
        return self.plan.phase(self.attempt)

    def longest(self, step: Step) -> float | None:
        """Return the seconds that a step without an end may take; None for all others, whose time is summed before."""
        cost = step.word.cost(step.values, self.plan.options, self.limits)
        return self.limits.seconds if math.isinf(cost.seconds) else None

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The header fields by which the scenario describes itself."""
        fields = headers.description(self.text, self.seed, self.attempt, self.identity)
        if any(step.word.needs_privilege for step in self.phase.steps):
            fields.append(("Wsecho-Privilege", "granted" if may_vanish() else "lacking"))
        return fields

    def perform(self, steps: Callable[[], Coroutine[Any, Any, None]], on_failure: Callable[[], None]) -> None:
        """Run the steps in a task. If they fail, the error is reported and `on_failure` is called."""
        self._task = asyncio.get_running_loop().create_task(_guarded(steps, on_failure))

    @property
    def is_stopped(self) -> bool:
        """Whether no further step is performed."""
        return self._is_stopped

    def stop(self) -> None:
        """Perform no further step."""
        self._is_stopped = True
        if self._task:
            self._task.cancel()

    def ended(self) -> None:
        """The connection has ended: stop, and give back what the scenario took."""
        self.stop()
        if not self._has_ended:
            self._has_ended = True
            self.on_end()


async def _guarded(steps: Callable[[], Coroutine[Any, Any, None]], on_failure: Callable[[], None]) -> None:
    try:
        await steps()
    except Exception as error:
        report(asyncio.get_running_loop(), "connection", error)
        on_failure()
