"""What processes do that share keys, in a process of its own: a test process has threads, so it must not fork.

The argument is the name of a function.
"""

import os
import signal
import sys
from collections.abc import Callable
from time import monotonic

from tests.shared.server import PATIENCE
from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.seen.keys import Keys
from wsecho.scenarios.seen.process_lock import ProcessLock


def in_child(action: Callable[[], object]) -> int:
    """Fork, and return the id of a process that performs an action and ends."""
    pid = os.fork()
    if not pid:
        try:
            action()
        finally:
            os._exit(0)
    return pid


def no_number_is_given_twice() -> None:
    keys = Keys(LOCAL, workers=4)

    def count() -> None:
        for _ in range(500):
            keys.next("a", 1.0)

    for pid in [in_child(count) for _ in range(4)]:
        os.waitpid(pid, 0)
    assert keys.next("a", 1.0) == 2001


def a_killed_process_leaves_no_lock() -> None:
    lock = ProcessLock(is_shared=True)
    reading, writing = os.pipe()

    def hold() -> None:
        with lock:
            os.write(writing, b"x")
            signal.pause()

    pid = in_child(hold)
    assert os.read(reading, 1) == b"x"
    with lock:
        assert not lock._is_held, "two processes hold it"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with lock:
        assert lock._is_held
    os.close(reading)
    os.close(writing)


def a_stopped_process_does_not_stop_the_others() -> None:
    keys = Keys(LOCAL, workers=2)
    reading, writing = os.pipe()

    def hold() -> None:
        with keys.lock:
            os.write(writing, b"x")
            os.kill(os.getpid(), signal.SIGSTOP)

    pid = in_child(hold)
    assert os.read(reading, 1) == b"x"
    os.waitpid(pid, os.WUNTRACED)
    began = monotonic()
    assert [keys.next("a", 1.0) for _ in range(1000)] == list(range(1, 1001))
    # Only the first one waits: otherwise they take minutes.
    assert monotonic() - began < PATIENCE
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reading)
    os.close(writing)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
