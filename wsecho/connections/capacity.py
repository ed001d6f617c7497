"""The most connections that a worker serves, and how many more it accepts only to answer them with 503."""

from collections.abc import Sized


class Capacity:
    """Counts connections of every kind alike: during HTTP and as WebSockets."""

    def __init__(self, connections: Sized, limit: int, max_refused: int) -> None:
        """`connections` are the worker's open connections. `limit` of them are served, `max_refused` more are accepted
        and refused with an answer.
        """
        self._connections = connections
        self.limit = limit
        self._max_refused = max_refused

    def is_full(self) -> bool:
        """Return whether there are more connections than can be served, including the connection that asks."""
        return len(self._connections) > self.limit

    def room(self, starting: int, extra: int = 0) -> int:
        """Return how many more connections may be accepted. `starting` connections are accepted but not yet open.

        `extra` connections more are allowed on a port that must stay reachable, such as the admin port.
        """
        return self.limit + self._max_refused + extra - len(self._connections) - starting
