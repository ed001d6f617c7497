"""The limit of open file descriptors, and how many connections it allows."""

import contextlib
import resource
from collections.abc import Sized

from wsecho.connections.capacity import Capacity
from wsecho.options.option import OptionError

# File descriptors that are kept for everything but accepted connections, which includes the connections that are
# answered with 503 because the server is full. _MAX_REFUSED_AT_ONCE is the most of those at a time.
_SPARE_DESCRIPTORS = 256
_MAX_REFUSED_AT_ONCE = 64
# With fewer file descriptors the server could hardly hold a connection, or not even make an event loop, and the error
# messages of its libraries would differ.
_MIN_DESCRIPTORS = 32


def raise_limit() -> None:
    """Raise the soft limit to the hard one, if the system allows it.

    Raises OSError if the limit is too low even so; the text is one line for the user.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems report an unlimited hard limit and then refuse it.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft < _MIN_DESCRIPTORS:
        raise OSError(
            f"the limit of open files (ulimit -n) is {soft}, but the server needs at least {_MIN_DESCRIPTORS}"
        )


def check_capacity(max_connections: int) -> None:
    """Raise OptionError if the file descriptors do not suffice for `max_connections`."""
    most, spare = _descriptors()
    if max_connections > most:
        raise OptionError(
            f"--max-connections: {max_connections} connections need {max_connections + spare} file descriptors, "
            f"but the limit (ulimit -n) is {most + spare}: at most {most} connections are possible"
        )


def capacity(connections: Sized, max_connections: int) -> Capacity:
    """Return a capacity of `max_connections` or, if that is 0, of as many as the file descriptors suffice for."""
    most, spare = _descriptors()
    return Capacity(connections, max_connections or most, min(_MAX_REFUSED_AT_ONCE, spare // 2))


def _descriptors() -> tuple[int, int]:
    """Return how many file descriptors are for accepted connections, and how many for everything else."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = min(_SPARE_DESCRIPTORS, limit // 4)
    return limit - spare, spare
