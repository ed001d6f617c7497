"""The terminal that the server was started from, if there is one."""

import os
import signal
import sys


class Terminal:
    """SIGHUP means two things: load your files again, or, as ever, your terminal has gone. This tells which."""

    def __init__(self) -> None:
        streams = (sys.stdin, sys.stdout, sys.stderr)
        self._descriptors = [stream.fileno() for stream in streams if stream is not None and stream.isatty()]

    def has_gone(self) -> bool:
        """Tell whether there was a terminal and it has hung up."""
        return not all(os.isatty(descriptor) for descriptor in self._descriptors)


def ignores_hangups() -> bool:
    """Tell whether whoever started us wants us to outlive the terminal, as `nohup` does: SIGHUP is ignored."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
