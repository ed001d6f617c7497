"""How often the same thing is said: a flood of peers must not become a flood of lines."""

from dataclasses import dataclass

MAX_LINES = 10
SECONDS = 1.0


@dataclass(slots=True)
class _Kind:
    """One kind of line: how many were admitted since `started`, how many were not since `suppressed_since`."""

    started: float
    admitted: int = 0
    suppressed: int = 0
    suppressed_since: float = 0.0


class LogLimits:
    """Admits 10 lines of a kind within a second and counts the others. Kinds are our own words: there are few."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def admits(self, severity: str, event: str, now: float) -> bool:
        """Tell whether this line is written; if it is not, it is counted."""
        kind = self._kinds.get((severity, event))
        if kind is None:
            kind = self._kinds[severity, event] = _Kind(now)
        if now - kind.started >= SECONDS:
            kind.started, kind.admitted = now, 0
        if kind.admitted < MAX_LINES:
            kind.admitted += 1
            return True
        if not kind.suppressed:
            kind.suppressed_since = now
        kind.suppressed += 1
        return False

    def take_suppressed(self, now: float) -> list[tuple[str, str, int]]:
        """Return severity, event and count of what has waited to be told for a second or longer, and forget it."""
        due = []
        for (severity, event), kind in self._kinds.items():
            if kind.suppressed and now - kind.suppressed_since >= SECONDS:
                due.append((severity, event, kind.suppressed))
                kind.suppressed = 0
        return due
