"""Limits how often the same event is logged, so that a flood of connections does not become a flood of lines."""

MAX_LINES = 10
SECONDS = 1.0


class _Kind:
    """One kind of line: the lines admitted since `started`, and the lines suppressed since `suppressed_since`."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.admitted = 0
        self.suppressed = 0
        self.suppressed_since = 0.0


class LogLimits:
    """Admits 10 lines of a kind per second and counts the others.

    A kind is a severity and an event. Both are words from this program, never from a peer, so there are few kinds.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def admits(self, severity: str, event: str, now: float) -> bool:
        """Return whether this line may be written; count it as suppressed if not."""
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
        """Return and reset the counts of suppressed lines that are a second old or older, with severity and event."""
        due = []
        for (severity, event), kind in self._kinds.items():
            if kind.suppressed and now - kind.suppressed_since >= SECONDS:
                due.append((severity, event, kind.suppressed))
                kind.suppressed = 0
        return due
