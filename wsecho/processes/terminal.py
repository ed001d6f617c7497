"""The terminal that the server was started from, if any: it decides what SIGHUP means."""

import os
import signal
import sys


class Terminal:
    """Tells the two meanings of SIGHUP apart: "reload the files", and the original "the terminal has hung up"."""

    def __init__(self) -> None:
        streams = (sys.stdin, sys.stdout, sys.stderr)
        self._descriptors = [stream.fileno() for stream in streams if stream is not None and stream.isatty()]

    def has_hung_up(self) -> bool:
        """Return whether the server was started from a terminal that has hung up since."""
        return not all(os.isatty(descriptor) for descriptor in self._descriptors)


def ignores_hangups() -> bool:
    """Return whether SIGHUP is ignored: the process was started to outlive its terminal, for example with `nohup`."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
