"""The most connections that a worker serves, and how many more it accepts only to answer them with 503."""

from collections.abc import Sized


class Capacity:
    """Counts connections of every kind alike: during HTTP and as WebSockets."""

    def __init__(self, connections: Sized, most: int, most_refused: int) -> None:
        """`connections` are the worker's open connections. `most` of them are served, `most_refused` more are accepted
        and refused with an answer.
        """
        self._connections = connections
        self._most = most
        self._most_refused = most_refused

    def is_full(self) -> bool:
        """Tell whether there are more connections than can be served. The connection that asks is already included."""
        return len(self._connections) > self._most

    def has_room(self, starting: int, extra: int = 0) -> bool:
        """Tell whether another connection may be accepted. `starting` connections are accepted but not yet open.

        `extra` connections more are allowed on a port that must stay reachable, such as the admin port.
        """
        return len(self._connections) + starting < self._most + self._most_refused + extra
