"""The numbers that ticks send, which go on from one connection to the next."""

from dataclasses import dataclass
from time import monotonic

from wsecho.scenarios.seen.key_table import Entry
from wsecho.scenarios.seen.keys import Keys


@dataclass(slots=True)
class OwnTicks:
    """Those of one connection only. `last` is the last number that was sent, 0 before the first."""

    last: int = 0


class KeyTicks:
    """Those of all connections under a key, in all workers."""

    __slots__ = ("_digest", "_keys")

    def __init__(self, keys: Keys, key: str) -> None:
        self._keys = keys
        self._digest = keys.table.digest(key)

    @property
    def last(self) -> int:
        """The last number that was sent, 0 before the first. Of connections at the same time, the highest counts."""
        with self._keys.lock:
            entry = self._keys.table.read(self._digest, monotonic())
        return entry.tick if entry else 0

    @last.setter
    def last(self, number: int) -> None:
        now = monotonic()
        with self._keys.lock:
            entry = self._keys.table.read(self._digest, now) or Entry()
            entry.tick = max(entry.tick, number)
            self._keys.table.write(self._digest, entry, now)
