"""How many connections a worker holds, and how many beyond that it listens to in order to tell them that it is full."""

from collections.abc import Sized


class Capacity:
    """Counts in whole connections, whatever they speak."""

    def __init__(self, held: Sized, most: int, beyond: int) -> None:
        """`held` are the connections; `most` of them are served, and `beyond` more are answered and sent away."""
        self._held = held
        self._most = most
        self._beyond = beyond

    def is_full(self) -> bool:
        """Tell whether the connection that asks, which is held already, is one too many."""
        return len(self._held) > self._most

    def has_room(self, starting: int, extra: int = 0) -> bool:
        """Tell whether another connection may be accepted. `starting` are accepted, and not held yet.

        `extra` more than that may be accepted where it matters most.
        """
        return len(self._held) + starting < self._most + self._beyond + extra
