"""Counts the connections of each key, so that each gets the phase of its number."""

from collections import OrderedDict

# A key is forgotten so many seconds after its last use.
_LIFETIME = 600.0


class Attempts:
    """The numbers of connections under the keys of one worker. Times are monotonic, in seconds."""

    def __init__(self, most_keys: int) -> None:
        """Of more than `most_keys`, the one that was used least recently is forgotten."""
        self._most_keys = most_keys
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def next(self, key: str, now: float) -> int:
        """Count a connection under `key`, and return its number, from 1."""
        self._forget(now)
        count = self.seen(key, now) + 1
        self._counts[key] = count, now
        self._counts.move_to_end(key)
        if len(self._counts) > self._most_keys:
            self._counts.popitem(last=False)
        return count

    def seen(self, key: str, now: float) -> int:
        """Return how many connections were counted under `key`."""
        count, used = self._counts.get(key, (0, now))
        return count if now - used < _LIFETIME else 0

    def _forget(self, now: float) -> None:
        """Forget the keys that have not been used for too long. The least recently used ones come first."""
        while self._counts:
            key, (_, used) = next(iter(self._counts.items()))
            if now - used < _LIFETIME:
                return
            del self._counts[key]
