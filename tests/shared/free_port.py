"""A port for programs that cannot choose one themselves, or at which nothing must listen."""

import os
import secrets
import socket
from contextlib import suppress
from itertools import cycle

# Below the ports that the system itself gives to sockets (Linux: from 32768 on, others: from 49152 on). So nobody gets
# such a port by chance before the program binds it. Each process of a test run has ports of its own, and takes them in
# turn, from a random one on, because several runs may share a machine.
_PROCESSES = 16
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
_PORTS = range(20_000 + _PROCESS, 32_768, _PROCESSES)
_FIRST = secrets.randbelow(len(_PORTS))
_NEXT = cycle([*_PORTS[_FIRST:], *_PORTS[:_FIRST]])


def free_port() -> int:
    """Return a port that nothing uses at any address of this machine, and that no socket gets from the system."""
    for port in _NEXT:
        with socket.socket() as chooser, suppress(OSError):
            chooser.bind(("", port))
            return port
    raise AssertionError("there is always a next port")
