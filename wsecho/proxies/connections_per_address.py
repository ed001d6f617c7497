"""How many connections each client has open, by its address, and how many it may have."""

from wsecho.http.addresses import Address, client_key

# So many more are answered, to be told that they are too many; those beyond are cut off unheard.
ANSWERED_ABOVE_LIMIT = 16


class ConnectionsPerAddress:
    """Counts what is taken and given back. Without a limit it counts nothing."""

    def __init__(self, most: int = 0) -> None:
        """`most`: connections that one address may have; 0: as many as it likes."""
        self._most = most
        self._taken: dict[str, int] = {}

    def take(self, client: Address | None) -> str:
        """Count one more connection of `client`, and return what it is counted under, for `give_back`."""
        if not self._most or not client:
            return ""
        owner = client_key(str(client[0]))
        self._taken[owner] = self._taken.get(owner, 0) + 1
        return owner

    def remove(self, owner: str) -> None:
        """Count one connection less; nothing where none was counted."""
        if owner:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]

    def is_exceeded(self, owner: str) -> bool:
        """Tell whether the one that asks, which is counted already, is one too many."""
        return bool(owner) and self._taken.get(owner, 0) > self._most

    def is_far_exceeded(self, owner: str) -> bool:
        """Tell whether there are too many already that are told so."""
        return bool(owner) and self._taken.get(owner, 0) > self._most + ANSWERED_ABOVE_LIMIT
