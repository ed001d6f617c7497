"""Measures what a connection costs wsecho, in two figures that other programs on the machine do not change.

The instructions of a handshake are those of a whole connection: accept, 101 response, one echo, reset. Valgrind counts
the instructions of two servers that serve different numbers of connections, and the difference is theirs. The hashes of
strings are fixed, because the order in sets and dictionaries depends on them.

The bytes of an idle connection are those by which each of many connections makes the resident memory of the server
grow. The server gets small pages only; otherwise the kernel might add 2 MiB at any moment. What the kernel itself needs
for a socket is not included.
"""

import contextlib
import ctypes
import os
import re
import resource
import shutil
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.exchange import echo, echo_once, open_websocket
from benchmarks.resident import resident
from benchmarks.servers import BenchmarkError, RunningServer, log_of, running

NAME = "connection-costs"
SERVER = (
    *("env", "PYTHONHASHSEED=0", sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", "0"),
    *("--log-format", "json", "--ping-interval", "0", "--handshake-timeout", "10m"),
)
VALGRIND = ("valgrind", "--trace-children=yes", "--tool=callgrind", "--callgrind-out-file=/dev/null")
# Connections before the counted ones, in which the interpreter specialises its code and each buffer gets its size.
WARM_UP = 50
HANDSHAKES = 200
IDLE_CONNECTIONS = 2000
FIRST_IDLE_CONNECTIONS = 100
SPARE_DESCRIPTORS = 100
# linux/prctl.h
_PR_SET_THP_DISABLE = 41


def instructions_per_handshake() -> float:
    """Return the instructions of one connection. Raises BenchmarkError, also if Valgrind is not installed."""
    if not shutil.which("valgrind"):
        raise BenchmarkError("valgrind is not installed")
    with running(NAME, SERVER, _cores()) as server:
        # This server compiles and stores the bytecode, if that was not done before.
        echo_once(server.port)
    with ThreadPoolExecutor() as threads:
        few, many = threads.map(_instructions, (WARM_UP, WARM_UP + HANDSHAKES))
    return (many - few) / HANDSHAKES


def bytes_per_idle_connection() -> float:
    """Return the resident memory that each idle connection adds. Raises BenchmarkError."""
    _allow_descriptors(FIRST_IDLE_CONNECTIONS + IDLE_CONNECTIONS + SPARE_DESCRIPTORS)
    with _small_pages(), running(NAME, SERVER, _cores()) as server, contextlib.ExitStack() as opened:
        before = _resident_with(FIRST_IDLE_CONNECTIONS, server, opened)
        return (_resident_with(IDLE_CONNECTIONS, server, opened) - before) / IDLE_CONNECTIONS


def guards() -> dict[str, str]:
    """Return both figures by their names, as text, or why one could not be measured."""
    return {
        "instructions per handshake": _figure(instructions_per_handshake),
        "bytes per idle connection": _figure(bytes_per_idle_connection),
    }


def _figure(measure: Callable[[], float]) -> str:
    try:
        return f"{measure():,.0f}"
    except BenchmarkError as error:
        return f"not measured: {error}"


def _instructions(handshakes: int) -> int:
    """Return the instructions of a server from its start to its end."""
    name = f"{NAME}-{handshakes}"
    with running(name, (*VALGRIND, *SERVER), _cores()) as server:
        for _ in range(handshakes):
            with open_websocket(server.port) as connection:
                echo(connection)
                # The connection ends with a reset.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    log = log_of(name).read_text(errors="replace")
    counted = re.findall(r"Collected : (\d+)", log)
    if not counted:
        raise BenchmarkError(f"valgrind counted nothing: {log[-500:]}")
    return max(map(int, counted))


def _resident_with(connections: int, server: RunningServer, opened: contextlib.ExitStack) -> int:
    """Open more connections, and return the resident memory of the server when it has answered all of them."""
    for _ in range(connections):
        opened.enter_context(open_websocket(server.port))
    return resident(server.pids()).rss


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count:
        raise BenchmarkError(f"a process may open {hard:,} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


@contextlib.contextmanager
def _small_pages() -> Iterator[None]:
    """Let processes that are started in the block have no huge pages."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_THP_DISABLE, 0, 0, 0, 0)
