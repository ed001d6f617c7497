"""Ends the servers of a test process that was killed. This file is also the program of the process that does it.

The kernel could do that too (prctl's PR_SET_PDEATHSIG), but only on Linux, not for what a tool runner has started, and
it does so already when the thread that started the server ends, which may be one of a test.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

_GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.05


class Guard:
    """A process that knows the process groups of all servers, and ends them when this process is no more."""

    def __init__(self) -> None:
        # Isolated and without site-packages, which it does not need. In a session of its own, because Ctrl+C ends the
        # tests, and then they end their servers. The system closes the pipe with this process, however it ends.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """End this process group if this process ends before `forget`."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Leave this process group alone: it has ended, and another one may get its number."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the guard, and with it every server that is still watched."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # somebody has killed the guard
            self._process.stdin.write(line.encode())


def main() -> None:
    """Read from standard input which process groups to watch. At its end, end those that are left."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    # A server that is suspended handles the first signal after the second one.
    for number in (signal.SIGTERM, signal.SIGCONT):
        groups = {group for group in groups if _signalled(group, number)}
    deadline = time.monotonic() + _GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        groups = {group for group in groups if _signalled(group, 0)}
    for group in groups:
        _signalled(group, signal.SIGKILL)


def _signalled(group: int, number: int) -> bool:
    """Return whether the process group exists, after sending it a signal, unless that is 0."""
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
