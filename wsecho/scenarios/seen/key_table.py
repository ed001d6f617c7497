"""A table of keys in memory that all workers share: how many connections each has had, and where more is kept.

Whoever calls it holds the lock.
"""

import hashlib
import mmap
import os
import struct
from dataclasses import dataclass

# A key is forgotten so many seconds after its last use.
LIFETIME = 600.0
_DIGEST = 16
# The slots of a bucket. A key can be in any slot of its bucket and nowhere else, so every access costs the same.
_WAYS = 32
# Buckets have so many keys on average when the table is full. That any has three times as many is as good as
# impossible (Poisson: 1 in 10^8).
_KEYS_PER_BUCKET = 10
# When it was used last (monotonic, in seconds; 0: never), connections counted, connections of which more is kept,
# events that are kept, last block, last tick.
_SLOT = struct.Struct("<dQQQQQ")
_DIGESTS = _WAYS * _DIGEST
_BUCKET = _DIGESTS + _WAYS * _SLOT.size


@dataclass(slots=True)
class Entry:
    """What the table has of one key. `connections` and `events` are those of which more is kept.

    `last` is the number of the last block that belongs to it, 0 if there is none, and `tick` the last number that a
    tick has sent, which the next one follows.
    """

    count: int = 0
    connections: int = 0
    events: int = 0
    last: int = 0
    tick: int = 0


class KeyTable:
    """Counts for keys. Of more keys than it has room for, those that were used least recently are forgotten."""

    def __init__(self, most_keys: int) -> None:
        """Make room for `most_keys`. Memory is taken only when it is used."""
        self._buckets = -(-most_keys // _KEYS_PER_BUCKET)
        self._memory = mmap.mmap(-1, self._buckets * _BUCKET)
        # Without it, clients could choose keys that all fall into one bucket.
        self._secret = os.urandom(_DIGEST)

    def digest(self, key: str) -> bytes:
        """Return what stands for a key in the table."""
        return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=_DIGEST).digest()

    def read(self, digest: bytes, now: float) -> Entry | None:
        """Return the entry of a key; None if there is none, or if it is too old."""
        slot = self._find(digest)
        if slot < 0:
            return None
        used, *values = _SLOT.unpack_from(self._memory, slot)
        return Entry(*values) if used and now - used < LIFETIME else None

    def write(self, digest: bytes, entry: Entry, now: float) -> None:
        """Write the entry of a key, which is used `now`."""
        slot = self._find(digest)
        if slot < 0:
            slot = self._put(digest)
        _SLOT.pack_into(self._memory, slot, now, entry.count, entry.connections, entry.events, entry.last, entry.tick)

    def _bucket(self, digest: bytes) -> int:
        return int.from_bytes(digest[:8], "little") % self._buckets * _BUCKET

    def _find(self, digest: bytes) -> int:
        """Return the place of the slot of a key, -1 if it has none."""
        bucket = self._bucket(digest)
        place = self._memory.find(digest, bucket, bucket + _DIGESTS)
        while place >= 0 and (place - bucket) % _DIGEST:
            place = self._memory.find(digest, place + 1, bucket + _DIGESTS)
        return place if place < 0 else _slot(bucket, (place - bucket) // _DIGEST)

    def _put(self, digest: bytes) -> int:
        """Give a key the slot that was used least recently, or never, and return its place."""
        bucket = self._bucket(digest)
        slots = memoryview(self._memory)[bucket + _DIGESTS : bucket + _BUCKET]
        used = [slot[0] for slot in _SLOT.iter_unpack(slots)]
        way = used.index(min(used))
        self._memory[bucket + way * _DIGEST : bucket + (way + 1) * _DIGEST] = digest
        return _slot(bucket, way)


def _slot(bucket: int, way: int) -> int:
    return bucket + _DIGESTS + way * _SLOT.size
