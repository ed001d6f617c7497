"""How many file descriptors there are, and how many connections they suffice for."""

import contextlib
import resource
from collections.abc import Sized

from wsecho.connections.capacity import Capacity
from wsecho.options.option import OptionError

# Descriptors kept for everything that is not a connection, and for those that are to be told that there is no room.
_SPARE_DESCRIPTORS = 256
_MOST_TOLD_AT_ONCE = 64
# With fewer there is hardly a connection, or not even an event loop, whose library then says so in many ways.
_LEAST_DESCRIPTORS = 32


def raise_limit() -> None:
    """Raise the soft limit to the hard one, if that can be. Raises OSError if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems have a hard limit of infinity, and do not mean it.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft < _LEAST_DESCRIPTORS:
        raise OSError(f"only {soft} files may be open (ulimit -n): at least {_LEAST_DESCRIPTORS} are needed")


def check_capacity(max_connections: int) -> None:
    """Raise OptionError if there are too few descriptors for what was asked for."""
    most, spare = _descriptors()
    if max_connections > most:
        raise OptionError(
            f"--max-connections: {max_connections} need as many descriptors and {spare} more, "
            f"and the limit (ulimit -n) is {most + spare}: at most {most} can be held"
        )


def capacity(connections: Sized, max_connections: int) -> Capacity:
    """Let in as many connections as were asked for, or as the descriptors suffice for."""
    most, spare = _descriptors()
    return Capacity(connections, max_connections or most, min(_MOST_TOLD_AT_ONCE, spare // 2))


def _descriptors() -> tuple[int, int]:
    """Return how many there are for connections, and how many for everything else."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = min(_SPARE_DESCRIPTORS, limit // 4)
    return limit - spare, spare
