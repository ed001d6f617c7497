"""A plan: what the URL of a scenario asks for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wsecho.scenarios.language.word import Word


@dataclass(frozen=True, slots=True)
class Step:
    """A step with the values of its arguments."""

    word: Word
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Phase:
    """What `times` successive connections get; None: all later ones. After the last step, the server echoes."""

    steps: tuple[Step, ...]
    times: int | None = None

    def at(self, stage: str) -> tuple[Step, ...]:
        """Return the steps of a stage, `opening` or `open`."""
        return tuple(step for step in self.steps if step.word.stage == stage)


@dataclass(frozen=True, slots=True)
class Plan:
    """Phases and options. `given` are the options in the URL, `options` are these and the defaults of all others."""

    phases: tuple[Phase, ...]
    given: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_plain_echo(self) -> bool:
        """Whether the URL asks for nothing but the echo."""
        return not self.given and all(step.word.name == "echo" for phase in self.phases for step in phase.steps)

    @property
    def may_deflate(self) -> bool:
        """Whether permessage-deflate may be negotiated.

        The client reads the echo of a compressed message only if it gets the echo of each one before it (RFC 7692
        section 7.2.3), and only uncompressed messages can be compared with text.
        """
        is_excluded = self.options["drop"] or self.options["deflate"] == "off"
        return not is_excluded and all(step.word.may_deflate for step in self._steps())

    @property
    def compresses(self) -> bool:
        """Whether the server sends compressed messages of its own."""
        return any(step.word.needs_deflate for step in self._steps())

    @property
    def needs_deflate(self) -> bool:
        """Whether the plan can be performed only with permessage-deflate."""
        return self.compresses or self.options["deflate"] not in (None, "off")

    def _steps(self) -> Iterator[Step]:
        return (step for phase in self.phases for step in phase.steps)

    def phase(self, attempt: int) -> Phase:
        """Return the phase of a connection. `attempt` is its number under its key, from 1."""
        for phase in self.phases:
            if phase.times is None or attempt <= phase.times:
                return phase
            attempt -= phase.times
        return self.phases[-1]
