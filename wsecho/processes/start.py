"""Prepares signals, standard streams and the garbage collector before the imports, which take most of the start."""

import gc
import os
import signal
from types import FrameType

from wsecho.processes.terminal import Terminal, ignores_hangups

_STANDARD_STREAMS = (0, 1, 2)
_STOPPING = (signal.SIGTERM, signal.SIGINT)
# The garbage collector visits the youngest objects when this many more were allocated than freed: the objects of some
# hundred connections. They do not need it, because they are freed when their last reference goes.
_GARBAGE_THRESHOLD = 10_000


def begin() -> None:
    """Make SIGTERM and SIGINT end the process during its start, open standard streams that are closed, and keep the
    garbage collector from running: imports leave hardly any garbage.

    Process 1 of a container, which this may be, ignores SIGTERM by default. The event loop handles the signals later.
    The signals are also unblocked, because the image blocks them until here (`env --block-signal`).
    """
    for number in _STOPPING:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    open_standard_streams()
    gc.set_threshold(0)
    if not ignores_hangups():
        terminal = Terminal()
        # A reload has nothing to do yet: no file has been loaded.
        signal.signal(signal.SIGHUP, lambda number, frame: _end(number, frame) if terminal.has_hung_up() else None)


def collect_garbage() -> None:
    """Let the garbage collector run from now on, but never visit what exists already."""
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)


def open_standard_streams() -> None:
    """Open the null device in place of each standard stream that was closed before the process started.

    Otherwise a socket would get the number of that stream. Then log lines could be written to the socket, children
    would inherit it, or the event loop would refuse it.
    """
    for descriptor in _STANDARD_STREAMS:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


def _end(number: int, frame: FrameType | None) -> None:
    """End the process. An exception could be raised inside an import, or inside a callback that discards it."""
    os._exit(0)
