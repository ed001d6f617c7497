"""A lock between the workers, which the kernel takes back from a worker that dies."""

import fcntl
import os
import tempfile
import time
from types import TracebackType

# A worker that is stopped (SIGSTOP) keeps the lock. The others wait for it so many times so many seconds. They go on
# without the lock then, and wait no more for some time: a wrong number is better than a server that stands still.
_TRIES = 20
_PAUSE = 0.0005
_IMPATIENCE = 1.0


class ProcessLock:
    """Guards memory that processes share: `with lock:`. It is made before the fork, and must not be nested."""

    def __init__(self, *, is_shared: bool) -> None:
        """Without `is_shared`, there is only one process, so that nothing needs to be locked."""
        # A record lock (fcntl(2)) belongs to a process, and is gone when the process is.
        self._descriptor = _open_anonymous_file() if is_shared else -1
        self._is_held = False
        self._impatient_until = 0.0

    def __enter__(self) -> None:
        if self._descriptor >= 0:
            self._is_held = self._is_taken() or (time.monotonic() > self._impatient_until and self._wait())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_held:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
            self._is_held = False

    def _is_taken(self) -> bool:
        """Take the lock if it is free. Return whether it was."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _wait(self) -> bool:
        """Wait for the lock for a moment. Return whether it was taken."""
        for _ in range(_TRIES):
            time.sleep(_PAUSE)
            if self._is_taken():
                return True
        self._impatient_until = time.monotonic() + _IMPATIENCE
        return False


def _open_anonymous_file() -> int:
    """Open a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("wsecho")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
