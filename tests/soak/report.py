"""Figures, what they must be, and the table of both."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """Something measured. `bound` is the most that passes, None where it is only told.

    Figures of truth (nothing lost, nothing left) hold on any machine; those of speed on a quiet one of two cores.
    """

    phase: str
    name: str
    value: float
    bound: float | None = None
    is_truth: bool = False

    @property
    def passes(self) -> bool:
        return self.bound is None or self.value <= self.bound


@dataclass
class Report:
    figures: list[Figure] = field(default_factory=list)

    def told(self, phase: str, name: str, value: float) -> None:
        """Note a figure that nothing depends on."""
        self._note(Figure(phase, name, value))

    def at_most(self, phase: str, name: str, value: float, bound: float) -> None:
        """Note a figure that depends on the machine."""
        self._note(Figure(phase, name, value, bound))

    def true(self, phase: str, name: str, value: float, bound: float = 0) -> None:
        """Note a figure that has no excuse."""
        self._note(Figure(phase, name, value, bound, is_truth=True))

    def _note(self, figure: Figure) -> None:
        self.figures.append(figure)
        print(_row(figure), flush=True)

    def failures(self, *, truth_alone: bool) -> list[Figure]:
        """Return what did not pass."""
        return [figure for figure in self.figures if not figure.passes and (figure.is_truth or not truth_alone)]


def _row(figure: Figure) -> str:
    verdict = "pass" if figure.passes else "FAIL"
    bound = "" if figure.bound is None else f"at most {figure.bound:<10,.6g} {verdict}"
    return f"{figure.phase:<10} {figure.name:<52} {figure.value:>14,.6g}  {bound}".rstrip()
