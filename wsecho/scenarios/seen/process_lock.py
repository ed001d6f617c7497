"""A lock between the workers, which the kernel takes back from a worker that dies."""

import fcntl
import mmap
import os
import struct
import time
from types import TracebackType

# Seconds between two attempts to take the lock: longer and longer ones, from the first to the last.
_FIRST_PAUSE = 0.00005
_LAST_PAUSE = 0.005
# A process that is stopped (SIGSTOP) keeps the lock. The others wait so many seconds for it, once, and go on without
# the lock until it goes on: a wrong number is better than a server that stands still. A process that only waits for a
# processor takes much less.
_PATIENCE = 0.5
_TURN = struct.Struct("<Q")


class ProcessLock:
    """Guards memory that processes share: `with lock:`. It is made before the fork, and must not be nested."""

    def __init__(self, *, is_shared: bool) -> None:
        """Without `is_shared`, there is only one process, so that nothing needs to be locked."""
        # A record lock (fcntl(2)) belongs to a process, and is gone when the process is.
        self._descriptor = _open_anonymous_file() if is_shared else -1
        self._is_held = False
        # How often the lock was taken and given back, which its holder counts; and at which turn it was stuck.
        self._turns = mmap.mmap(-1, _TURN.size)
        self._stuck = -1

    def __enter__(self) -> None:
        if self._descriptor >= 0:
            self._is_held = self._take()
            if self._is_held:
                self._next_turn()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_held:
            self._next_turn()
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
            self._is_held = False

    def _next_turn(self) -> None:
        _TURN.pack_into(self._turns, 0, self._turn() + 1)

    def _turn(self) -> int:
        turn: int = _TURN.unpack_from(self._turns)[0]
        return turn

    def _take(self) -> bool:
        """Take the lock, if need be after a while. Return whether it was taken."""
        pause = _FIRST_PAUSE
        until = 0.0
        while not self._is_taken():
            if self._turn() == self._stuck:
                return False
            until = until or time.monotonic() + _PATIENCE
            if time.monotonic() > until:
                self._stuck = self._turn()
                return False
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)
        return True

    def _is_taken(self) -> bool:
        """Take the lock if it is free. Return whether it was."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _open_anonymous_file() -> int:
    """Open a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("wsecho")
    # Imported only when needed, because this import is slow.
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
