"""All keys, what is kept under them, and open scenarios: bounded memory that is made before the fork."""

from typing import NamedTuple

from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.seen.blocks import Block, Blocks
from wsecho.scenarios.seen.key_table import Entry, KeyTable
from wsecho.scenarios.seen.open_scenarios import OpenScenarios
from wsecho.scenarios.seen.process_lock import ProcessLock

# Blocks for what is kept under all keys: 16 MiB.
_BLOCKS = 32 << 10
# Of so many events that a key may have, one connection is kept.
_EVENTS_PER_CONNECTION = 8


class Kept(NamedTuple):
    """A copy of what is kept under a key. `attempts` are all connections; the newest block comes first."""

    attempts: int
    blocks: list[Block]


class Keys:
    """The keys of scenarios. Times are monotonic, in seconds.

    What keeps records of connections holds the `lock` while it uses `table` and `blocks`.
    """

    def __init__(self, limits: Limits, workers: int) -> None:
        """Make the memory, of which nothing is taken before it is used."""
        self.lock = ProcessLock(is_shared=workers > 1)
        self.table = KeyTable(limits.keys)
        self.blocks = Blocks(_BLOCKS)
        self.open_scenarios = OpenScenarios(workers)
        self.limits = limits
        self.most_events = limits.events
        self.most_connections = limits.events // _EVENTS_PER_CONNECTION

    def next(self, key: str, now: float) -> int:
        """Count a connection under `key`, and return its number, from 1."""
        digest = self.table.digest(key)
        with self.lock:
            entry = self.table.read(digest, now) or Entry()
            entry.count += 1
            self.table.write(digest, entry, now)
        return entry.count

    def counted(self, key: str, now: float) -> int:
        """Return how many connections were counted under `key`."""
        digest = self.table.digest(key)
        with self.lock:
            entry = self.table.read(digest, now)
        return entry.count if entry else 0

    def kept(self, key: str, now: float) -> Kept:
        """Return a copy of what is kept under `key`."""
        digest = self.table.digest(key)
        with self.lock:
            entry = self.table.read(digest, now) or Entry()
            return Kept(entry.count, list(self.blocks.chain(entry.last)))
