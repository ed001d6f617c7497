"""What the process does before anything else, and before the imports that take most of the start."""

import os
import signal
from types import FrameType

from wsecho.processes.terminal import Terminal, ignores_hangups

_STANDARD_STREAMS = (0, 1, 2)
_STOPPING = (signal.SIGTERM, signal.SIGINT)


def begin() -> None:
    """Let signals end the start, and no descriptor of ours be taken for a standard stream.

    Process 1 of a container, as which we may run, is by default deaf to SIGTERM. The event loop handles signals later.
    Whoever held them back for us meanwhile (`env --block-signal`) need not do so any longer.
    """
    for number in _STOPPING:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
    open_standard_streams()
    if not ignores_hangups():
        terminal = Terminal()
        # What could be loaded again has yet to be loaded.
        signal.signal(signal.SIGHUP, lambda number, frame: _end(number, frame) if terminal.has_gone() else None)


def open_standard_streams() -> None:
    """Open the null device where whoever started us has closed a standard stream.

    Else a socket would be given its number, and be written to, inherited or, by the event loop, refused.
    """
    for descriptor in _STANDARD_STREAMS:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _end(number: int, frame: FrameType | None) -> None:
    """End the process. An exception might come in the middle of an import, or of a callback that swallows it."""
    os._exit(0)
