"""The open scenarios of all workers by address, in memory that they share. It needs no lock: each worker has a row."""

import hashlib
import mmap
import os
import struct

from wsecho.http.addresses import Address, client_key

_DIGEST = 8
# The number of places of a row that may be in use; those behind them never were.
_USED = struct.Struct("<Q")
# The places of a row. A worker that has more scenarios keeps the others to itself.
_PLACES = 32 << 10
_ROW = _USED.size + _PLACES * _DIGEST
_FREE = bytes(_DIGEST)


class OpenScenarios:
    """Which addresses the open scenarios of each worker belong to."""

    def __init__(self, workers: int) -> None:
        """Memory is taken only when it is used."""
        self._workers = workers
        self._memory = mmap.mmap(-1, workers * _ROW)
        self._secret = os.urandom(16)

    def of(self, worker: int) -> "WorkerScenarios":
        """Return the scenarios of a worker, which are none: the process that had this number before has ended."""
        _USED.pack_into(self._memory, worker * _ROW, 0)
        return WorkerScenarios(self, worker)

    def digest(self, address: Address) -> bytes:
        """Return what stands for an address and, for IPv6, for its /64 network."""
        name = client_key(str(address[0])).encode()
        return hashlib.blake2b(name, key=self._secret, digest_size=_DIGEST).digest()

    def count(self, digest: bytes) -> int:
        """Return the number of open scenarios of an address, over all workers."""
        return sum(self._places(worker).count(digest) for worker in range(self._workers))

    def put(self, worker: int, place: int, digest: bytes) -> None:
        """Write to a place of a worker's row."""
        start = worker * _ROW + _USED.size + place * _DIGEST
        self._memory[start : start + _DIGEST] = digest
        used: int = _USED.unpack_from(self._memory, worker * _ROW)[0]
        _USED.pack_into(self._memory, worker * _ROW, max(used, place + 1))

    def _places(self, worker: int) -> bytes:
        used: int = _USED.unpack_from(self._memory, worker * _ROW)[0]
        start = worker * _ROW + _USED.size
        return self._memory[start : start + min(used, _PLACES) * _DIGEST]


class WorkerScenarios:
    """The open scenarios of one worker."""

    def __init__(self, all_scenarios: OpenScenarios, worker: int) -> None:
        self._all = all_scenarios
        self._worker = worker
        self._used = 0
        self._free: list[int] = []
        self._memory_of: dict[int, int] = {}
        self.count = 0
        # The bytes that all of them may keep for long writes.
        self.memory = 0

    def of_address(self, address: Address) -> int:
        """Return how many scenarios of an address are open in all workers."""
        return self._all.count(self._all.digest(address))

    def add(self, address: Address | None, memory: int = 0) -> int:
        """Count a scenario, and return its place, which `remove` takes. It may keep so many bytes for long writes."""
        self.count += 1
        if self._free:
            place = self._free.pop()
        else:
            place = self._used
            self._used += 1
        if memory:
            self.memory += memory
            self._memory_of[place] = memory
        if address and place < _PLACES:
            self._all.put(self._worker, place, self._all.digest(address))
        return place

    def remove(self, place: int) -> None:
        """Count a scenario no longer."""
        self.count -= 1
        self.memory -= self._memory_of.pop(place, 0)
        self._free.append(place)
        if place < _PLACES:
            self._all.put(self._worker, place, _FREE)
