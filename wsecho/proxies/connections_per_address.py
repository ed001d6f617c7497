"""Counts the open connections of each client, by its address, and knows the limit."""

from wsecho.http.addresses import Address, client_key

# The server answers this many connections above the limit, to say that there are too many. It closes further ones
# without an answer.
ANSWERED_ABOVE_LIMIT = 16


class ConnectionsPerAddress:
    """Counts connections that are added and removed. Without a limit it counts nothing."""

    def __init__(self, limit: int = 0) -> None:
        """`limit` is the most connections that one address may have; 0 means that there is no limit."""
        self._limit = limit
        self._counts: dict[str, int] = {}

    def add(self, client: Address | None) -> str:
        """Count a connection of `client`. Return the key that it is counted under, empty if it is not counted."""
        if not self._limit or not client:
            return ""
        key = client_key(str(client[0]))
        self._counts[key] = self._counts.get(key, 0) + 1
        return key

    def remove(self, key: str) -> None:
        """Count one connection less. An empty key changes nothing."""
        if key:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

    def is_exceeded(self, key: str) -> bool:
        """Return whether the client has more connections than the limit, including the one that is being decided on."""
        return bool(key) and self._counts.get(key, 0) > self._limit

    def is_far_exceeded(self, key: str) -> bool:
        """Return whether the client has too many connections for an answer that says so."""
        return bool(key) and self._counts.get(key, 0) > self._limit + ANSWERED_ABOVE_LIMIT
