"""Blocks of memory that all workers share. Each is taken once; the oldest ones are taken anew when there are no others.

Whoever calls it holds the lock.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

# Number of the block, number of the block before it in its chain, owner, kind, bytes that are used.
_HEADER = struct.Struct("<QQQII")
_COUNTER = struct.Struct("<Q")
_BLOCK = 512
# The bytes that a block holds.
ROOM = _BLOCK - _HEADER.size


@dataclass(frozen=True, slots=True)
class Block:
    """A copy of a block. `owner` and `kind` are numbers that whoever has taken it gave."""

    owner: int
    kind: int
    data: bytes


class Blocks:
    """Blocks have numbers, from 1, which are never used again. So a block that was taken by others is recognised."""

    def __init__(self, count: int) -> None:
        """Memory is taken only when it is used."""
        self._count = count
        self._memory = mmap.mmap(-1, _BLOCK * (count + 1))
        self._view = memoryview(self._memory)

    def take(self, owner: int, kind: int, previous: int, data: bytes = b"") -> int:
        """Take a block for `data`, append it to the chain that ends with `previous` (0: none), and return its number.

        The rest of the block is 0. At most `ROOM` bytes fit.
        """
        number: int = _COUNTER.unpack_from(self._memory)[0] + 1
        _COUNTER.pack_into(self._memory, 0, number)
        place = self._place(number)
        _HEADER.pack_into(self._memory, place, number, previous, owner, kind, len(data))
        self._memory[place + _HEADER.size : place + _BLOCK] = data.ljust(ROOM, b"\0")
        return number

    def memory(self, number: int) -> memoryview | None:
        """Return the memory of a block, None if others have taken it. It must not be kept when the lock is released."""
        place = self._place(number)
        if not number or _HEADER.unpack_from(self._memory, place)[0] != number:
            return None
        return self._view[place + _HEADER.size : place + _BLOCK]

    def append(self, number: int, data: bytes) -> bool:
        """Append data to a block. Return whether it had room, and still was the block of that number."""
        if (memory := self.memory(number)) is None:
            return False
        place = self._place(number)
        _, previous, owner, kind, used = _HEADER.unpack_from(self._memory, place)
        if used + len(data) > ROOM:
            return False
        memory[used : used + len(data)] = data
        _HEADER.pack_into(self._memory, place, number, previous, owner, kind, used + len(data))
        return True

    def chain(self, last: int) -> Iterator[Block]:
        """Yield copies of the blocks of a chain from its end, up to one that others have taken."""
        number = last
        while (memory := self.memory(number)) is not None:
            _, previous, owner, kind, used = _HEADER.unpack_from(self._memory, self._place(number))
            yield Block(owner, kind, bytes(memory[: min(used, ROOM)]))
            if previous >= number:
                # Memory that was written without the lock.
                return
            number = previous

    def _place(self, number: int) -> int:
        return _BLOCK * (1 + number % self._count)
